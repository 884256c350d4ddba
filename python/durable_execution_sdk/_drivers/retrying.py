"""Retrying a piece of workflow: no operation of its own, a loop over operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from durable_execution_sdk._drivers.context import DurableContext
from durable_execution_sdk._model.config import WithRetryConfig
from durable_execution_sdk._model.homes import public
from durable_execution_sdk._policy.naming import backoff_name
from durable_execution_sdk._policy.retry import create_retry_strategy

T = TypeVar("T")


@public("retries")
def with_retry(
    context: DurableContext,
    func: Callable[[DurableContext, int], T],
    config: WithRetryConfig[T],
    name: str | None = None,
) -> T:
    """Run a function of several operations again until it succeeds, with durable waits in between.

    Each run is given a context and its number, from 1. Operations of a failed run stay in the history.

    Args:
        context: Where to run.
        func: Called with a context and the number of the run.
        config: Retry strategy (default: that of `create_retry_strategy()`), and whether all of it is wrapped in a
            child context (default: yes).
        name: Of the child context; the waits are named `<name>-backoff-<run>`.

    Raises:
        ChildContextError: The strategy gave up; `error_type` and `__cause__` tell why. Without the child context, the
            error of the last run itself.

    Example:
        >>> answer = with_retry(ctx, lambda ctx, run: ctx.step(lambda step: run), WithRetryConfig(), name="ask")
    """
    strategy = config.retry_strategy or create_retry_strategy()

    def loop(inner: DurableContext) -> T:
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
