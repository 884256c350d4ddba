"""The colour of user code, and `async def` bodies under a `def` handler: each runs on an event loop of its own."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Coroutine
from types import CoroutineType, FunctionType
from typing import Any


def is_async(func: Any) -> bool:
    """Whether calling it gives a coroutine: `async def`, also behind decorators, partials and callable objects.

    An `async def` around a `def` function is one, and so is a `def` decorator that hands a coroutine through.
    """
    if type(func) is FunctionType and not func.__dict__:  # neither wraps another nor is marked as a coroutine function
        return bool(func.__code__.co_flags & inspect.CO_COROUTINE)
    while isinstance(func, functools.partial):
        func = func.func
    if inspect.iscoroutinefunction(func):
        return True
    func = inspect.unwrap(func)
    called = getattr(type(func), "__call__", None)  # noqa: B004  # its colour is asked for, not its existence
    return inspect.iscoroutinefunction(func) or inspect.iscoroutinefunction(called)


def settle(value: Any) -> Any:
    """The value of a body; a coroutine of an `async def` body is run to its end first."""
    return _run(value) if isinstance(value, CoroutineType) else value


def runs_a_loop() -> bool:
    """Whether this thread runs an event loop already (a notebook, a web server).

    A question of its own, so that no user code is run while asyncio's refusal is being handled: that would be the
    `__context__` of every error.
    """
    import asyncio  # a quarter of the package's import, and most `def` handlers have no `async def` body

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    import asyncio

    if runs_a_loop():
        return _run_beside(coroutine)
    with asyncio.Runner() as runner:
        return runner.run(coroutine)


def _run_beside(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """This thread runs a loop already (a notebook, a web server): a joined thread runs the body."""
    import asyncio
    import contextvars
    import threading

    outcome: list[Any] = []
    context = contextvars.copy_context()

    def run() -> None:
        try:
            with asyncio.Runner() as runner:
                outcome.extend((runner.run(coroutine, context=context), None))
        except BaseException as error:  # raised again in the thread that waits
            outcome[:] = (None, error)

    thread = threading.Thread(target=run, name="durable-body")
    thread.start()
    thread.join()
    value, error = outcome
    if error is not None:
        raise error
    return value
