"""When the target of a chained invoke starts: after its caller is suspended, or soon."""

from __future__ import annotations

import threading
from typing import Any

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.engine import Engine, VirtualClock


def test_the_caller_is_suspended_first() -> None:
    @durable_execution
    def calls(event: Any, ctx: DurableContext) -> Any:
        return ctx.invoke("echo", event)

    with Engine(clock=VirtualClock(), functions={"echo": lambda event, context: event}) as engine:
        started = [engine.create(calls, number) for number in range(20)]
        for number, summary in enumerate(started):
            assert engine.resume(summary.arn) == number
            assert [event["EventType"] for event in engine.history(summary.arn)] == [
                "ExecutionStarted",
                "ChainedInvokeStarted",
                "InvocationCompleted",
                "ChainedInvokeSucceeded",
                "InvocationCompleted",
                "ExecutionSucceeded",
            ]


def test_time_does_not_pass_for_a_target_whose_caller_is_suspended() -> None:
    @durable_execution
    def calls(event: Any, ctx: DurableContext) -> Any:
        return ctx.invoke("echo", event)

    clock = VirtualClock(1_000_000)
    with Engine(clock=clock, functions={"echo": lambda event, context: event}) as engine:
        engine.run(calls)
    assert clock.now_ms() == 1_000_000


def test_a_caller_that_goes_on_does_not_hold_its_target_up() -> None:
    reached = threading.Event()

    def target(event: Any, context: Any) -> None:
        reached.set()

    @durable_execution
    def calls(event: Any, ctx: DurableContext) -> Any:
        return ctx.parallel(
            [lambda branch: branch.invoke("target", None), lambda branch: branch.step(lambda _: reached.wait(60))]
        ).get_results()

    with Engine(functions={"target": target}) as engine:
        assert engine.run(calls) == [None, True]
