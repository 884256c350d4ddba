"""Retrying a piece of workflow: no operation of its own, a loop over operations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from durable_execution_sdk._drivers.bodies import is_async
from durable_execution_sdk._drivers.context import DurableContext
from durable_execution_sdk._model.checks import check_callable, check_config, refusal
from durable_execution_sdk._model.config import WithRetryConfig
from durable_execution_sdk._model.errors import ValidationError
from durable_execution_sdk._model.homes import public
from durable_execution_sdk._policy.naming import backoff_name
from durable_execution_sdk._policy.retry import create_retry_strategy

if TYPE_CHECKING:
    from durable_execution_sdk._drivers.aio.context import AsyncDurableContext

T = TypeVar("T")


@overload
def with_retry(
    context: AsyncDurableContext,
    func: Callable[[AsyncDurableContext, int], Awaitable[T]],
    config: WithRetryConfig[T],
    name: str | None = None,
) -> Awaitable[T]: ...
@overload
def with_retry(
    context: AsyncDurableContext,
    func: Callable[[DurableContext, int], T],
    config: WithRetryConfig[T],
    name: str | None = None,
) -> Awaitable[T]: ...
@overload
def with_retry(
    context: DurableContext,
    func: Callable[[DurableContext, int], T],
    config: WithRetryConfig[T],
    name: str | None = None,
) -> T: ...
@public("retries")
def with_retry(
    context: Any,
    func: Callable[[Any, int], Any],
    config: WithRetryConfig[Any],
    name: str | None = None,
) -> Any:
    """Run a function of several operations again until it succeeds, with durable waits in between.

    Each run is given a context and its number, from 1. Operations of a failed run stay in the history.

    With an async context the call returns what has to be awaited: a promise of the child context, or without that a
    coroutine, whose operations number in the task that awaits it.

    Args:
        context: Where to run.
        func: Called with a context and the number of the run. Under an async context a `def` function runs on a thread
            with a `DurableContext` of its own, for which the child context is needed.
        config: Retry strategy (default: that of `create_retry_strategy()`), and whether all of it is wrapped in a
            child context (default: yes).
        name: Of the child context; the waits are named `<name>-backoff-<run>`.

    Raises:
        ValidationError: A `def` function under an async context, without the child context.
        ChildContextError: The strategy gave up; `error_type` and `__cause__` tell why. Without the child context, the
            error of the last run itself.

    Example:
        >>> answer = with_retry(ctx, lambda ctx, run: ctx.step(lambda step: run), WithRetryConfig(), name="ask")
    """
    check_callable("func", func)
    if config is None:
        raise refusal("config", config, "a WithRetryConfig")
    check_config(config, WithRetryConfig)
    strategy = config.retry_strategy or create_retry_strategy()

    if not isinstance(context, DurableContext):
        from durable_execution_sdk._drivers.aio.colours import is_expression
        from durable_execution_sdk._drivers.aio.retrying import retry_async

        if is_async(func) or is_expression(func):
            return retry_async(context, func, strategy, config, name)
        if not config.wrap_with_run_in_child_context:
            raise ValidationError(
                "with_retry without a child context takes an async def function under an async context, got the def "
                f"function {getattr(func, '__qualname__', func)!r}. Write it async def, or leave "
                "wrap_with_run_in_child_context at True"
            )

    def loop(inner: DurableContext) -> Any:
        run = 1
        while True:
            try:
                return func(inner, run)
            except Exception as error:
                decision = strategy(error, run)
                if not decision.should_retry:
                    raise
            inner.wait(decision.delay, backoff_name(name, run))
            run += 1

    if config.wrap_with_run_in_child_context:
        return context.run_in_child_context(loop, name, config.child_context_config)
    return loop(context)
