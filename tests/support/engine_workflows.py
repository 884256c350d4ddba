"""Handlers that tests run on an engine, importable by child processes."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.config import CallbackConfig, Duration


@durable_execution
def greet(event: Any, context: DurableContext) -> str:
    name: str = context.step(lambda _: event["name"], name="read")
    context.wait(Duration.from_minutes(10), name="think")
    return f"Hello, {name}!"


@durable_execution
def await_callback(event: Any, context: DurableContext) -> Any:
    config = CallbackConfig(
        timeout=Duration.from_seconds(event.get("timeout", 0)),
        heartbeat_timeout=Duration.from_seconds(event.get("heartbeat", 0)),
    )
    callback = context.create_callback(name="approval", config=config)
    if "file" in event:
        context.step(lambda _: Path(event["file"]).write_text(callback.callback_id, encoding="utf-8"), name="publish")
    return callback.result()


@durable_execution
def call(event: Any, context: DurableContext) -> Any:
    return context.invoke(event["function"], event.get("payload"), name="call")


@durable_execution
def double(event: Any, context: DurableContext) -> Any:
    context.wait(Duration.from_seconds(5))
    if event == "fail":
        raise ValueError("cannot double that")
    return context.step(lambda _: event * 2, name="double")


def plain(event: Any, lambda_context: Any) -> Any:
    if event == "fail":
        raise KeyError("plain")
    return {"plain": event, "function": lambda_context.function_name}


@durable_execution
def dies(event: Any, context: DurableContext) -> str:
    """Kills its process in the first invocations."""
    marks = Path(event["marks"])
    done = len(marks.read_text(encoding="utf-8")) if marks.exists() else 0
    context.step(lambda _: None, name="before")
    if done < event["times"]:
        marks.write_text("x" * (done + 1), encoding="utf-8")
        if event.get("exit"):
            raise SystemExit(3)
        os.kill(os.getpid(), signal.SIGKILL)
    return f"alive after {done}"


@durable_execution
def raises_outside(event: Any, context: DurableContext) -> str:
    """Ends its invocations with what the service answers by invoking again."""
    from durable_execution_sdk.exceptions import InvocationError

    raise InvocationError("try again")


@durable_execution
def process_id(event: Any, context: DurableContext) -> int:
    print("said on standard output")
    process: int = context.step(lambda _: os.getpid(), name="pid")
    context.wait(Duration.from_seconds(1))
    return process


def stays(event: Any, lambda_context: Any) -> None:
    """Waits for ever: for the end of its process."""
    Path(event).write_text("here", encoding="utf-8")
    threading.Event().wait()
