"""What does a finished step cost when a handler runs over it again?"""

from __future__ import annotations

import importlib
import json
import time
from functools import cache

from benches.events import Client, LambdaContext, event_text, finished_step, small_result

NAME = "charge"


@cache
def event(sdk: str, steps: int) -> str:
    """A history of finished steps, their results written by the SDK's own default serdes."""
    return event_text([finished_step(n, stored(sdk, small_result(n)), NAME) for n in range(1, steps + 1)])


def stored(sdk: str, value: object) -> str:
    """The text that the default serdes stores for a value."""
    text = importlib.import_module(f"{sdk}.serdes").serialize(None, value, "operation", "arn")
    assert isinstance(text, str)
    return text


def seconds(sdk: str, steps: int) -> float:
    """One invocation over a history of that many finished steps."""
    module = importlib.import_module(sdk)

    def never(_: object) -> dict[str, object]:
        raise AssertionError("a finished step ran again")

    def handler(_: object, context: object) -> float:
        total = 0.0
        step = context.step  # type: ignore[attr-defined]  # either SDK's context
        for _ in range(steps):
            total += step(never, NAME)["amount"]
        return total

    durable = module.durable_execution(handler, boto3_client=Client())
    invocation, lambda_context = json.loads(event(sdk, steps)), LambdaContext()
    started = time.perf_counter()
    output = durable(invocation, lambda_context)
    elapsed = time.perf_counter() - started
    assert output["Status"] == "SUCCEEDED", output
    assert float(output["Result"]) == sum(small_result(n)["amount"] for n in range(1, steps + 1))
    return elapsed


def measure(sdk: str, steps: int, *, net: bool = False) -> float:
    """Microseconds per finished step; `net` of what an invocation over a single step costs."""
    fixed = seconds(sdk, 1) if net else 0.0
    return (seconds(sdk, steps) - fixed) / steps * 1e6
