"""Promises made from an executor: a task that is started late, and numbers as if it had been started at once."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import Any

from durable_execution_sdk._drivers.aio import internals
from durable_execution_sdk._drivers.aio.promise import DurablePromise
from durable_execution_sdk._drivers.aio.scopes import Scopes


def starter(
    scopes: Scopes,
    loop: asyncio.AbstractEventLoop,
    promise: DurablePromise[Any],
    executor: Callable[[], Awaitable[Any]],
) -> Callable[[], None]:
    """Take the scope of the task now; what is returned starts the task and hands its outcome to the promise."""
    scope = scopes.reserve(executor, loop, "DurablePromise(executor)")
    variables = contextvars.copy_context()

    async def execute() -> Any:
        return await executor()

    def start() -> None:
        coroutine = execute()
        scopes.give(coroutine, scope)
        task = loop.create_task(coroutine, context=variables)
        promise.body = task
        task.add_done_callback(settle)

    def settle(task: asyncio.Task[Any]) -> None:
        if promise.done():
            if not task.cancelled():
                task.exception()  # asked for, so that nobody complains that it was not
        elif task.cancelled():
            asyncio.Future.cancel(promise)
        elif (error := task.exception()) is not None:
            promise.set_exception(error)
            internals.silence(promise)
        else:
            promise.set_result(task.result())

    return start
