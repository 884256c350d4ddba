"""What operations of an async context return."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from durable_execution_sdk._core import identify, identity, promise_base, withdraw
from durable_execution_sdk._model.errors import ValidationError
from durable_execution_sdk._model.homes import public

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    _Base = asyncio.Future
else:
    _Base = promise_base()

T = TypeVar("T")

BELONGS: ContextVar[Any] = ContextVar("durable_execution_sdk_run", default=None)
"""Which run the current code belongs to; parking finds a handler's callbacks by it."""


class Keeper(Protocol):
    """Whoever made the promise and will settle it."""

    def awaited(self, promise: DurablePromise[Any]) -> None:
        """Somebody is about to wait for it; it may be settled on the spot."""

    def cancelled(self, promise: DurablePromise[Any]) -> None:
        """Nobody wants it any more."""


@public("aio")
class DurablePromise(_Base[T]):
    """The outcome of a durable operation: started when it is made, awaited any number of times.

    Made from an executor, `DurablePromise(function)`, it calls that when it is first awaited: `async def`, without
    arguments. Its operations number as those of a task that was made together with the promise.

    It is an `asyncio.Future`: `gather`, `wait`, `shield`, `TaskGroup` and the rest take it. Cancelling it, or the task
    that awaits it, stops the code it runs and records nothing; what the service does for it (a timer, a callback, an
    invoke) goes on there.

    Example:
        >>> first = ctx.step(fetch, name="first")
        >>> second = ctx.step(fetch, name="second")
        >>> both = [await first, await second]
    """

    # Promises of finished operations are made by the lane, past the constructor: they have what stands here.
    _keeper: Keeper | None = None
    kind: int = 1
    body: asyncio.Future[Any] | None = None
    start: Callable[[], None] | None = None

    def __init__(
        self,
        executor: Callable[[], Awaitable[T]] | None = None,
        *,
        keeper: Keeper | None = None,
        operation_id: str = "",
        loop: AbstractEventLoop | None = None,
    ) -> None:
        """Args: `executor` is called in a task of its own when the promise is first awaited; the rest is the SDK's."""
        super().__init__(loop=loop)
        self._keeper = keeper
        if operation_id:
            identify(self, operation_id)
        if executor is not None:
            run = BELONGS.get()
            if run is None:
                raise ValidationError("DurablePromise(executor) was made outside a durable handler; make it in one")
            self.__class__ = LazyPromise  # the one class of promises that start later
            self.start = run.starter(self, executor)

    @property
    def operation_id(self) -> str:
        """Id of the operation in the history."""
        return identity(self)

    @property
    def is_executed(self) -> bool:
        """Whether the operation has been started; only promises that are made from an executor start later."""
        return True

    def cancel(self, msg: Any | None = None) -> bool:
        """Stop what it runs and record nothing. False if the outcome is there already."""
        keeper = self._keeper
        if keeper is None:
            withdraw(self)
        elif not self.done():
            keeper.cancelled(self)
        return super().cancel(msg)

    def detach(self) -> None:
        """The handler is parked or over: from now on the promise keeps nothing alive."""
        self._keeper = None

    def _awaited(self) -> None:
        # Called by `__await__`, which is the base's, for promises that the lane has not made.
        if self._keeper is not None and not self.done():
            self._keeper.awaited(self)

    def __repr__(self) -> str:
        state = "pending" if not self.done() else "cancelled" if self.cancelled() else "done"
        return f"<DurablePromise {state} operation={self.operation_id[:12]}>"


class LazyPromise(DurablePromise[T]):
    """A promise whose operation starts when somebody first awaits it, or adds a callback for its end."""

    @property
    def is_executed(self) -> bool:
        """Whether the operation has been started."""
        return self.start is None

    def cancel(self, msg: Any | None = None) -> bool:
        """Stop what it runs; what was never started never will be."""
        self.start = None
        if self._keeper is None and self.body is not None:
            self.body.cancel()
        return super().cancel(msg)

    def add_done_callback(self, fn: Callable[..., object], /, *, context: Context | None = None) -> None:
        """Call `fn` when the outcome is there; starts the operation."""
        self._begin()
        super().add_done_callback(fn, context=context)

    def __await__(self) -> Generator[Any, None, T]:
        self._begin()
        return super().__await__()

    __iter__ = __await__

    def _begin(self) -> None:
        start, self.start = self.start, None
        if start is not None:
            start()
