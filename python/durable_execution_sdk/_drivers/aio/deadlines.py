"""Deadlines of asyncio around durable awaits are refused: real time cannot be replayed.

They are recognised by the callbacks that they register with the loop. Deadlines around plain I/O are nobody's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from durable_execution_sdk._drivers.aio import internals
from durable_execution_sdk._drivers.aio.promise import DurablePromise
from durable_execution_sdk._model.errors import ValidationError

_REFUSAL = (
    "{what} under an asyncio deadline (asyncio.timeout, wait_for, wait or as_completed with a timeout, anyio's scopes) "
    "cannot be replayed: real time passes differently in every run. Use `await ctx.promise.timeout(promise, duration)`,"
    " which is recorded and survives suspension"
)


class Deadlines:
    """The deadlines that are set in one invocation and not over yet."""

    def __init__(self) -> None:
        self.entries: list[tuple[asyncio.TimerHandle, internals.AnyTask | None, internals.AnyFuture | None]] = []
        """Handle, and the task or the future that it ends. The same list throughout: others look at it."""

    def __bool__(self) -> bool:
        return bool(self.entries)

    def note(
        self,
        handle: asyncio.TimerHandle,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        task: internals.AnyTask | None,
    ) -> None:
        """A timer was registered; remember it if it is a deadline of `task`, or of the future it will end."""
        holder = getattr(callback, "__self__", None)
        name = getattr(callback, "__qualname__", "")
        if isinstance(holder, asyncio.Timeout) or type(holder).__module__.startswith("anyio."):
            self.entries.append((handle, task, None))
        elif name == "_release_waiter" and args and asyncio.isfuture(args[0]):
            self.entries.append((handle, None, args[0]))
        elif "as_completed" in name or "_AsCompletedIterator" in name:
            self.entries.append((handle, task, None))

    def refuse(self, task: internals.AnyTask, what: str) -> None:
        """Raise ValidationError if the task itself is under a deadline."""
        if not self.entries:
            return
        self.entries[:] = [entry for entry in self.entries if not entry[0].cancelled()]
        if any(under is task for _, under, _ in self.entries):
            raise ValidationError(_REFUSAL.format(what=what))

    def refuse_waits(self, tasks: Iterable[internals.AnyTask], promises: Sequence[DurablePromise[Any]]) -> bool:
        """The loop is at rest: a promise that somebody under a deadline waits for, through whatever, is failed.

        Whether there was one.
        """
        self.entries[:] = [entry for entry in self.entries if not entry[0].cancelled()]
        behind: dict[internals.AnyFuture, list[internals.AnyFuture]] = {}
        for inner in (*tasks, *promises):
            for callback in internals.callbacks_of(inner):
                for outer in internals.futures_behind(callback):
                    behind.setdefault(outer, []).append(inner)
        for handle, task, waiter in self.entries:
            start = waiter if waiter is not None else task
            promise = None if start is None else _promise_behind(start, behind)
            if promise is not None:
                handle.cancel()
                promise.set_exception(ValidationError(_REFUSAL.format(what="Waiting for a durable operation")))
                internals.silence(promise)
                return True
        return False


def _promise_behind(
    start: internals.AnyFuture, behind: dict[internals.AnyFuture, list[internals.AnyFuture]]
) -> DurablePromise[Any] | None:
    seen: set[int] = set()
    todo = [start]
    while todo:
        future = todo.pop()
        if id(future) in seen or future.done():
            continue
        seen.add(id(future))
        if isinstance(future, DurablePromise):
            return future
        if isinstance(future, asyncio.Task):
            waiter = internals.waiter_of(future)
            todo.extend(internals.waited_set(future.get_coro()) or ([] if waiter is None else [waiter]))
        todo.extend(internals.children_of_gather(future) or ())
        todo.extend(behind.get(future, ()))
    return None
