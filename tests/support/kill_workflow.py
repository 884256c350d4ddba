"""A workflow that notes outside of the engine what it does, so that nothing the engine says need be believed.

Each step writes `run <step>` when its body runs; the handler writes `ack <step>` when it has the step's result in its
hands. A step must never run after it was acknowledged.
"""

from __future__ import annotations

import os
from typing import Any

from durable_execution_sdk import DurableContext, StepContext, durable_execution
from durable_execution_sdk.config import Duration, StepConfig
from durable_execution_sdk.retries import RetryStrategyConfig, create_retry_strategy

RETRY = StepConfig(
    retry_strategy=create_retry_strategy(
        RetryStrategyConfig(max_attempts=4, initial_delay=Duration.from_seconds(1), max_delay=Duration.from_seconds(5))
    )
)


class NotYet(Exception):
    """What a step raises in its first attempts."""


def note(path: str, line: str) -> None:
    # One write to a file opened for appending: whole lines, whatever happens to the process afterwards.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)


def counted(context: DurableContext, path: str, name: str, value: Any, failures: int = 0) -> Any:
    def body(step: StepContext) -> Any:
        note(path, f"run {name}")
        if step.attempt <= failures:
            raise NotYet(f"attempt {step.attempt}")
        return value

    result = context.step(body, name=name, config=RETRY)
    note(path, f"ack {name}")
    return result


@durable_execution
def settle(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    path = event["notes"]
    total = 0
    for batch in range(2):

        def child(inner: DurableContext, batch: int = batch) -> int:
            return sum(counted(inner, path, f"pay-{batch}-{n}", batch * 10 + n) for n in range(3))

        total += context.run_in_child_context(child, name=f"batch-{batch}")
        context.wait(Duration.from_seconds(20), name=f"settlement-{batch}")
    flaky = counted(context, path, "flaky", {"tries": 3, "text": "\ud800é"}, failures=2)
    report = counted(context, path, "report", {"total": total, "flaky": flaky})
    note(path, "end")
    return {"total": total, "tries": report["flaky"]["tries"]}


@durable_execution
def relative(event: dict[str, Any], context: DurableContext) -> int:
    context.wait(Duration.from_seconds(10), name="travel")
    return int(counted(context, event["notes"], f"relative-{event['n']}", event["n"] * 10))


def stranger(event: dict[str, Any], lambda_context: Any) -> int:
    return int(event["n"]) + 1


@durable_execution
def family(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    """Invokes other functions, which other executions run."""
    path = event["notes"]
    found = context.map(
        [1, 2, 3],
        lambda inner, n, *_: inner.invoke("relative", {"notes": path, "n": n}, name=f"call-{n}"),
        name="relatives",
    )
    other = context.invoke("stranger", {"n": 41}, name="stranger")
    return {"relatives": found.get_results(), "stranger": other}


WORKFLOWS = {"settle": settle, "family": family}
FUNCTIONS = {"relative": relative, "stranger": stranger}
