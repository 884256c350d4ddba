"""Executions from start to end on the engine: time, callbacks, chained invokes, failures, names."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.config import Duration
from durable_execution_sdk.engine import (
    Engine,
    EngineError,
    ExecutionAlreadyStarted,
    ExecutionFailed,
    ExecutionNotFound,
    ExecutionStopped,
    ExecutionTimedOut,
    FunctionNotFound,
    InvalidParameterValue,
    Progress,
    ResourceConflict,
    VirtualClock,
)
from durable_execution_sdk.types import DurableExecutionArn
from tests.support import engine_workflows as workflows

FUNCTIONS = {"double": workflows.double, "plain": workflows.plain}


class Watch:
    """An observer that lets a test wait until an execution has got somewhere."""

    def __init__(self) -> None:
        self.condition = threading.Condition()

    def __call__(self, progress: Progress) -> None:
        with self.condition:
            self.condition.notify_all()

    def until_open(self, engine: Engine, execution: str) -> str:
        """Wait for a callback of the execution; its id."""
        found: list[str] = []

        def look() -> bool:
            found.extend(record.callback_id for record in engine.operations(execution) if record.callback_id)
            return bool(found)

        with self.condition:
            assert self.condition.wait_for(look, 20)
        return found[0]


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def engine(watch: Watch) -> Iterator[Engine]:
    with Engine(clock=VirtualClock(), functions=FUNCTIONS, observer=watch) as engine:
        yield engine


def test_a_virtual_clock_jumps_over_waits(engine: Engine) -> None:
    assert engine.run(workflows.greet, {"name": "Ada"}, name="a") == "Hello, Ada!"
    summary = engine.describe("a")
    assert summary.end_ms is not None
    assert summary.end_ms - summary.start_ms >= 600_000
    assert summary.invocations == 2
    assert (summary.operations, summary.finished) == (2, 2)
    assert summary.input_json == '{"name":"Ada"}'
    assert summary.result_json == '"Hello, Ada!"'


def test_names_are_idempotent(engine: Engine) -> None:
    first = engine.create(workflows.greet, {"name": "Ada"}, name="a")
    assert engine.create(workflows.greet, {"name": "Ada"}, name="a").arn == first.arn
    assert engine.run(workflows.greet, {"name": "Ada"}, name="a") == "Hello, Ada!"
    assert engine.run(workflows.greet, {"name": "Ada"}, name="a") == "Hello, Ada!"
    assert engine.describe("a").invocations == 2
    with pytest.raises(ExecutionAlreadyStarted, match="'a' is taken"):
        engine.run(workflows.greet, {"name": "Bob"}, name="a")
    with pytest.raises(ExecutionAlreadyStarted):
        engine.run(workflows.greet, input_json='{"name": "Ada"}', name="a")
    with pytest.raises(InvalidParameterValue, match="'a b'"):
        engine.run(workflows.greet, {"name": "Ada"}, name="a b")
    assert engine.run(workflows.greet, {"name": "Eve"}) == "Hello, Eve!"
    assert len(engine.list()) == 2


def test_arns_are_those_of_the_protocol(engine: Engine) -> None:
    summary = engine.create(workflows.greet, {}, name="order-17")
    parsed = DurableExecutionArn.from_arn(summary.arn)
    assert parsed is not None
    assert (parsed.function_name, parsed.execution_name, parsed.invocation_id) == (
        "greet",
        "order-17",
        summary.execution_id,
    )
    prefix = "arn:durable:lambda:local:000000000000:function:greet:$LATEST/durable-execution/order-17/"
    assert summary.arn == prefix + summary.execution_id
    for reference in (summary.arn, summary.execution_id, "order-17"):
        assert engine.describe(reference).arn == summary.arn
    with pytest.raises(ExecutionNotFound, match="nobody"):
        engine.describe("nobody")


def test_the_same_name_under_two_functions_needs_an_arn(engine: Engine) -> None:
    engine.create(workflows.greet, {}, name="same")
    engine.create(workflows.double, {}, name="same")
    with pytest.raises(ExecutionNotFound, match="Several"):
        engine.describe("same")


def test_callback_succeeds(engine: Engine, watch: Watch) -> None:
    started = engine.start(workflows.await_callback, {})
    callback = watch.until_open(engine, started.arn)
    engine.send_callback_heartbeat(callback)
    engine.send_callback_success(callback, b"\xc3\xa9")
    assert engine.result(started.arn, 20) == "é"
    with pytest.raises(ResourceConflict, match="ended"):
        engine.send_callback_success(callback, "again")


def test_callback_fails(engine: Engine, watch: Watch) -> None:
    started = engine.start(workflows.await_callback, {})
    callback = watch.until_open(engine, started.arn)
    engine.send_callback_failure(callback, "no budget", error_type="Denied")
    with pytest.raises(ExecutionFailed, match="no budget") as failed:
        engine.result(started.arn, 20)
    assert failed.value.error_message == "no budget"
    assert failed.value.arn == started.arn


@pytest.mark.parametrize(("event", "kind"), [({"timeout": 30}, "Timeout"), ({"heartbeat": 10}, "Heartbeat")])
def test_callback_times_out(engine: Engine, event: dict[str, int], kind: str) -> None:
    with pytest.raises(ExecutionFailed):
        engine.run(workflows.await_callback, event, name="late")
    record = next(record for record in engine.operations("late") if record.operation_type == "CALLBACK")
    assert record.status == "TIMED_OUT"
    assert record.error is not None
    assert f"Callback.{kind}" in record.error


@pytest.mark.parametrize("wrong", ["", "x", "AAAA", "Y2FsbGJhY2svMS9ub2JvZHkvYWFh"])
def test_unknown_callback_ids(engine: Engine, wrong: str) -> None:
    with pytest.raises(ExecutionNotFound, match="No callback"):
        engine.send_callback_success(wrong, "x")


@pytest.mark.parametrize(
    ("function", "payload", "result"),
    [
        ("double", 21, 42),
        ("double:$LATEST", 4, 8),
        ("arn:aws:lambda:eu-west-1:123456789012:function:double:3", "ab", "abab"),
        ("plain", {"x": 1}, {"plain": {"x": 1}, "function": "plain"}),
    ],
)
def test_chained_invokes(engine: Engine, function: str, payload: Any, result: Any) -> None:
    assert engine.run(workflows.call, {"function": function, "payload": payload}, name="p") == result
    assert [summary.name for summary in engine.list()] == ["p"]
    assert len(engine.list(chained=True, status="SUCCEEDED")) == 2


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({"function": "double", "payload": "fail"}, "cannot double that"),
        ({"function": "plain", "payload": "fail"}, "plain"),
        ({"function": "nobody"}, "Function not found: nobody"),
    ],
)
def test_chained_invokes_fail(engine: Engine, event: dict[str, str], message: str) -> None:
    with pytest.raises(ExecutionFailed, match=message) as failed:
        engine.run(workflows.call, event)
    assert failed.value.error_type is not None
    assert failed.value.error_type.endswith("InvokeError")


def test_an_invocation_that_raises_is_tried_five_times_five_seconds_apart(engine: Engine) -> None:
    with pytest.raises(ExecutionFailed, match="try again"):
        engine.run(workflows.raises_outside, None, name="bad")
    summary = engine.describe("bad")
    assert summary.invocations == 5
    assert summary.end_ms == summary.start_ms + 4 * 5_000
    completed = [event for event in engine.history("bad") if event["EventType"] == "InvocationCompleted"]
    assert len(completed) == 5
    assert all("Error" in event["InvocationCompletedDetails"] for event in completed)


def test_system_exit_counts_as_a_failed_invocation(engine: Engine, tmp_path: Path) -> None:
    event = {"marks": str(tmp_path / "marks"), "times": 2, "exit": True}
    assert engine.run(workflows.dies, event, name="exits") == "alive after 2"
    types = [
        event["InvocationCompletedDetails"].get("Error", {}).get("Payload", {}).get("ErrorType")
        for event in engine.history("exits")
        if event["EventType"] == "InvocationCompleted"
    ]
    assert types == ["Runtime.ExitError", "Runtime.ExitError", None]


def test_keyboard_interrupt_keeps_what_is_acknowledged_and_counts_no_failure(engine: Engine) -> None:
    runs = []

    @durable_execution
    def interrupted(event: Any, context: DurableContext) -> int:
        context.step(lambda _: runs.append("step"), name="once")
        if len(runs) < 8:
            runs.append("interrupt")
            raise KeyboardInterrupt
        return len(runs)

    for _ in range(7):
        with pytest.raises(KeyboardInterrupt):
            engine.run(interrupted, None, name="ctrl-c")
        assert engine.describe("ctrl-c").driver_pid is None
    assert engine.resume("ctrl-c") == 8
    assert runs.count("step") == 1


def test_execution_timeout(engine: Engine) -> None:
    with pytest.raises(ExecutionTimedOut):
        engine.run(workflows.greet, {"name": "x"}, name="slow", timeout=Duration.from_seconds(5))
    summary = engine.describe("slow")
    assert (summary.status, summary.end_ms) == ("TIMED_OUT", summary.start_ms + 5_000)
    with pytest.raises(ExecutionTimedOut):
        engine.resume("slow")


def test_stop(engine: Engine, watch: Watch) -> None:
    started = engine.start(workflows.await_callback, {})
    watch.until_open(engine, started.arn)
    engine.stop(started.arn, "not needed any more", "Cancelled")
    with pytest.raises(ExecutionStopped, match="Cancelled: not needed any more"):
        engine.result(started.arn, 20)
    with pytest.raises(ResourceConflict, match="already ended"):
        engine.stop(started.arn)
    assert engine.describe(started.arn).is_ended


def test_pause(engine: Engine, watch: Watch) -> None:
    started = engine.start(workflows.await_callback, {})
    callback = watch.until_open(engine, started.arn)
    engine.pause(started.arn, "maintenance")
    assert engine.describe(started.arn).status == "PAUSED"
    engine.send_callback_success(callback, "done")
    with pytest.raises(TimeoutError):
        engine.result(started.arn, 0.02)
    with pytest.raises(ResourceConflict, match="already paused"):
        engine.pause(started.arn)
    engine.unpause(started.arn)
    assert engine.result(started.arn, 20) == "done"


def test_progress(tmp_path: Path) -> None:
    seen: list[Progress] = []
    with Engine(clock=VirtualClock(), observer=seen.append) as engine:
        engine.run(workflows.greet, {"name": "Ada"}, name="watched")
    assert [(one.running, one.operations, one.finished, one.current) for one in seen] == [
        (True, 0, 0, None),
        (True, 1, 1, None),
        (True, 2, 1, "think"),
        (False, 2, 1, "think"),
        (True, 2, 2, "think"),
        (False, 2, 2, None),
    ]
    assert [one.waiting_until_ms is not None for one in seen] == [False, False, False, True, False, False]
    assert seen[-1].status == "SUCCEEDED"


def test_what_is_not_durable_or_not_there(engine: Engine) -> None:
    with pytest.raises(FunctionNotFound, match="not durable"):
        engine.run(workflows.plain, {})
    with pytest.raises(FunctionNotFound, match="no module 'nowhere'"):
        engine.run("nowhere:handler")
    with pytest.raises(FunctionNotFound, match="no 'nobody'"):
        engine.run("tests.support.engine_workflows:nobody")
    with pytest.raises(FunctionNotFound, match="module:attribute"):
        engine.run("handler")
    with pytest.raises(ValueError, match="not both"):
        engine.run(workflows.greet, {}, input_json="{}")
    with pytest.raises(ValueError, match="Expecting"):
        engine.run(workflows.greet, input_json="{")


def test_wrong_settings() -> None:
    with pytest.raises(ValueError, match="isolation"):
        Engine(isolation="thread")  # type: ignore[arg-type]  # what a user without a type checker writes
    with pytest.raises(ValueError, match="max_workers"):
        Engine(max_workers=0)
    with pytest.raises(ValueError, match="not both"):
        Engine(clock=VirtualClock(), time_scale=2)
    with pytest.raises(ValueError, match="above 0"):
        Engine(time_scale=-1)


def test_a_closed_engine_wakes_who_waits(watch: Watch) -> None:
    engine = Engine(clock=VirtualClock(), observer=watch)
    started = engine.start(workflows.await_callback, {})
    watch.until_open(engine, started.arn)
    errors: list[BaseException] = []

    def wait() -> None:
        try:
            engine.result(started.arn)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    engine.close()
    thread.join(20)
    assert not thread.is_alive()
    assert isinstance(errors[0], EngineError)
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.list()
    with pytest.raises(EngineError, match="closed"):
        engine.run(workflows.greet, {"name": "x"})


def test_many_executions_share_the_workers() -> None:
    guard = threading.Lock()
    running = most = 0

    @durable_execution
    def counted(event: Any, context: DurableContext) -> Any:
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
        try:
            return context.invoke("double", event)
        finally:
            with guard:
                running -= 1

    with Engine(clock=VirtualClock(), functions=FUNCTIONS, max_workers=3) as engine:
        started = [engine.start(counted, n) for n in range(40)]
        assert [engine.result(one.arn, 60) for one in started] == [2 * n for n in range(40)]
    assert 1 <= most <= 3
