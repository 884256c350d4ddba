"""What does the SDK add to a step that runs for the first time?"""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable
from typing import Any

from benches import stand_in
from benches.events import STEP_UPDATES, Client, Colour, LambdaContext, event_text, takes_coroutines

STEPS = 30


class Handlers:
    """The handler in both colours, and what its steps took after the first one, which an SDK may start more with."""

    def __init__(self, client: Client, steps: int) -> None:
        self.client = client
        self.steps = steps
        self.spent_s = 0.0
        """Beyond the time in the client."""
        self.requests = 0

    def plain(self, _: object, context: Any) -> None:
        """As `def`."""
        context.step(lambda _: 0)
        self._count(-1)
        for number in range(self.steps):
            context.step(lambda _, number=number: {"order": number})
        self._count(1)

    async def coroutine(self, _: object, context: Any) -> None:
        """As `async def`."""
        await context.step(lambda _: 0)
        self._count(-1)
        for number in range(self.steps):
            await context.step(lambda _, number=number: {"order": number})
        self._count(1)

    def _count(self, sign: int) -> None:
        self.spent_s += sign * (time.perf_counter() - self.client.busy_s)
        self.requests += sign * self.client.requests


def measure(sdk: str, latency_ms: int, colour: Colour = "def") -> float:
    """Milliseconds per step beyond the time that the service takes for one request."""
    added, _ = run(sdk, latency_ms, STEPS, colour)
    return added


def run(sdk: str, latency_ms: int, steps: int, colour: Colour = "def") -> tuple[float, float]:
    """Milliseconds added per step, and requests per step."""
    module = importlib.import_module(sdk)
    client = Client(latency_ms / 1000)
    handlers = Handlers(client, steps)
    handler = handlers.coroutine if takes_coroutines(sdk, colour) else handlers.plain
    output = module.durable_execution(handler, boto3_client=client)(json.loads(event_text([])), LambdaContext())
    assert output["Status"] == "SUCCEEDED", output
    return handlers.spent_s / steps * 1e3, handlers.requests / steps


def floor(latency_ms: int, colour: Colour = "def") -> float:
    """Milliseconds per step of the body and the client's call with its updates, beyond the time in the client."""
    client = Client(latency_ms / 1000)
    handlers = Handlers(client, STEPS)

    def step(body: Callable[[object], object]) -> object:
        result = body(None)
        stand_in.acknowledge(client, STEP_UPDATES)
        return result

    async def awaited(body: Callable[[object], object]) -> object:
        return step(body)

    given = stand_in.Context(None)
    given.step = awaited if colour == "async def" else step
    stand_in.seconds(handlers.coroutine if colour == "async def" else handlers.plain, given, times=1)
    assert handlers.requests == STEPS
    return handlers.spent_s / STEPS * 1e3
