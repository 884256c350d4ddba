"""Reading in the default serdes format: texts that nobody writes, and what the official SDK 3.0.0 makes of them."""

import math
import pickle
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from durable_execution_sdk import _core
from tests.unit.test_codec import same

REFUSED = [
    "",
    "   ",
    "\ufeff1",
    '"\t"',
    '"',
    '"\\x"',
    '"\\u12g4"',
    '"\\ud800\\u12g4"',
    "[1,]",
    "[1 2]",
    "[,]",
    '{"t":"i","v":1,}',
    '{"t":"i","v":1} x',
    "{'t':1}",
    '{"t" 1}',
    "01",
    "1.",
    ".5",
    "1e",
    "-",
    "+1",
    "nul",
    "1 2",
    "\x0b1",
    "[{}]",
    '[[{"t":"i","v":1}]]',
    "{}",
    '{"t":"i"}',
    '{"v":1}',
    '{"t":"zz","v":1}',
    '{"t":"n\x00","v":null}',
    '{"t":"","v":null}',
    '{"t":"nn","v":null}',
    '{"t":5,"v":1}',
    '{"t":["i"],"v":1}',
    '{"t":"l","v":[{"t":"zz","v":1}]}',
    '{"t":"l","v":{}}',
    '{"t":"t","v":"ab"}',
    '{"t":"m","v":[]}',
    '{"t":"br","v":[]}',
    '{"t":"i","v":"x"}',
    '{"t":"i","v":null}',
    '{"t":"i","v":NaN}',
    '{"t":"f","v":"x"}',
    '{"t":"f","v":{"t":"f","v":1.0}}',
    '{"t":"d","v":"x"}',
    '{"t":"d","v":null}',
    '{"t":"u","v":"x"}',
    '{"t":"u","v":5}',
    '{"t":"dt","v":"x"}',
    '{"t":"dt","v":"2024-01-02T03:04:05z"}',
    '{"t":"dt","v":5}',
    '{"t":"dt","v":"2024-02-30T00:00:00"}',
    '{"t":"D","v":"2023-02-29"}',
    '{"t":"D","v":"2024-01-01T00:00:00"}',
    '{"t":"B","v":"A"}',
    '{"t":"B","v":"AP8"}',
    '{"t":"B","v":5}',
    '{"t":"B","v":"\\ud800"}',
    "1" * 4301,
    '{"t":"i","v":' + "1" * 4301 + "}",
]


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: ascii(text)[:40])
def test_texts_that_are_refused(text: str) -> None:
    with pytest.raises(_core.CodecError):
        _core.decode(text)


TOLERATED: list[tuple[str, Any]] = [
    (' \t\r\n{ "t" : "i" , "v" : 1 } \n', 1),
    ('{"v":1,"t":"i"}', 1),
    ('{"t":"i","v":1,"x":[{}]}', 1),
    ('{"t":"zz","t":"i","v":"x","v":1}', 1),
    ('{"t":"m","v":{"a":{"t":"i","v":"x"},"a":{"t":"i","v":1}}}', {"a": 1}),
    (
        '{"t":"l","v":[5,"x",null,{"a":{"t":"i","v":1}},[{"t":"i","v":1}]]}',
        [5, "x", None, {"a": {"t": "i", "v": 1}}, [{"t": "i", "v": 1}]],
    ),
    ('{"t":"l","v":[{"t":"i"},{"v":{"t":"i","v":1}}]}', [{"t": "i"}, {"v": {"t": "i", "v": 1}}]),
    ('{"t":"m","v":{"t":"i","v":{"t":"i","v":1}}}', {"t": "i", "v": 1}),
    ('{"t":"n","v":{"t":"zz","v":1}}', None),
    ('{"t":"s","v":{"t":"zz","v":[1]}}', "{'t': 'zz', 'v': [1]}"),
    ('{"t":"s","v":null}', "None"),
    ('{"t":"b","v":[]}', False),
    ('{"t":"b","v":"false"}', True),
    ('{"t":"i","v":" 12 "}', 12),
    ('{"t":"i","v":-1.9}', -1),
    ('{"t":"i","v":true}', 1),
    ('{"t":"f","v":1}', 1.0),
    ('{"t":"f","v":" 1e3 "}', 1000.0),
    ('{"t":"f","v":1e999}', math.inf),
    ('{"t":"d","v":1}', Decimal(1)),
    ('{"t":"d","v":1.5}', Decimal("1.5")),
    ('{"t":"d","v":[0,[1,2],-1]}', Decimal("1.2")),
    ('{"t":"d","v":" \\u0661 "}', Decimal(1)),
    ('{"t":"B","v":"A-P*8=junk"}', b"\x00\xff"),
    ('{"t":"u","v":"{00000000000000000000000000000005}"}', UUID(int=5)),
    ('{"t":"u","v":"0000000-00000-0000-0000-000000000005-"}', UUID(int=5)),
    ('{"t":"u","v":"urn:uuid:00000000-0000-0000-0000-00000000000A"}', UUID(int=10)),
    ('{"t":"u","v":"00000000-0000-0000-0000-00000000000A"}', UUID(int=10)),
    ('{"t":"dt","v":"2024-01-02T03:04:05Z"}', datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)),
    ('{"t":"dt","v":"2024-01-02 03:04"}', datetime(2024, 1, 2, 3, 4)),
    ('{"t":"dt","v":"20240102T030405Z"}', datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)),
    ('{"t":"dt","v":"2024-W01-2"}', datetime(2024, 1, 2)),
    ('{"t":"dt","v":"2024-01-02T03:04:05.1234567"}', datetime(2024, 1, 2, 3, 4, 5, 123456)),
    ('{"t":"D","v":"20240102"}', date(2024, 1, 2)),
    ("-0", 0),
    ("[ ]", []),
    ('"\\/\\u00E9"', "/é"),
]


@pytest.mark.parametrize(("text", "value"), TOLERATED, ids=lambda item: ascii(item)[:40])
def test_texts_that_are_tolerated(text: str, value: Any) -> None:
    same(_core.decode(text), value)


def test_uuids_are_whole() -> None:
    [value] = _core.decode(_core.encode((UUID(int=2**128 - 1),)))
    assert (value.int, value.is_safe, hash(value)) == (2**128 - 1, UUID(int=1).is_safe, hash(UUID(int=2**128 - 1)))
    assert pickle.loads(pickle.dumps(value)) == value
    with pytest.raises(TypeError, match="immutable"):
        value.int = 5


def test_utc_is_the_zone_itself() -> None:
    [value] = _core.decode(_core.encode((datetime(2024, 1, 2, tzinfo=UTC),)))
    assert value.tzinfo is UTC


def test_error_keeps_its_facts() -> None:
    with pytest.raises(_core.CodecError) as caught:
        _core.decode("[1,]")
    assert caught.value.offset == 3
    assert str(caught.value) == f"{caught.value.reason} (at byte 3)"
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.reason, again.offset) == (caught.value.reason, 3)
    assert isinstance(caught.value, ValueError)


def test_refusals_of_constructors_are_the_cause() -> None:
    with pytest.raises(_core.CodecError, match="tag `i`") as caught:
        _core.decode('{"t":"i","v":"x"}')
    assert isinstance(caught.value.__cause__, ValueError)
