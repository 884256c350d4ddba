"""Handlers that the tests of the command line run by name."""

from __future__ import annotations

import os
import signal
from typing import Any

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.config import Duration


@durable_execution
def double(event: Any, context: DurableContext) -> int:
    context.logger.info("a line of the handler's own")
    print("a print of the handler's own")
    value = context.step(lambda _: event["x"] * 2, name="double")
    context.wait(Duration.from_minutes(1), name="pause")
    return int(value)


@durable_execution
def failing(event: Any, context: DurableContext) -> None:
    raise ValueError("no such order")


@durable_execution
def approval(event: Any, context: DurableContext) -> str:
    callback = context.create_callback("approval")
    return str(callback.result())


@durable_execution
def interrupted(event: Any, context: DurableContext) -> str:
    context.step(lambda _: 1, name="first")
    if not os.path.exists(event["flag"]):
        with open(event["flag"], "w", encoding="ascii"):
            os.kill(os.getpid(), signal.SIGINT)
    return context.step(lambda _: "done", name="second")


def plain(event: Any, context: Any) -> None:
    """Not durable."""
