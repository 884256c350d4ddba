"""The handle of a callback under asyncio."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from durable_execution_sdk._drivers.aio.promise import DurablePromise
from durable_execution_sdk._model.homes import public

T = TypeVar("T")


@public("aio")
class AsyncCallback(Generic[T]):
    """The handle of a callback that somebody outside completes; unpacks as `(promise, callback_id)`.

    Attributes:
        callback_id: What to hand out.
    """

    __slots__ = ("_promise", "_start", "callback_id")

    def __init__(self, callback_id: str, start: Callable[[], DurablePromise[T]]) -> None:
        self.callback_id = callback_id
        self._start = start
        self._promise: DurablePromise[T] | None = None

    def result(self) -> DurablePromise[T]:
        """What the callback is completed with. Takes no id and writes nothing.

        The promise raises `CallbackExternalError` if whoever completed it reported a failure, `CallbackTimeoutError`
        if a timeout passed.
        """
        if self._promise is None:
            self._promise = self._start()
        return self._promise

    def __iter__(self) -> Iterator[Any]:
        yield self.result()
        yield self.callback_id
