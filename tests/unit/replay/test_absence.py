"""Histories that do not hold everything: what code may do with values that are not there, and what ends the check."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.config import ChildConfig, StepConfig
from durable_execution_sdk.engine import Engine, ExecutionEnded
from durable_execution_sdk.replay import History, check, read_store
from durable_execution_sdk.retries import RetryDecision

Handler = Callable[..., Any]


def recorded(tmp_path: Path, handler: Handler, event: Any = None, *, fails: bool = False) -> History:
    store = tmp_path / "store.db"
    with Engine(store, time_scale=0) as engine:
        if fails:
            with pytest.raises(ExecutionEnded):
                engine.run(handler, event, name="one")
        else:
            engine.run(handler, event, name="one")
    [history] = read_store(store)
    return history


def without(history: History, *names: str, why: str = "masked") -> History:
    """The history without the payloads of these operations; "input" is that of the execution."""
    first, *rest = history.operations
    absent = {record["Id"]: why for record in rest if record.get("Name") in names}
    if "input" in names:
        absent[first["Id"]] = why
    operations = []
    for record in history.operations:
        if record["Id"] in absent:
            details = next(key for key in record if key.endswith("Details"))
            kept = {k: v for k, v in record[details].items() if k not in {"Result", "InputPayload"}}
            if "Error" in kept:
                kept["Error"] = {"ErrorType": kept["Error"]["ErrorType"]}
            operations.append({**record, details: kept})
        else:
            operations.append(record)
    return replace(history, operations=operations, unreadable=absent)


def using(use: Callable[[Any], Any], *, asynchronous: bool = False) -> Handler:
    """A handler that does something with the result of its first step."""

    @durable_execution
    def handler(event: Any, context: DurableContext) -> Any:
        value = context.step(lambda _: {"amount": 7}, name="first")
        use(value)
        context.step(lambda _: None, name="second")
        return [value]

    @durable_execution
    async def handler_async(event: Any, context: Any) -> Any:
        value = await context.step(lambda _: {"amount": 7}, name="first")
        use(value)
        await context.step(lambda _: None, name="second")
        return [value]

    return handler_async if asynchronous else handler


def nothing(value: Any) -> None:
    """Not looked at."""


def swallowing(value: Any) -> None:
    with suppress(BaseException):
        value["amount"]


PASSING_ON: list[Callable[[Any], Any]] = [
    nothing,
    lambda value: [value, {"it": value}],
    lambda value: value is None,
]
LOOKING: list[Callable[[Any], Any]] = [
    lambda value: value["amount"],
    lambda value: value.get("amount"),
    bool,
    lambda value: f"{value}",
    str,
    repr,
    lambda value: value == {"amount": 7},
    lambda value: value in [{"amount": 7}],
    lambda value: "amount" in value,
    lambda value: isinstance(value, dict),
    lambda value: json.dumps([value]),
    lambda value: [*value],
    lambda value: {**value},
    len,
    lambda value: 1 + value,
    lambda value: value - 1,
    lambda value: value > 3,
    int,
    lambda value: [1, 2][value],
    hash,
    copy.deepcopy,
    pickle.dumps,
    lambda value: value(),
    lambda value: value.__setitem__("amount", 1),
    lambda value: setattr(value, "amount", 1),
    lambda value: "%s" % value,  # noqa: UP031  # another way than str()
    lambda value: sorted([value, value]),
    Path,
    swallowing,
]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["def", "async"])
@pytest.mark.parametrize("use", PASSING_ON)
def test_what_is_only_passed_on_is_not_missed(tmp_path: Path, use: Callable[[Any], Any], asynchronous: bool) -> None:
    history = recorded(tmp_path, using(nothing, asynchronous=asynchronous))
    report = check(using(use, asynchronous=asynchronous), without(history, "first"))
    assert (report.verdict, report.agreed) == ("clean", 2), report


@pytest.mark.parametrize("asynchronous", [False, True], ids=["def", "async"])
@pytest.mark.parametrize("use", LOOKING)
def test_looking_ends_the_check(tmp_path: Path, use: Callable[[Any], Any], asynchronous: bool) -> None:
    history = recorded(tmp_path, using(nothing, asynchronous=asynchronous))
    report = check(using(use, asynchronous=asynchronous), without(history, "first"))
    assert report.verdict == "not checkable"
    assert "the result of Step 'first', which is masked" in (report.note or "")
    if use is not swallowing:
        assert report.agreed == 1
    if use not in (swallowing, copy.deepcopy, pickle.dumps, Path):  # those look from the standard library
        assert (report.line or "").startswith(__file__)


def test_a_branch_on_what_is_not_there_is_no_divergence(tmp_path: Path) -> None:
    @durable_execution
    def handler(event: Any, context: DurableContext) -> None:
        if context.step(lambda _: True, name="ask"):
            context.step(lambda _: None, name="yes")
        else:
            context.step(lambda _: None, name="no")

    assert check(handler, without(recorded(tmp_path, handler), "ask")).verdict == "not checkable"


@pytest.mark.parametrize("asynchronous", [False, True], ids=["def", "async"])
def test_a_divergence_that_hangs_on_nothing_absent_is_one(tmp_path: Path, asynchronous: bool) -> None:
    history = recorded(tmp_path, using(nothing, asynchronous=asynchronous))

    @durable_execution
    def changed(event: Any, context: DurableContext) -> None:
        context.step(lambda _: 1, name="first")
        context.step(lambda _: 1, name="another")

    report = check(changed, without(history, "first"))
    assert (report.verdict, report.cause) == ("diverged", "renamed")
    assert check(changed, without(history, "first", why="left out")).verdict == "not checkable"  # may be null


@pytest.mark.parametrize("asynchronous", [False, True], ids=["def", "async"])
def test_the_input(tmp_path: Path, asynchronous: bool) -> None:
    def reading(*, reads: bool) -> Handler:
        @durable_execution
        def handler(event: Any, context: DurableContext) -> None:
            context.step(lambda _: event["x"], name="uses it inside")
            if reads and event["x"]:
                context.step(lambda _: None, name="b")

        @durable_execution
        async def handler_async(event: Any, context: Any) -> None:
            await context.step(lambda _: event["x"], name="uses it inside")
            if reads and event["x"]:
                await context.step(lambda _: None, name="b")

        return handler_async if asynchronous else handler

    history = recorded(tmp_path / "a", reading(reads=False), {"x": 1})
    assert check(reading(reads=False), without(history, "input")).verdict == "clean"
    history = recorded(tmp_path / "b", reading(reads=True), {"x": 1})
    report = check(reading(reads=True), without(history, "input"))
    assert (report.verdict, report.agreed) == ("not checkable", 1)
    assert "the input, which is masked" in (report.note or "")


@pytest.mark.parametrize("asynchronous", [False, True], ids=["def", "async"])
def test_an_error_that_is_not_there_ends_the_check(tmp_path: Path, asynchronous: bool) -> None:
    once = StepConfig(retry_strategy=lambda error, attempt: RetryDecision.no_retry())

    def boom(_: Any) -> None:
        raise ValueError("card 4111")

    @durable_execution
    def handler(event: Any, context: DurableContext) -> None:
        try:
            context.step(boom, name="charge", config=once)
        except Exception as error:
            context.step(lambda _: None, name="declined" if "card" in str(error) else "other")

    @durable_execution
    async def handler_async(event: Any, context: Any) -> None:
        try:
            await context.step(boom, name="charge", config=once)
        except Exception as error:
            await context.step(lambda _: None, name="declined" if "card" in str(error) else "other")

    chosen = handler_async if asynchronous else handler
    history = recorded(tmp_path, chosen)
    assert check(chosen, history).verdict == "clean"
    report = check(chosen, without(history, "charge"))
    assert report.verdict == "not checkable"
    assert "the error of Step 'charge', which is masked" in (report.note or "")


@pytest.mark.parametrize("asynchronous", [False, True], ids=["def", "async"])
def test_contexts_pass_on_what_is_not_there(tmp_path: Path, asynchronous: bool) -> None:
    """Their results are written again when they are entered again."""

    @durable_execution
    def handler(event: Any, context: DurableContext) -> Any:
        def one(child: DurableContext, item: Any, index: int, items: Any) -> Any:
            return child.step(lambda _: item, name="inner")

        many = context.map([1, 2], one, name="m")
        value = context.run_in_child_context(lambda child: [child.step(lambda _: 1, name="inner")], name="c")
        context.step(lambda _: None, name="after")
        return [value, None if many is None else 1]

    @durable_execution
    async def handler_async(event: Any, context: Any) -> Any:
        async def one(child: Any, item: Any, index: int, items: Any) -> Any:
            return await child.step(lambda _: item, name="inner")

        async def body(child: Any) -> Any:
            return [await child.step(lambda _: 1, name="inner")]

        many = await context.map([1, 2], one, name="m")
        value = await context.run_in_child_context(body, name="c")
        await context.step(lambda _: None, name="after")
        return [value, None if many is None else 1]

    chosen = handler_async if asynchronous else handler
    history = without(recorded(tmp_path, chosen), "inner", "c", "m")
    assert check(chosen, history).verdict == "clean"
    contexts = [record["Id"] for record in history.operations if record.get("Name") in {"c", "m"}]
    report = check(chosen, replace(history, uncertain=contexts))
    assert report.verdict == "clean", report


def test_a_serdes_is_not_asked_for_what_is_not_there(tmp_path: Path) -> None:
    class Own:
        def serialize(self, value: Any, context: Any) -> str:
            return f"<{value}>"

        def deserialize(self, data: str, context: Any) -> Any:
            assert data.startswith("<")
            return data[1:-1]

    @durable_execution
    def handler(event: Any, context: DurableContext) -> None:
        context.step(lambda _: "x", name="own", config=StepConfig(serdes=Own()))
        context.step(lambda _: "x", name="after")

    assert check(handler, without(recorded(tmp_path, handler), "own")).verdict == "clean"


def test_a_problem_is_told(tmp_path: Path) -> None:
    history = replace(recorded(tmp_path, using(nothing)), problem="event 3 of it is missing")
    report = check(using(nothing), history)
    assert (report.verdict, report.note, report.ok) == ("not checkable", "event 3 of it is missing", False)


# --- contexts that may be entered again ---


def large(size: int, *names: str) -> Handler:
    """A context whose result has that size, with steps inside."""

    @durable_execution
    def handler(event: Any, context: DurableContext) -> None:
        def body(child: DurableContext) -> str:
            for name in names:
                child.step(lambda _: "x" * 10, name=name)
            return "x" * size

        config: Any = ChildConfig(summary_generator=lambda result: json.dumps(f"{len(result)} characters"))
        value = context.run_in_child_context(body, name="c", config=config)
        context.step(lambda _: None, name="large" if len(value) > 1000 else "small")

    return handler


def uncertain(history: History) -> History:
    """As AWS would tell it."""
    contexts = [record for record in history.operations if "ContextDetails" in record]
    told: dict[str, Any] = {
        record["Id"]: {key: value for key, value in record["ContextDetails"].items() if key != "ReplayChildren"}
        for record in contexts
    }
    operations = [
        {**record, "ContextDetails": told[record["Id"]]} if record["Id"] in told else record
        for record in history.operations
    ]
    return replace(history, operations=operations, uncertain=[*told])


def test_both_ways_agree(tmp_path: Path) -> None:
    history = uncertain(recorded(tmp_path, large(10, "a", "b")))
    assert check(large(10, "a", "b"), history).verdict == "clean"
    report = check(large(10, "a", "z"), history)
    assert (report.verdict, report.cause) == ("diverged", "renamed")


def test_what_differs_is_not_checkable(tmp_path: Path) -> None:
    history = recorded(tmp_path, large(300_000, "a", "b"))
    assert check(large(300_000, "a", "b"), history).verdict == "clean"
    report = check(large(300_000, "a", "b"), uncertain(history))
    assert report.verdict == "not checkable"
    assert "RunInChildContext 'c'" in (report.note or "")


def test_a_divergence_outside_is_one_both_ways(tmp_path: Path) -> None:
    history = uncertain(recorded(tmp_path, large(10, "a")))

    @durable_execution
    def changed(event: Any, context: DurableContext) -> None:
        context.step(lambda _: None, name="something else")

    assert check(changed, history).verdict == "diverged"


# --- several at once ---


@durable_execution
def branches(event: Any, context: DurableContext) -> Any:
    def branch(child: DurableContext, item: str, index: int, items: Any) -> Any:
        value = child.step(lambda _: item, name=f"first {item}")
        if item == "b":
            bool(value)
        return child.step(lambda _: value, name=f"second {item}")

    context.map(["a", "b", "c"], branch, name="m")
    context.step(lambda _: None, name="after")


@durable_execution
async def gathered(event: Any, context: Any) -> Any:
    async def one(item: str) -> Any:
        value = await context.step(lambda _: item, name=f"first {item}")
        if item == "b":
            bool(value)
        return await context.step(lambda _: value, name=f"second {item}")

    await asyncio.gather(one("a"), one("b"), one("c"))
    await context.step(lambda _: None, name="after")


@durable_execution
async def grouped(event: Any, context: Any) -> Any:
    async def one(item: str) -> Any:
        value = await context.step(lambda _: item, name=f"first {item}")
        if item == "b":
            bool(value)
        return await context.step(lambda _: value, name=f"second {item}")

    async with asyncio.TaskGroup() as tasks:
        for item in "abc":
            tasks.create_task(one(item))
    await context.step(lambda _: None, name="after")


@durable_execution
async def grouped_inside(event: Any, context: Any) -> Any:
    async def body(child: Any) -> None:
        async def one(item: str) -> None:
            value = await child.step(lambda _: item, name=f"first {item}")
            if item == "b":
                bool(value)
            await child.step(lambda _: value, name=f"second {item}")

        async with asyncio.TaskGroup() as tasks:
            for item in "abc":
                tasks.create_task(one(item))

    await context.run_in_child_context(body, name="c")
    await context.step(lambda _: None, name="after")


@durable_execution
async def combined(event: Any, context: Any) -> Any:
    started = [context.step(lambda _, item=item: item, name=f"first {item}") for item in "abc"]
    found = await context.promise.all(started, name="all")
    for value in found:
        bool(value)
    await context.step(lambda _: None, name="after")


@pytest.mark.parametrize("handler", [branches, gathered, grouped, grouped_inside, combined])
def test_one_of_several_looks(tmp_path: Path, handler: Handler) -> None:
    history = recorded(tmp_path, handler)
    assert check(handler, history).verdict == "clean"
    report = check(handler, replace(without(history, "first b"), uncertain=()))
    if handler in (branches, grouped_inside):
        # The context is answered from its own record; only its inside looks.
        assert "inside a context that has ended" in (report.note or "")
    if handler is combined:
        # So is the combinator: what its record holds is what counts.
        assert report.verdict == "clean"
        report = check(handler, without(history, "first b", "all"))
    assert report.verdict == "not checkable", report
    assert "which is masked" in (report.note or "")


def test_a_callback_passes_it_on(tmp_path: Path) -> None:
    @durable_execution
    def handler(event: Any, context: DurableContext) -> Any:
        waited = context.wait_for_callback(lambda callback_id, _: None, name="asked")
        context.step(lambda _: waited, name="after")

    store = tmp_path / "store.db"
    with Engine(store, time_scale=0) as engine:
        engine.start(handler, {}, name="one")
        callback_id = None
        while callback_id is None:
            callback_id = next((op.callback_id for op in engine.operations("one") if op.callback_id), None)
        engine.send_callback_success(callback_id, '"yes"')
        engine.result("one", timeout=60)
    [history] = read_store(store)
    names = [record.get("Name") for record in history.operations]
    hidden = without(history, *[name for name in names if name])
    assert check(handler, hidden).verdict == "clean"
    contexts = [record["Id"] for record in history.operations if record["Type"] == "CONTEXT"]
    assert check(handler, replace(hidden, uncertain=contexts)).verdict == "clean"
