"""Decorators that bind the arguments of a body now and leave its context for later."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from durable_execution_sdk._model.config import ParallelBranch
from durable_execution_sdk._model.contexts import StepContext, WaitForCallbackContext
from durable_execution_sdk._model.homes import public
from durable_execution_sdk._policy.naming import BOUND_NAME

Params = ParamSpec("Params")
C = TypeVar("C")
T = TypeVar("T")


@public("context")
def durable_step(func: Callable[Concatenate[StepContext, Params], T]) -> Callable[Params, Callable[[StepContext], T]]:
    """Write a step as a function with arguments of its own: calling it gives what `ctx.step` takes.

    The step is named after the function, unless `ctx.step` is given a name.

    Args:
        func: Takes a `StepContext` first.

    Example:
        >>> @durable_step
        ... def charge(step: StepContext, order_id: str) -> str:
        ...     return f"charged {order_id}"
        >>> receipt = ctx.step(charge("order-7"))
    """

    @functools.wraps(func)
    def bind(*args: Params.args, **kwargs: Params.kwargs) -> Callable[[StepContext], T]:
        return _named(lambda step: func(step, *args, **kwargs), func)

    return bind


@public("context")
def durable_with_child_context(
    func: Callable[Concatenate[C, Params], T],
) -> Callable[Params, Callable[[C], T]]:
    """Write the body of a child context as a function with arguments of its own.

    The child is named after the function, unless `ctx.run_in_child_context` is given a name.

    Args:
        func: Takes the child's context first; `def` or `async def`.

    Example:
        >>> @durable_with_child_context
        ... def settle(child: DurableContext, batch: list) -> int:
        ...     return child.step(lambda step: len(batch))
        >>> count = ctx.run_in_child_context(settle([1, 2, 3]))
    """

    @functools.wraps(func)
    def bind(*args: Params.args, **kwargs: Params.kwargs) -> Callable[[C], T]:
        return _named(lambda child: func(child, *args, **kwargs), func)

    return bind


@public("context")
def durable_parallel_branch(
    name: str | None = None,
) -> Callable[[Callable[Concatenate[C, Params], T]], Callable[Params, ParallelBranch[T]]]:
    """Write a branch of `ctx.parallel` as a function with arguments of its own.

    Args:
        name: Of the branch. None: `parallel-branch-<index>`, not the function's name (as in the official SDK 3.0.0).

    Example:
        >>> @durable_parallel_branch("mail")
        ... def mail(branch: DurableContext, address: str) -> str:
        ...     return branch.step(lambda step: address)
        >>> results = ctx.parallel([mail("a@example.org"), mail("b@example.org")])
    """

    def decorate(func: Callable[Concatenate[C, Params], T]) -> Callable[Params, ParallelBranch[T]]:
        @functools.wraps(func)
        def bind(*args: Params.args, **kwargs: Params.kwargs) -> ParallelBranch[T]:
            return ParallelBranch(_coloured(lambda branch: func(branch, *args, **kwargs), func), name)

        return bind

    return decorate


@public("context")
def durable_wait_for_callback(
    func: Callable[Concatenate[str, WaitForCallbackContext, Params], T],
) -> Callable[Params, Callable[[str, WaitForCallbackContext], T]]:
    """Write the submitter of `ctx.wait_for_callback` as a function with arguments of its own.

    The operation is named after the function, unless `ctx.wait_for_callback` is given a name.

    Args:
        func: Takes the callback id and a `WaitForCallbackContext` first.

    Example:
        >>> @durable_wait_for_callback
        ... def ask(callback_id: str, context: WaitForCallbackContext, approver: str) -> None:
        ...     context.logger.info("asking %s", approver)
        >>> answer = ctx.wait_for_callback(ask("ann@example.org"))
    """

    @functools.wraps(func)
    def bind(*args: Params.args, **kwargs: Params.kwargs) -> Callable[[str, WaitForCallbackContext], T]:
        return _named(lambda callback_id, context: func(callback_id, context, *args, **kwargs), func)

    return bind


_F = TypeVar("_F", bound=Callable[..., Any])


def _named(bound: _F, func: Callable[..., Any]) -> _F:
    setattr(bound, BOUND_NAME, func.__name__)
    return _coloured(bound, func)


def _coloured(bound: _F, func: Callable[..., Any]) -> _F:
    bound.__wrapped__ = func  # type: ignore[attr-defined]  # tells which colour the body has
    return bound
