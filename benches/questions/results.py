"""What does a finished step cost at replay when its result is large?"""

from __future__ import annotations

import importlib
import json
import time
from functools import cache

from benches.events import Client, LambdaContext, event_text, finished_step
from benches.questions.replay import NAME, stored
from benches.questions.serdes import Kind, value


@cache
def event(sdk: str, steps: int, kind: Kind) -> str:
    """A history of finished steps, each with a result of its own."""
    return event_text([finished_step(n, stored(sdk, value(kind, n)), NAME) for n in range(1, steps + 1)])


def measure(sdk: str, steps: int, kind: Kind) -> float:
    """Microseconds per finished step."""
    module = importlib.import_module(sdk)

    def never(_: object) -> object:
        raise AssertionError("a finished step ran again")

    def handler(_: object, context: object) -> int:
        step = context.step  # type: ignore[attr-defined]  # either SDK's context
        return sum(len(step(never, NAME)) for _ in range(steps))

    durable = module.durable_execution(handler, boto3_client=Client())
    invocation, lambda_context = json.loads(event(sdk, steps, kind)), LambdaContext()
    started = time.perf_counter()
    output = durable(invocation, lambda_context)
    elapsed = time.perf_counter() - started
    assert json.loads(output["Result"]) == steps * len(value(kind)), output
    return elapsed / steps * 1e6
