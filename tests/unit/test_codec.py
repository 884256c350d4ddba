"""The default serdes format: texts and values that are known one by one. The tables are the official SDK 3.0.0's."""

import gc
import json
import math
import pickle
import subprocess
import sys
import threading
from collections import ChainMap, OrderedDict, deque, namedtuple
from collections.abc import Callable
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


# --- reading what nobody writes --------------------------------------------------------------------------------------

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


# --- depth -----------------------------------------------------------------------------------------------------------


def nested(levels: int, wrap: Callable[[Any], Any]) -> Any:
    value: Any = wrap(None)
    for _ in range(levels - 1):
        value = wrap(value)
    return value


def depth_of(value: Any) -> int:
    levels = 0
    while value is not None:
        levels += 1
        [value] = value.values() if isinstance(value, dict) else value
    return levels


SHAPES: dict[str, Callable[[Any], Any]] = {
    "list": lambda value: [value],
    "tuple": lambda value: (value,),
    "dict": lambda value: {"k": value},
    "list of dicts": lambda value: [value] if isinstance(value, dict) else {"k": value},
}


@pytest.mark.parametrize("wrap", SHAPES.values(), ids=SHAPES)
def test_a_thousand_levels_whatever_the_stack(wrap: Callable[[Any], Any]) -> None:
    value = nested(1000, wrap)
    text = _core.encode(value)
    loose = text.replace(",", ", ")
    assert depth_of(_core.decode(text)) == depth_of(_core.decode(loose)) == 1000
    with pytest.raises(_core.CodecError, match="deep"):
        _core.encode(wrap(value))

    def at_the_end(levels: int) -> int:
        return at_the_end(levels - 1) if levels else depth_of(_core.decode(_core.encode(value)))

    assert at_the_end(700) == 1000
    found: list[int] = []
    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=lambda: found.append(depth_of(_core.decode(loose))))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert found == [1000]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1001 + "]" * 1001,
        '{"t":"l","v":[' * 1001 + "]}" * 1001,
        '{"v":[' * 1001 + '],"t":"l"}' * 1001,
        "[" * 100_000,
    ],
    ids=lambda text: text[:20],
)
def test_more_levels_are_refused(text: str) -> None:
    with pytest.raises(_core.CodecError, match="deep"):
        _core.decode(text)


def test_a_value_that_holds_itself() -> None:
    ring: list[Any] = []
    ring.append(ring)
    mapping: dict[str, Any] = {}
    mapping["self"] = mapping
    for value in (ring, mapping):
        with pytest.raises(_core.CodecError, match="holds itself"):
            _core.encode(value)


# --- one process, many callers ---------------------------------------------------------------------------------------


def test_a_finaliser_may_decode_while_decoding() -> None:
    """An allocation may start a collection, and a finaliser may come back into the codec."""
    seen: list[Any] = []
    text = _core.encode([{"key": [number, f"value {number}"]} for number in range(500)])
    want = json.dumps(_core.decode(text))

    class Finalised:
        def __init__(self) -> None:
            self.ring = self

        def __del__(self) -> None:
            seen.append(_core.decode(_core.encode({"key": ["from a finaliser", 1]})))

    before = gc.get_threshold()
    gc.set_threshold(10)
    try:
        for _ in range(50):
            Finalised()
            assert json.dumps(_core.decode(text)) == want
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert seen == [{"key": ["from a finaliser", 1]}] * 50


def test_threads_do_not_mix() -> None:
    wrong: list[Any] = []

    class Slow(datetime):
        def isoformat(self, sep: str = "T", timespec: str = "auto") -> str:
            barrier.wait()
            return super().isoformat(sep, timespec)

    def run(number: int) -> None:
        for turn in range(20):
            value = {f"key {number}": [Slow(2024, 1, 1), number, turn]}
            again = _core.decode(_core.encode(value))
            if again != {f"key {number}": [datetime(2024, 1, 1), number, turn]}:
                wrong.append(again)

    barrier = threading.Barrier(2)
    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_what_is_read_belongs_to_the_reader() -> None:
    """Strings may be shared, containers never are."""
    text = _core.encode({"a": [1], "b": (), "c": {}})
    first, second = _core.decode(text), _core.decode(text)
    first["a"].append(2)
    first["c"]["x"] = 1
    assert second == {"a": [1], "b": (), "c": {}}
    assert gc.is_tracked(second)


def test_reading_leaks_nothing() -> None:
    text = _core.encode([{"k": (1.5, "a longer string that nobody caches", 2**70)}])
    broken = text[:-20] + "x" + text[-20:]
    irregular = text.replace(",", " , ")

    def round_of_all() -> None:
        for _ in range(50):
            _core.decode(text)
            _core.decode(irregular)
            with pytest.raises(_core.CodecError):
                _core.decode(broken)

    round_of_all()
    gc.collect()
    before = len(gc.get_objects())
    round_of_all()
    gc.collect()
    assert len(gc.get_objects()) - before < 20


# --- batch results ---------------------------------------------------------------------------------------------------


def in_a_fresh_interpreter(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


BATCH = (
    '{"t":"br","v":{"all":{"t":"l","v":[{"t":"m","v":{"index":{"t":"i","v":0},"status":{"t":"s","v":"SUCCEEDED"},'
    '"result":{"t":"i","v":5},"error":{"t":"n","v":null}}}]},"completionReason":{"t":"s","v":"ALL_COMPLETED"}}}'
)


def test_batch_results_are_known_to_a_bare_reader() -> None:
    code = f"from durable_execution_sdk import _core; print(_core.decode({BATCH!r}).get_results())"
    assert in_a_fresh_interpreter(code) == "[5]"


def test_a_registered_class_is_written_and_read_by_its_functions() -> None:
    code = f"""
from durable_execution_sdk import _core
class Batch:
    def __init__(self, fields): self.fields = fields
class Inner(Batch): pass
_core.register_batch_result(Batch, lambda batch: batch.fields, Batch)
again = _core.decode({BATCH!r})
assert type(again) is Batch and again.fields["all"][0]["result"] == 5, again
assert _core.encode(again) == _core.encode(Inner(again.fields)) == {BATCH!r}
assert _core.decode(_core.encode((again,)))[0].fields == again.fields
def refuse(_): raise LookupError("no such status")
_core.register_batch_result(Batch, lambda batch: [1], refuse)
for call in (lambda: _core.encode(again), lambda: _core.decode({BATCH!r})):
    try:
        call()
    except _core.CodecError as error:
        print(error)
"""
    gave, refused = in_a_fresh_interpreter(code).splitlines()
    assert "list" in gave
    assert "no such status" in refused
