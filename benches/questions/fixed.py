"""What does an invocation cost that does nothing, or that suspends at once?"""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable
from typing import Any, Literal

from benches import stand_in
from benches.events import Client, Colour, LambdaContext, event_text, open_wait, takes_coroutines

Ending = Literal["empty", "suspending"]
STATUS = {"empty": "SUCCEEDED", "suspending": "PENDING"}


def plain(ending: Ending, duration: object) -> Any:
    """The handler as `def`."""

    def handler(_: object, context: Any) -> None:
        if ending == "suspending":
            context.wait(duration)

    return handler


def coroutine(ending: Ending, duration: object) -> Any:
    """The handler as `async def`."""

    async def handler(_: object, context: Any) -> None:
        if ending == "suspending":
            await context.wait(duration)

    return handler


def measure(sdk: str, ending: Ending, colour: Colour = "def") -> float:
    """Milliseconds per invocation: `empty` returns at once, `suspending` comes upon a wait that is not over."""
    module = importlib.import_module(sdk)
    duration = importlib.import_module(f"{sdk}.config").Duration.from_hours(1)
    handler = (coroutine if takes_coroutines(sdk, colour) else plain)(ending, duration)
    return median(module.durable_execution(handler, boto3_client=Client()), ending)


def floor(ending: Ending, colour: Colour = "def") -> float:
    """Milliseconds of the thinnest function around the handler that knows how to end."""
    asynchronous = colour == "async def"
    handler = (coroutine if asynchronous else plain)(ending, None)
    given = stand_in.context(asynchronous=asynchronous)
    if ending == "suspending":
        given.wait = stand_in.returning(stand_in.future()) if asynchronous else stand_in.suspend

    def thin(event: dict[str, Any], _: LambdaContext) -> dict[str, Any]:
        try:
            handler(event, given)
        except stand_in.Suspended:
            return {"Status": "PENDING"}
        return {"Status": "SUCCEEDED", "Result": "null"}

    def thin_loop(event: dict[str, Any], _: LambdaContext) -> dict[str, Any]:
        if stand_in.drive(handler(event, given)):
            return {"Status": "SUCCEEDED", "Result": "null"}
        return {"Status": "PENDING"}

    return median(thin_loop if asynchronous else thin, ending)


def median(durable: Callable[[dict[str, Any], LambdaContext], dict[str, Any]], ending: Ending, times: int = 5) -> float:
    """Milliseconds of the middle one of so many invocations."""
    text = event_text([open_wait(1)] if ending == "suspending" else [])
    elapsed = []
    for _ in range(times):
        invocation, lambda_context = json.loads(text), LambdaContext()
        started = time.perf_counter()
        output = durable(invocation, lambda_context)
        elapsed.append(time.perf_counter() - started)
        assert output["Status"] == STATUS[ending], output
    return sorted(elapsed)[len(elapsed) // 2] * 1e3
