"""`ctx.promise`: combinations of durable promises whose outcome is recorded.

Each is a child context whose body waits for the promises, so that its result or error answers at replay, whatever the
promises do then. The id is taken at the call; the body starts when somebody first awaits the combination.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from durable_execution_sdk._core import Record
from durable_execution_sdk._drivers.aio.promise import DurablePromise, LazyPromise
from durable_execution_sdk._drivers.aio.started import StartedScope
from durable_execution_sdk._drivers.codec import Codec
from durable_execution_sdk._drivers.context import require_seconds
from durable_execution_sdk._model.checks import refusal
from durable_execution_sdk._model.duration import DurationLike
from durable_execution_sdk._model.enums import OperationSubType, OperationType
from durable_execution_sdk._model.errors import (
    ChildContextError,
    PromiseCombinatorError,
    PromiseTimeoutError,
    ValidationError,
)
from durable_execution_sdk._model.homes import public
from durable_execution_sdk._model.settled import SettledResult, settled_record
from durable_execution_sdk._operations.verdicts import Enter
from durable_execution_sdk._serdes.text import EXTENDED_TYPES_SERDES

T = TypeVar("T")


@public("aio")
class Combinators:
    """Waits for several durable promises; `ctx.promise` of an async context.

    Every method takes its operation's id at the call and starts when it is first awaited. Promises that lose a race are
    not cancelled.
    """

    __slots__ = ("_context",)

    def __init__(self, context: Any) -> None:
        self._context = context

    def all(self, promises: Iterable[asyncio.Future[T]], name: str | None = None) -> DurablePromise[list[T]]:
        """All results, in the order given.

        Args:
            promises: Durable promises or tasks.
            name: Shown in the history.

        Returns:
            A promise. It raises `PromiseCombinatorError` as soon as one of them fails; `__cause__` is its error.

        Example:
            >>> stock, price = await ctx.promise.all([ctx.step(look), ctx.step(ask)])
        """
        futures = _futures(promises)

        async def body(_: Any, only: int | None) -> list[T]:
            await _first(futures, asyncio.FIRST_EXCEPTION)
            for future in futures:
                if future.done() and (error := _error(future)) is not None:
                    raise error
            return [future.result() for future in futures]

        return self._combine("all", name, body)

    def all_settled(
        self, promises: Iterable[asyncio.Future[T]], name: str | None = None
    ) -> DurablePromise[list[SettledResult[T]]]:
        """How each of them ended, in the order given; failures do not raise.

        Args:
            promises: Durable promises or tasks.
            name: Shown in the history.

        Example:
            >>> ends = await ctx.promise.all_settled([ctx.step(look), ctx.step(ask)])
            >>> [end.value for end in ends if end.status == "fulfilled"]
        """
        futures = _futures(promises)

        async def body(_: Any, only: int | None) -> list[dict[str, Any]]:
            await _first(futures, asyncio.ALL_COMPLETED)
            return [
                settled_record(None if (error := _error(future)) is not None else future.result(), error)
                for future in futures
            ]

        return self._combine("all_settled", name, body, serdes=_SettledSerDes)

    def any(self, promises: Iterable[asyncio.Future[T]], name: str | None = None) -> DurablePromise[T]:
        """The first result.

        Args:
            promises: Durable promises or tasks.
            name: Shown in the history.

        Returns:
            A promise. It raises `PromiseCombinatorError` if all of them fail.

        Example:
            >>> answer = await ctx.promise.any([ctx.invoke("near"), ctx.invoke("far")])
        """
        futures = _futures(promises)
        winner = _Winner()

        async def body(_: Any, only: int | None) -> T:
            waiting = futures if only is None else [futures[only]]
            while waiting:
                await _first(waiting, asyncio.FIRST_COMPLETED)
                for future in waiting:
                    if future.done() and _error(future) is None:
                        winner.index = futures.index(future)
                        return future.result()
                waiting = [future for future in waiting if not future.done()]
            told = "; ".join(f"{type(error).__name__}: {error}" for error in map(_error, futures))
            raise PromiseCombinatorError(f"all {len(futures)} promises failed: {told}")

        return self._combine("any", name, body, winner)

    def race(self, promises: Iterable[asyncio.Future[T]], name: str | None = None) -> DurablePromise[T]:
        """The result or error of whichever ends first.

        Args:
            promises: Durable promises or tasks; at least one.
            name: Shown in the history.

        Returns:
            A promise. It raises `PromiseCombinatorError` if the first to end fails; `__cause__` is its error.

        Raises:
            ValidationError: There is none.

        Example:
            >>> first = await ctx.promise.race([ctx.step(near), ctx.step(far)])
        """
        futures = _futures(promises)
        if not futures:
            raise ValidationError("ctx.promise.race was given no promises, so it would never end; pass at least one")
        winner = _Winner()

        async def body(_: Any, only: int | None) -> T:
            waiting = futures if only is None else [futures[only]]
            await _first(waiting, asyncio.FIRST_COMPLETED)
            ended = next(future for future in waiting if future.done())
            winner.index = futures.index(ended)
            return _outcome(ended)

        return self._combine("race", name, body, winner)

    def timeout(self, promise: asyncio.Future[T], duration: DurationLike, name: str | None = None) -> DurablePromise[T]:
        """The outcome of a promise if it comes in time: the durable `asyncio.wait_for`, which survives suspension.

        Args:
            promise: A durable promise or a task; it is cancelled when the time is over.
            duration: At least one second, counted from when this is first awaited.
            name: Shown in the history.

        Returns:
            A promise. It raises `PromiseTimeoutError` (a `TimeoutError`) when the time is over, and
            `PromiseCombinatorError` if the promise fails before that.

        Raises:
            ValidationError: The duration is shorter than a second.

        Example:
            >>> answer = await ctx.promise.timeout(ctx.wait_for_callback(ask), {"hours": 4})
        """
        (future,) = _futures([promise])
        seconds = require_seconds(duration)

        async def body(child: Any, only: int | None) -> T:
            waiting: list[asyncio.Future[Any]] = [future] if only is not None else [future, child.wait(duration)]
            await _first(waiting, asyncio.FIRST_COMPLETED)
            if not future.done():
                raise PromiseTimeoutError(f"the promise did not settle within {seconds} seconds")
            return _outcome(future)

        def over() -> None:
            future.cancel()

        return self._combine("timeout", name, body, _Winner(), over=over)

    def _combine(
        self,
        what: str,
        name: str | None,
        wait: Callable[[Any, int | None], Awaitable[Any]],
        winner: _Winner | None = None,
        serdes: Callable[[Any], Any] = lambda inner: inner,
        over: Callable[[], None] | None = None,
    ) -> DurablePromise[Any]:
        context, run = self._context, self._context.run
        scope = context._caller(f"ctx.promise.{what}")
        sub_type = OperationSubType.RUN_IN_CHILD_CONTEXT.value
        identity, position = context._begin(scope, OperationType.CONTEXT, sub_type, name)
        child = context.create_child_context(identity.operation_id, replaying=scope.core.replaying)

        async def body(entered: Enter) -> Any:
            record: Record | None = run.journal.find(identity.operation_id)
            only = _winner_of(record) if entered.reconstruct and winner is not None else None
            return await wait(child, only)

        def own(coroutine: object) -> None:
            child.own_scope = run.scopes.own(coroutine, child, child.scope)

        def raised(error: ChildContextError) -> Exception:
            cause = error.__cause__
            if over is not None and isinstance(cause, PromiseTimeoutError):
                over()
                return cause
            combined = PromiseCombinatorError(error.message, error.error_type, error.data, error.stack_trace)
            combined.__cause__ = cause
            return combined

        codec = Codec(serdes(context.default_serdes or EXTENDED_TYPES_SERDES), context.state, identity)
        started: StartedCombination = StartedCombination(
            run,
            context.state.child_operation(identity),
            position,
            codec,
            body,
            None if winner is None else lambda _: json.dumps({"winner": winner.index}),
            own,
            lambda: run.abandon(child),
        )
        started.owner = child
        started.mapper = raised
        promise = started.promise
        assert isinstance(promise, LazyPromise)  # the class says so below
        promise.start = lambda: run.start(started, context)
        scope.core.end(identity.operation_id)
        return promise


class StartedCombination(StartedScope[Any]):
    """A combination; it is started by whoever first awaits its promise."""

    promise_type = LazyPromise


class _Winner:
    """Which promise settled a combination, for outcomes too large to be kept."""

    index = 0


class _SettledSerDes:
    """Reads the entries of `all_settled` as what user code gets."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def serialize(self, value: Any, context: Any) -> Any:
        return self._inner.serialize(value, context)

    def deserialize(self, data: str, context: Any) -> Any:
        found = self._inner.deserialize(data, context)
        return _settled_later(found) if inspect.isawaitable(found) else _settled(found)


