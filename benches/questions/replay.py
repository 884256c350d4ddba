"""What does a finished step cost when a handler runs over it again?"""

from __future__ import annotations

import importlib
import json
import time
from functools import lru_cache
from typing import Any

from benches import stand_in
from benches.events import (
    NAME,
    Client,
    Colour,
    LambdaContext,
    event_text,
    finished_step,
    small_result,
    stored,
    takes_coroutines,
)


@lru_cache(maxsize=2)  # a million operations are 350 MB of text: growth needs two histories at a time
def event(sdk: str, steps: int) -> str:
    """A history of finished steps, their results written by the SDK's own default serdes."""
    return event_text([finished_step(n, stored(sdk, small_result(n)), NAME) for n in range(1, steps + 1)])


def plain(steps: int) -> Any:
    """The handler as `def`."""

    def never(_: object) -> dict[str, object]:
        raise AssertionError("a finished step ran again")

    def handler(_: object, context: Any) -> float:
        total = 0.0
        step = context.step
        for _ in range(steps):
            total += step(never, NAME)["amount"]
        return total

    return handler


def coroutine(steps: int) -> Any:
    """The handler as `async def`."""

    def never(_: object) -> dict[str, object]:
        raise AssertionError("a finished step ran again")

    async def handler(_: object, context: Any) -> float:
        total = 0.0
        step = context.step
        for _ in range(steps):
            total += (await step(never, NAME))["amount"]
        return total

    return handler


def seconds(sdk: str, steps: int, colour: Colour = "def") -> float:
    """One invocation over a history of that many finished steps."""
    module = importlib.import_module(sdk)
    handler = (coroutine if takes_coroutines(sdk, colour) else plain)(steps)
    durable = module.durable_execution(handler, boto3_client=Client())
    invocation, lambda_context = json.loads(event(sdk, steps)), LambdaContext()
    started = time.perf_counter()
    output = durable(invocation, lambda_context)
    elapsed = time.perf_counter() - started
    assert output["Status"] == "SUCCEEDED", output
    assert float(output["Result"]) == sum(small_result(n)["amount"] for n in range(1, steps + 1))
    return elapsed


def measure(sdk: str, steps: int, colour: Colour = "def", *, net: bool = False) -> float:
    """Microseconds per finished step; `net` of what an invocation over a single step costs."""
    fixed = seconds(sdk, 1, colour) if net else 0.0
    return (seconds(sdk, steps, colour) - fixed) / steps * 1e6


def floor(steps: int, colour: Colour = "def", *, net: bool = False) -> float:
    """Microseconds per turn of the same loop, over a method that returns what was made before."""
    del net  # nothing here is fixed
    asynchronous = colour == "async def"
    handler = (coroutine if asynchronous else plain)(steps)
    return stand_in.seconds(handler, stand_in.context(asynchronous=asynchronous)) / steps * 1e6
