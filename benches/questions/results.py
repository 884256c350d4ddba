"""What does a finished step cost at replay when its result is large?"""

from __future__ import annotations

import importlib
import json
import time
from functools import cache
from typing import Any

from benches import stand_in
from benches.events import NAME, Client, Colour, LambdaContext, event_text, finished_step, stored, takes_coroutines
from benches.questions.serdes import Kind, value


@cache
def event(sdk: str, steps: int, kind: Kind) -> str:
    """A history of finished steps, each with a result of its own."""
    return event_text([finished_step(n, stored(sdk, value(kind, n)), NAME) for n in range(1, steps + 1)])


def never(_: object) -> object:
    """The body of what has finished."""
    raise AssertionError("a finished step ran again")


def plain(steps: int) -> Any:
    """The handler as `def`."""

    def handler(_: object, context: Any) -> int:
        step = context.step
        return sum(len(step(never, NAME)) for _ in range(steps))

    return handler


def coroutine(steps: int) -> Any:
    """The handler as `async def`."""

    async def handler(_: object, context: Any) -> int:
        total = 0
        for _ in range(steps):
            total += len(await context.step(never, NAME))
        return total

    return handler


def measure(sdk: str, steps: int, kind: Kind, colour: Colour = "def") -> float:
    """Microseconds per finished step; the colour is that of our handler."""
    module = importlib.import_module(sdk)
    handler = (coroutine if takes_coroutines(sdk, colour) else plain)(steps)
    durable = module.durable_execution(handler, boto3_client=Client())
    invocation, lambda_context = json.loads(event(sdk, steps, kind)), LambdaContext()
    started = time.perf_counter()
    output = durable(invocation, lambda_context)
    elapsed = time.perf_counter() - started
    assert json.loads(output["Result"]) == steps * len(value(kind)), output
    return elapsed / steps * 1e6


def floor(steps: int, kind: Kind, colour: Colour = "def") -> float:
    """Microseconds per turn of the same loop, over a method that returns what was made before."""
    del kind  # nothing is read
    asynchronous = colour == "async def"
    handler = (coroutine if asynchronous else plain)(steps)
    return stand_in.seconds(handler, stand_in.context(asynchronous=asynchronous)) / steps * 1e6
