"""The codec in a process: depth, finalisers, threads, memory, and the class of batch results."""

import gc
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from durable_execution_sdk import _core


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
