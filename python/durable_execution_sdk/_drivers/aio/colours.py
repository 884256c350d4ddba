"""How user code of either colour runs under an event loop."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from durable_execution_sdk._drivers.aio.loop import DurableEventLoop
from durable_execution_sdk._drivers.bodies import is_async

_logger = logging.getLogger("durable_execution_sdk")

MAX_THREADS = 64
"""Most `def` bodies of one invocation that run at the same time; further ones wait for a free thread.

Bodies that are blocked in a durable operation do not count."""

FIRST_THREADS = 8
"""So many of them at first; bodies that wait for anything are joined by others within milliseconds."""

WATCH_SECONDS = 0.0005
"""If the loop rests for so long and none of the bodies that run has ended, there are twice as many threads."""


def is_expression(func: Any) -> bool:
    """Whether it is a lambda: it has no colour of its own, what it returns has."""
    return getattr(inspect.unwrap(func), "__name__", "") == "<lambda>"


class Workers:
    """The threads that run `def` bodies of one invocation. Started when needed, joined at its end."""

    def __init__(self, loop: DurableEventLoop, own: Callable[[threading.Thread], None]) -> None:
        self._loop = loop
        self._own = own
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._running = 0
        self._blocked = 0
        self._ended = 0
        self._most = FIRST_THREADS
        self._watched: tuple[float, int] | None = None

    async def call(self, func: Callable[..., Any], *args: Any) -> Any:
        """Run a blocking function on a thread, with the caller's context variables."""
        return await self.call_into(self._loop.create_future(), func, *args)

    async def call_into(self, done: asyncio.Future[Any], func: Callable[..., Any], *args: Any) -> Any:
        """The same, with a future of the caller's choice for the outcome."""
        context = contextvars.copy_context()

        def settle(value: Any, error: BaseException | None) -> None:
            self._running -= 1
            self._ended += 1
            if done.done():
                return
            if error is None:
                done.set_result(value)
            elif isinstance(error, StopIteration):
                done.set_exception(RuntimeError("a body raised StopIteration"))
            else:
                done.set_exception(error)

        def job() -> None:
            value, error = None, None
            try:
                value = context.run(func, *args)
            except BaseException as problem:
                error = problem
            try:
                # In the invocation's context: what is posted after its end is recognised by it, and dropped.
                self._loop.call_soon_threadsafe(settle, value, error, context=context)
            except RuntimeError:
                _logger.debug("the result of an abandoned body is dropped")

        self._running += 1
        self._grow()
        self._jobs.put(job)
        return await done

    def blocked(self) -> None:
        """A body waits for the loop: another may run, for it may be what the first one waits for."""
        self._blocked += 1
        self._grow()

    def unblocked(self) -> None:
        """It goes on."""
        self._blocked -= 1

    def watch(self) -> float | None:
        """The loop is about to rest: seconds until it is to ask again; None if there are threads enough.

        Bodies that take no time are done by a few threads, and more would only quarrel for the interpreter.
        """
        if self._running <= len(self._threads) or self._most >= MAX_THREADS:
            self._watched = None
            return None
        now = time.monotonic()
        if self._watched is not None and self._watched[1] == self._ended:
            left = self._watched[0] + WATCH_SECONDS - now
            if left > 0:
                return left
            self._most = min(self._most * 2, MAX_THREADS)
            self._grow()
        self._watched = now, self._ended
        return WATCH_SECONDS

    def _grow(self) -> None:
        while self._running > len(self._threads) and len(self._threads) - self._blocked < self._most:
            thread = threading.Thread(target=self._work, name="durable-body", daemon=True)
            self._threads.append(thread)
            self._own(thread)
            thread.start()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def close(self, *, abandon: bool) -> None:
        """Join the threads; `abandon` those that still run a body instead."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            if not abandon or self._running == 0:
                thread.join()
        if abandon and self._running:
            _logger.warning(
                "%d blocking bodies still run on threads although the invocation has to end before its deadline; they "
                "are abandoned and their results dropped.",
                self._running,
            )


async def call_any(workers: Workers, func: Callable[..., Any], *args: Any) -> Any:
    """Call user code of either colour: `async def` on the loop, anything else on a thread."""
    value = func(*args) if is_async(func) else await workers.call(func, *args)
    while inspect.isawaitable(value):
        value = await value
    return value


async def run_body(child: Any, func: Callable[..., Any], call: Callable[[Any], Any] | None = None) -> Any:
    """Call the body of a context in its own colour; `call` calls it, where it takes more than the context."""
    if not is_async(func) and not is_expression(func):
        return await child.run.run_def_body(child, call or func)
    value = (call or func)(child)
    while inspect.isawaitable(value):
        value = await value
    return value
