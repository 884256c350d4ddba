"""The default serdes format: texts and values that are known one by one. The tables are the official SDK 3.0.0's."""

import math
from collections import ChainMap, OrderedDict, deque, namedtuple
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any
from uuid import UUID

import pytest

from durable_execution_sdk import _core

WRITTEN: list[tuple[Any, str]] = [
    (None, "null"),
    (True, "true"),
    (-7, "-7"),
    ("é", '"\\u00e9"'),
    ([], "[]"),
    ([1, [2, "x"], None], '[1,[2,"x"],null]'),
    ({}, '{"t":"m","v":{}}'),
    ((), '{"t":"t","v":[]}'),
    ([()], '{"t":"l","v":[{"t":"t","v":[]}]}'),
    ({"a": [1, 2.0]}, '{"t":"m","v":{"a":{"t":"l","v":[{"t":"i","v":1},{"t":"f","v":2.0}]}}}'),
    ([1, (2,)], '{"t":"l","v":[{"t":"i","v":1},{"t":"t","v":[{"t":"i","v":2}]}]}'),
    (b"", '{"t":"B","v":""}'),
    (b"\x00\xff", '{"t":"B","v":"AP8="}'),
    (Decimal("1.50"), '{"t":"d","v":"1.50"}'),
    (Decimal("-1E+20"), '{"t":"d","v":"-1E+20"}'),
    ([{"k": 1}], '{"t":"l","v":[{"t":"m","v":{"k":{"t":"i","v":1}}}]}'),
    ({"t": "i", "v": 1}, '{"t":"m","v":{"t":{"t":"s","v":"i"},"v":{"t":"i","v":1}}}'),
    (datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC), '{"t":"dt","v":"2024-01-02T03:04:05+00:00"}'),
    (datetime(2024, 1, 2, 3, 4, 5, 60), '{"t":"dt","v":"2024-01-02T03:04:05.000060"}'),
    (
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
        '{"t":"dt","v":"0001-01-01T00:00:00-03:30"}',
    ),
    (date(2024, 2, 29), '{"t":"D","v":"2024-02-29"}'),
    (UUID(int=5), '{"t":"u","v":"00000000-0000-0000-0000-000000000005"}'),
    (2**63, "9223372036854775808"),
    (-(2**200), str(-(2**200))),
]

FLOATS = [
    (0.0, "0.0"),
    (-0.0, "-0.0"),
    (1e-5, "1e-05"),
    (1.5e-5, "1.5e-05"),
    (1e-4, "0.0001"),
    (0.1, "0.1"),
    (100000.0, "100000.0"),
    (1e15, "1000000000000000.0"),
    (1.2345e15, "1234500000000000.0"),
    (9007199254740993.0, "9007199254740992.0"),
    (1e16, "1e+16"),
    (1e100, "1e+100"),
    (5e-324, "5e-324"),
    (1.7976931348623157e308, "1.7976931348623157e+308"),
    (math.inf, "Infinity"),
    (-math.inf, "-Infinity"),
]

STRINGS = {
    'a"b\\c/': '"a\\"b\\\\c/"',
    "\b\t\n\f\r": '"\\b\\t\\n\\f\\r"',
    "\x00\x1f\x7f~": '"\\u0000\\u001f\\u007f~"',
    "ÿĀ": '"\\u00ff\\u0100"',
    "😀": '"\\ud83d\\ude00"',
    "\ud800": '"\\ud800"',
    "\udc00x": '"\\udc00x"',
    "sixteen is plain\x7f and more": '"sixteen is plain\\u007f and more"',
}


def same(left: Any, right: Any) -> None:
    assert left == right
    assert type(left) is type(right)


@pytest.mark.parametrize(("value", "text"), WRITTEN, ids=lambda item: repr(item)[:40])
def test_written_and_read(value: Any, text: str) -> None:
    assert _core.encode(value) == text
    same(_core.decode(text), value)


@pytest.mark.parametrize(("value", "text"), FLOATS)
def test_floats_look_as_in_python(value: float, text: str) -> None:
    assert _core.encode(value) == text
    assert _core.encode((value,)) == f'{{"t":"t","v":[{{"t":"f","v":{text}}}]}}'
    for again in (_core.decode(text), _core.decode(_core.encode((value,)))[0]):
        same(again, value)
        assert math.copysign(1, again) == math.copysign(1, value)


def test_not_a_number() -> None:
    assert _core.encode([math.nan]) == "[NaN]"
    assert math.isnan(_core.decode("NaN"))
    assert math.isnan(_core.decode(_core.encode((math.nan,)))[0])


@pytest.mark.parametrize(("value", "text"), STRINGS.items(), ids=ascii)
def test_strings_are_written_in_ascii(value: str, text: str) -> None:
    assert _core.encode(value) == text
    assert _core.decode(text) == value
    assert _core.decode(_core.encode({value: value})) == {value: value}


def test_surrogates_that_meet_become_one_character() -> None:
    assert _core.encode("\ud83d\ude00") == '"\\ud83d\\ude00"'
    assert _core.decode('"\\ud83d\\ude00"') == "😀"
    assert _core.decode('"\\ud83d\ude00"') == "\ud83d\ude00"  # an escape and a raw one stay two
    assert _core.decode('{"t":"m","v":{"\ud800":{"t":"s","v":"\udfffé"}}}') == {"\ud800": "\udfffé"}


class Colour(StrEnum):
    RED = "red"


