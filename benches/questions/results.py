"""What does a finished step cost at replay when its result is large?"""

from __future__ import annotations

import importlib
import json
import time
from functools import cache
from typing import Any

from benches.events import Client, LambdaContext, event_text, finished_step
from benches.questions.replay import NAME, stored
from benches.questions.serdes import Kind, value
from benches.questions.shapes import Colour


@cache
def event(sdk: str, steps: int, kind: Kind) -> str:
    """A history of finished steps, each with a result of its own."""
    return event_text([finished_step(n, stored(sdk, value(kind, n)), NAME) for n in range(1, steps + 1)])


def measure(sdk: str, steps: int, kind: Kind, colour: Colour = "def") -> float:
    """Microseconds per finished step; the colour is that of our handler."""
    module = importlib.import_module(sdk)

    def never(_: object) -> object:
        raise AssertionError("a finished step ran again")

    def handler(_: object, context: object) -> int:
        step = context.step  # type: ignore[attr-defined]  # either SDK's context
        return sum(len(step(never, NAME)) for _ in range(steps))

    async def coroutine(_: object, context: Any) -> int:
        total = 0
        for _ in range(steps):
            total += len(await context.step(never, NAME))
        return total

    asynchronous = colour == "async def" and sdk == "durable_execution_sdk"
    chosen: Any = coroutine if asynchronous else handler
    durable = module.durable_execution(chosen, boto3_client=Client())
    invocation, lambda_context = json.loads(event(sdk, steps, kind)), LambdaContext()
    started = time.perf_counter()
    output = durable(invocation, lambda_context)
    elapsed = time.perf_counter() - started
    assert json.loads(output["Result"]) == steps * len(value(kind)), output
    return elapsed / steps * 1e6
