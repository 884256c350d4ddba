"""Retrying a piece of an async workflow: a loop over operations, as under `def` handlers."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from durable_execution_sdk._drivers.aio.context import AsyncDurableContext
from durable_execution_sdk._model.config import WithRetryConfig
from durable_execution_sdk._policy.naming import backoff_name

T = TypeVar("T")


def retry_async(
    context: AsyncDurableContext,
    func: Callable[[Any, int], Any],
    strategy: Callable[[Exception, int], Any],
    config: WithRetryConfig[Any],
    name: str | None,
) -> Awaitable[Any]:
    """The loop in a child context, or as a plain coroutine that numbers in the scope of the task that awaits it."""

    async def loop(inner: AsyncDurableContext) -> Any:
        run = 1
        while True:
            try:
                value = func(inner, run)
                while inspect.isawaitable(value):
                    value = await value
                return value
            except Exception as error:
                decision = strategy(error, run)
                if not decision.should_retry:
                    raise
            await inner.wait(decision.delay, backoff_name(name, run))
            run += 1

    if config.wrap_with_run_in_child_context:
        return context.run_in_child_context(loop, name, config.child_context_config)
    unwrapped: Coroutine[Any, Any, Any] = loop(context)
    return unwrapped