class Level(IntEnum):
    LOW = 3


class Loud(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "shouted"

    __repr__ = __str__


class Odd(int):
    def __repr__(self) -> str:
        return "odd"


class Half(float):
    def __repr__(self) -> str:
        return "half"


class Doubled(list[Any]):
    def __iter__(self) -> Any:
        return iter([*super().__iter__()] * 2)


class Renamed(dict[str, Any]):
    def items(self) -> Any:
        return [("renamed", value) for value in self.values()]


class Stamp(datetime):
    def isoformat(self, sep: str = "T", timespec: str = "auto") -> str:
        return super().isoformat(sep, timespec) + "!"


Point = namedtuple("Point", "x y")

SUBCLASSES: list[tuple[Any, str]] = [
    (Colour.RED, '"red"'),
    (Level.LOW, "3"),
    (Loud("x"), '"x"'),
    (Odd(2), "2"),
    (Odd(2**70), str(2**70)),
    (Half(0.5), "0.5"),
    ([Colour.RED, Level.LOW, Half(0.5)], '["red",3,0.5]'),
    (Doubled([(1,)]), _core.encode([(1,), (1,)])),
    (Point(1, 2), _core.encode((1, 2))),
    (Renamed(a=1), _core.encode({"renamed": 1})),
    (OrderedDict(a=1), _core.encode({"a": 1})),
    (Stamp(2024, 1, 2), '{"t":"dt","v":"2024-01-02T00:00:00!"}'),
    (bytearray(b"x"), _core.encode(b"x")),
    (memoryview(b"abcd")[::2], _core.encode(b"ac")),
    ({Colour.RED: 1, Level.LOW: 2}, _core.encode({"red": 1, "3": 2})),
]


@pytest.mark.parametrize(("value", "text"), SUBCLASSES, ids=[type(value).__name__ for value, _ in SUBCLASSES])
def test_subclasses_become_the_base_type(value: Any, text: str) -> None:
    assert _core.encode(value) == text


def test_a_class_by_name_only() -> None:
    """`isinstance` believes `__class__`, and so does the codec where the methods are enough to write the value."""

    class Proxy:
        __class__ = dict  # type: ignore[assignment]  # what lazy proxies do

        def items(self) -> Any:
            return {"a": 1}.items()

    class Scalar:
        __class__ = str  # type: ignore[assignment]  # as above

    assert _core.encode(Proxy()) == _core.encode({"a": 1})
    with pytest.raises(_core.CodecError, match="Scalar"):
        _core.encode(Scalar())


def test_keys() -> None:
    value = {1: 0, 1.5: 0, None: 0, math.nan: 0, 1e16: 0, 2**70: 0, "é": 0}
    assert list(_core.decode(_core.encode(value))) == ["1", "1.5", "null", "NaN", "1e+16", str(2**70), "é"]
    assert _core.encode({True: 0}) == '{"t":"m","v":{"true":{"t":"i","v":0}}}'
    assert _core.encode({1: 2, "1": 3}) == '{"t":"m","v":{"1":{"t":"i","v":2},"1":{"t":"i","v":3}}}'
    assert _core.decode(_core.encode({1: 2, "1": 3})) == {"1": 3}


class Plain(Enum):
    A = 1


UNSUPPORTED: list[tuple[Any, str]] = [
    ({1}, "set"),
    (frozenset(), "frozenset"),
    (object(), "object"),
    (3j, "complex"),
    (time(1), "time"),
    (timedelta(1), "timedelta"),
    (ValueError("x"), "ValueError"),
    (Plain.A, "Plain"),
    (deque([1]), "deque"),
    (ChainMap({}), "ChainMap"),
    (range(3), "range"),
    ([1, {2}], "set"),
    ({"a": [{"b": object()}]}, "object"),
    ({(1, 2): 3}, "key.*tuple"),
    ({b"x": 3}, "key.*bytes"),
    ({Decimal(1): 3}, "key.*Decimal"),
    ({date(2024, 1, 1): 3}, "key.*date"),
    (10**4300, "too long"),
    ([(10**4300,)], "too long"),
    ({10**4300: 1}, "too long"),
]


@pytest.mark.parametrize(("value", "what"), UNSUPPORTED, ids=[what for _, what in UNSUPPORTED])
def test_what_has_no_form_is_named(value: Any, what: str) -> None:
    with pytest.raises(_core.CodecError, match=what) as caught:
        _core.encode(value)
    assert caught.value.offset is None


def test_errors_of_user_code_pass() -> None:
    class Stubborn(dict[str, Any]):
        def items(self) -> Any:
            raise LookupError("not now")

    with pytest.raises(LookupError, match="not now"):
        _core.encode([Stubborn()])
    assert _core.encode({"a": 1}) == '{"t":"m","v":{"a":{"t":"i","v":1}}}'


def test_a_dict_that_changes_while_it_is_written() -> None:
    class Growing(datetime):
        def isoformat(self, sep: str = "T", timespec: str = "auto") -> str:
            victim.update({str(number): number for number in range(100)})
            return "x"

    victim: dict[str, Any] = {"a": Growing(2024, 1, 1), "b": 1}
    with pytest.raises(RuntimeError, match="changed size"):
        _core.encode(victim)


def test_floats_between_two_shortest_texts_take_the_even_digit() -> None:
    assert _core.encode(1335999556340550.25) == "1335999556340550.2"
    assert _core.encode(1335999556340550.75) == "1335999556340550.8"