def _settled(entries: list[dict[str, Any]]) -> list[SettledResult[Any]]:
    return [SettledResult.from_recorded(entry) for entry in entries]


async def _settled_later(entries: Awaitable[list[dict[str, Any]]]) -> list[SettledResult[Any]]:
    return _settled(await entries)


def _futures(promises: Iterable[asyncio.Future[T]]) -> list[asyncio.Future[T]]:
    futures = list(promises)
    for position, future in enumerate(futures):
        if not asyncio.isfuture(future):
            raise refusal(f"promises[{position}]", future, "a durable promise or a task (asyncio.create_task(...))")
    return futures


async def _first(futures: Sequence[asyncio.Future[Any]], until: str) -> None:
    if futures:
        await asyncio.wait(futures, return_when=until)


def _error(future: asyncio.Future[Any]) -> Exception | None:
    """The error that a promise ended with; that it was cancelled is one, too."""
    if future.cancelled():
        return PromiseCombinatorError("the promise was cancelled", "CancelledError")
    error = future.exception()
    if error is not None and not isinstance(error, Exception):
        raise error
    return error


def _outcome(future: asyncio.Future[T]) -> T:
    error = _error(future)
    if error is not None:
        raise error
    return future.result()


def _winner_of(record: Record | None) -> int | None:
    try:
        found = json.loads((record and record.result) or "null")
    except ValueError:
        return None
    return found.get("winner") if isinstance(found, dict) else None
