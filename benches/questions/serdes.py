"""What does the default serdes cost on its own?"""

from __future__ import annotations

import importlib
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

from benches import stand_in

Kind = Literal["small", "rows_1k", "rows", "small_rich", "rich_1k", "rich", "words"]
RICH = {"small_rich": 1, "rich_1k": 5, "rich": 54}


def value(kind: Kind, number: int = 1) -> Any:
    """A result as steps return them: 10 KB of text when stored, unless its name says less."""
    if kind == "small":
        return {"id": number, "status": "ok", "amount": number / 4}
    if kind in ("rows", "rows_1k"):
        count = 46 if kind == "rows" else 5
        return [
            {"id": row, "name": f"customer {row}", "total": row / 7, "tags": ["new", "paid"], "active": True}
            for row in range(number, number + count)
        ]
    if kind in RICH:
        return [
            {
                "id": uuid.UUID(int=row * 0x1234_5678_9ABC_DEF0_1234_5678),
                "total": Decimal(row) / 100,
                "at": datetime(2026, 1, 2, 3, 4, 5, row, UTC),
                "count": row,
            }
            for row in range(number, number + RICH[kind])
        ]
    return {
        f"Schlüssel {row}": "Größe und Übermut: ein Satz, 日本語, und noch einer." for row in range(number, number + 75)
    }


def measure(sdk: str, kind: Kind, way: Literal["read", "write"]) -> float:
    """Microseconds to write a value, or to read its text."""
    serdes = importlib.import_module(f"{sdk}.serdes").EXTENDED_TYPES_SERDES
    context = importlib.import_module(f"{sdk}.serdes").SerDesContext()
    # Several, so that no single text or value sits in every cache.
    values = [value(kind, number) for number in range(1, 21)]
    inputs = values if way == "write" else [serdes.serialize(each, context) for each in values]
    return best(serdes.serialize if way == "write" else serdes.deserialize, inputs, context)


def floor(kind: Kind, way: Literal["read", "write"]) -> float:
    """Microseconds of a call that returns what was made before.

    Not of orjson over the same text, which reads every tag into a dict of its own: a reader of tagged values can be
    faster than that.
    """
    del way
    return best(stand_in.returning(value(kind)), [value(kind, number) for number in range(1, 21)], None)


def best(call: Callable[..., object], inputs: list[Any], context: object) -> float:
    """Microseconds per input, in the best of five rounds over all of them."""
    shortest = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        for each in inputs:
            call(each, context)
        shortest = min(shortest, time.perf_counter() - started)
    return shortest / len(inputs) * 1e6
