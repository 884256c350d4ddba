"""The default serdes format: texts and values that are known one by one. The tables are the official SDK 3.0.0's."""

import pickle
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from durable_execution_sdk import _core

WRITTEN: list[tuple[Any, str]] = [
    (None, "null"),
    ("é", '"\\u00e9"'),
    ([1, [2, "x"], None], '[1,[2,"x"],null]'),
    ({}, '{"t":"m","v":{}}'),
    ({"a": [1, 2.0]}, '{"t":"m","v":{"a":{"t":"l","v":[{"t":"i","v":1},{"t":"f","v":2.0}]}}}'),
    ([1, (2,)], '{"t":"l","v":[{"t":"i","v":1},{"t":"t","v":[{"t":"i","v":2}]}]}'),
    (b"\x00\xff", '{"t":"B","v":"AP8="}'),
    (Decimal("1.50"), '{"t":"d","v":"1.50"}'),
    ([{"k": 1}], '{"t":"l","v":[{"t":"m","v":{"k":{"t":"i","v":1}}}]}'),
    (datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC), '{"t":"dt","v":"2024-01-02T03:04:05+00:00"}'),
    (date(2024, 1, 2), '{"t":"D","v":"2024-01-02"}'),
    (UUID(int=5), '{"t":"u","v":"00000000-0000-0000-0000-000000000005"}'),
]


@pytest.mark.parametrize(("value", "text"), WRITTEN, ids=lambda item: repr(item)[:40])
def test_written_and_read(value: Any, text: str) -> None:
    assert _core.encode(value) == text
    again = _core.decode(text)
    assert again == value
    assert type(again) is type(value)


def test_error_keeps_its_facts() -> None:
    with pytest.raises(_core.CodecError) as caught:
        _core.decode("[1,]")
    assert caught.value.offset == 3
    assert str(caught.value) == f"{caught.value.reason} (at byte 3)"
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.reason, again.offset) == (caught.value.reason, 3)
