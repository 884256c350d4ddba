"""What does the default serdes cost on its own?"""

from __future__ import annotations

import importlib
import time
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

Kind = Literal["small", "rows_1k", "rows", "rich", "words"]


def value(kind: Kind, number: int = 1) -> Any:
    """A result as steps return them; all but `small` and `rows_1k` are 10 KB of text when stored."""
    if kind == "small":
        return {"id": number, "status": "ok", "amount": number / 4}
    if kind in ("rows", "rows_1k"):
        count = 46 if kind == "rows" else 5
        return [
            {"id": row, "name": f"customer {row}", "total": row / 7, "tags": ["new", "paid"], "active": True}
            for row in range(number, number + count)
        ]
    if kind == "rich":
        return [
            {
                "id": uuid.UUID(int=row * 0x1234_5678_9ABC_DEF0_1234_5678),
                "total": Decimal(row) / 100,
                "at": datetime(2026, 1, 2, 3, 4, 5, row, UTC),
                "count": row,
            }
            for row in range(number, number + 54)
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
    call = serdes.serialize if way == "write" else serdes.deserialize
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        for each in inputs:
            call(each, context)
        best = min(best, time.perf_counter() - started)
    return best / len(inputs) * 1e6
