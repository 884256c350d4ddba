"""Async service clients under drivers that send from plain threads."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from durable_execution_sdk._drivers.bodies import runs_a_loop

if TYPE_CHECKING:
    import asyncio  # imported by the first awaitable only


class OwnLoop:
    """One event loop, run by whichever thread has something to await, one at a time.

    An async client keeps its sessions and sockets bound to one loop, so each call must find the same one again. Nothing
    of it runs between calls, and no thread is kept for it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = os.getpid()

    def value(self, answer: Any) -> Any:
        """The answer of a client, awaited if it is awaitable."""
        if not hasattr(answer, "__await__"):
            return answer
        return self._run_beside(answer) if runs_a_loop() else self._run(answer)

    def _run(self, answer: Awaitable[Any]) -> Any:
        with self._lock:
            return self._current().run_until_complete(_settled(answer))

    def _run_beside(self, answer: Awaitable[Any]) -> Any:
        """This thread runs a loop already (a notebook, a web server): a joined thread runs ours."""
        import contextvars

        outcome: list[Any] = []
        context = contextvars.copy_context()

        def run() -> None:
            try:
                outcome.extend((context.run(self._run, answer), None))
            except BaseException as error:  # raised again in the thread that waits
                outcome.extend((None, error))

        thread = threading.Thread(target=run, name="durable-client")
        thread.start()
        thread.join()
        value, error = outcome
        if error is not None:
            raise error
        return value

    def _current(self) -> asyncio.AbstractEventLoop:
        if self._loop is None or self._process != os.getpid():  # a loop does not survive a fork
            import asyncio

            self._loop = asyncio.new_event_loop()
            self._process = os.getpid()
            weakref.finalize(self, self._loop.close)
        return self._loop


async def _settled(answer: Awaitable[Any]) -> Any:
    return await answer
