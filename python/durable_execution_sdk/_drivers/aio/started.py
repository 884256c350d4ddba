"""Operations that user code has started, for the asyncio driver: the twins of the thread driver's three shapes.

Each is told what is recorded, asks its operation for a verdict, and gives the verdict its effects. A recorded outcome
is handed to the delivery order and reaches user code when its turn comes.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import Any, Generic, TypeVar

from durable_execution_sdk._core import MISS, Record
from durable_execution_sdk._core import operation_id as id_at
from durable_execution_sdk._drivers.aio import internals
from durable_execution_sdk._drivers.aio.delivery import CREATED, FINISHED
from durable_execution_sdk._drivers.aio.promise import DurablePromise
from durable_execution_sdk._drivers.aio.run import Run
from durable_execution_sdk._drivers.aio.scopes import TaskScope
from durable_execution_sdk._drivers.codec import Codec
from durable_execution_sdk._drivers.threads import BackendOperation
from durable_execution_sdk._model.absent import AbsentRead, AbsentText
from durable_execution_sdk._model.errors import ChildContextError
from durable_execution_sdk._model.signals import (
    BackgroundThreadError,
    OrphanedChildException,
    SuspendExecution,
    Withheld,
)
from durable_execution_sdk._model.updates import OperationIdentifier, OperationUpdate
from durable_execution_sdk._operations.child import ChildOperation
from durable_execution_sdk._operations.identity import describe
from durable_execution_sdk._operations.verdicts import (
    Announce,
    Deliver,
    Enter,
    Escape,
    Found,
    Park,
    Settled,
    Throw,
)
from durable_execution_sdk._serdes.text import EXTENDED_TYPES_SERDES, checked_text, serdes_failure

T = TypeVar("T")

_logger = logging.getLogger("durable_execution_sdk")

_UNSET: Any = object()


class Started(Generic[T]):
    """One started operation and the promise of its outcome."""

    kind = FINISHED
    is_recorded = False
    promise_type: type[DurablePromise[Any]] = DurablePromise
    context: Any = None
    owner: Any = None
    """The context whose body it runs, if it runs one."""
    mapper: Callable[[Any], Exception] | None = None
    """What user code gets instead of a `ChildContextError`."""

    def __init__(self, run: Run, identity: OperationIdentifier, position: int | None, codec: Codec) -> None:
        self.run = run
        self.identity = identity
        self.position = position
        self.codec = codec
        self.due_ms: int | None = None
        self._context_vars = contextvars.copy_context()
        self.promise: DurablePromise[T] = self.promise_type(
            keeper=run, operation_id=identity.operation_id, loop=run.loop
        )
        self.promise.kind = self.kind
        self._value: Any = _UNSET
        self._verdict: Found | None = None

    @property
    def context_vars(self) -> contextvars.Context:
        """The variables that its body sees: those of the code that started it."""
        return self._context_vars

    def begin(self) -> None:
        """Look at the record for the first time."""
        try:
            self.advance()
        except Withheld:
            self.run.park_operation(self)

    def advance(self) -> None:
        """Look at the record and do what it asks for."""
        raise AssertionError("each shape advances in its own way")

    def start_body(self) -> None:
        """Run user code now: nothing recorded can be delivered."""
        raise AssertionError("only shapes with a body wait for their turn to start it")

    def recall(self) -> Record | None:
        """What is recorded, checked to be what the code attempts."""
        return self.run.state.recall(self.identity, self.position)

    def follow(self, verdict: Found, record: Record | None) -> None:
        """Act on what a record says."""
        if isinstance(verdict, Park):
            self.due_ms = verdict.due_ms
            if record is not None and record.status == "PENDING" and record.next_attempt_ms is not None:
                self.due_ms = record.next_attempt_ms
            self.run.park_operation(self)
            return
        self._verdict = verdict
        self.run.listen(self, None if record is None else self.event_ms(record))

    def event_ms(self, record: Record) -> int | None:
        """The time of the event that user code waits for."""
        return record.end_ms

    def deliver(self) -> None:
        """Settle the promise: its turn has come."""
        verdict = self._verdict
        if self.run.state.hooks is not None:
            self.run.state.hooks.operation_ended(self.identity.operation_id)
        if isinstance(verdict, Throw):
            self.fail(verdict.error)
        elif self._value is not _UNSET:
            self.resolve(self._value)
        elif isinstance(verdict, Deliver):
            self.decode(verdict.payload)

    def decode(self, payload: str | None) -> None:
        """Read the payload and settle the promise with it."""
        if payload is None:
            self.resolve(None)
            return
        if type(payload) is AbsentText:
            try:
                self.resolve(payload.stand_in())
            except AbsentRead as read:
                self.fail(read)
            return
        try:
            value = self.codec.serdes.deserialize(payload, self.codec.context())
        except Exception as error:
            self.fail(serdes_failure("deserialize", self.identity.operation_id, error))
            return
        if inspect.isawaitable(value):
            self.promise.body = self.run.spawn_body(self._decode_later(value), self, user=False)
        else:
            self.resolve(value)

    async def _decode_later(self, value: Awaitable[Any]) -> None:
        try:
            self.resolve(await value)
        except Exception as error:
            self.fail(serdes_failure("deserialize", self.identity.operation_id, error))

    def resolve(self, value: Any) -> None:
        """User code gets a value."""
        if not self.promise.done():
            self.promise.set_result(value)

    def fail(self, error: BaseException) -> None:
        """User code gets an error."""
        if self.mapper is not None and isinstance(error, ChildContextError):
            error = self.mapper(error)
        if not self.promise.done():
            self.promise.set_exception(error)
            internals.silence(self.promise)

    async def settle(self, settled: Settled) -> None:
        """Have the end of a body acknowledged, then look at the record again."""
        if settled.update is not None:
            await self.run.acknowledged(self.run.submit(settled.update))
        record = self.run.journal.find(self.identity.operation_id)
        then = settled.then
        if isinstance(then, Park) and record is not None and record.status != "PENDING":
            self.advance()  # the service was faster: the next attempt is due, or the operation has ended
        else:
            self.follow(then, record)

    def cancelled_itself(self) -> None:
        """User code raised `CancelledError` although nobody had cancelled the operation."""

    async def guarded(self, body: Callable[[], Awaitable[None]]) -> None:
        """Run a body of the SDK's; what ends sending ends the invocation, not the body alone."""
        try:
            await body()
        except Withheld:
            self.run.park_operation(self)
        except (BackgroundThreadError, SuspendExecution) as error:
            self.run.end_with(error)
        except OrphanedChildException:
            _logger.debug("%s ended after the context around it", describe(self.identity))
        except asyncio.CancelledError:
            if not self.promise.done():
                asyncio.Future.cancel(self.promise)
                self.cancelled_itself()
            raise
        except Exception as error:
            self.fail(error)
        except BaseException as error:
            self.run.end_with(error)


class Recorded(Generic[T]):
    """An operation that the replay lane has answered: only its delivery is left. Kept as small as that."""

    __slots__ = ("_value", "promise", "run")

    kind = FINISHED
    is_recorded = True
    context: Any = None
    owner: Any = None
    due_ms: int | None = None

    def __init__(self, run: Run, operation_id: str, value: Any) -> None:
        self.run = run
        self._value = value
        self.promise: DurablePromise[T] = DurablePromise(keeper=run, operation_id=operation_id, loop=run.loop)

    @property
    def identity(self) -> OperationIdentifier:
        """Never asked: the lane has compared it."""
        raise AssertionError("a recorded operation has been identified already")

    @property
    def context_vars(self) -> contextvars.Context:
        """Never asked: it runs no code."""
        raise AssertionError("a recorded operation runs no code")

    def begin(self) -> None:
        """Wait for the turn."""
        self.run.listen(self, None)

    advance = begin

    def start_body(self) -> None:
        """Never called: it has no body."""
        raise AssertionError("a recorded operation has no body")

    def deliver(self) -> None:
        """Settle the promise."""
        self.promise.set_result(self._value)


def replayed(
    context: Any,
    scope: TaskScope,
    promised: Callable[[Any, str | None], Any],
    replay: Callable[[str | None], Any],
    name: str | None,
) -> DurablePromise[Any] | None:
    """The promise of a finished operation, the next one in the scope; None if the lane of the scope has no answer.

    `promised` was asked already, by whoever did not know the scope yet; now it knows the caller. Where it does not
    answer nevertheless, because the call is made for a thread or somebody watches the lane, `replay` may.
    """
    if context.default_serdes is not None:
        return None
    promise: DurablePromise[Any] | None = promised(context, name)
    if promise is not None:
        return promise
    value = replay(name)
    if value is MISS:
        return None
    recorded: Recorded[Any] = Recorded(context.run, id_at(scope.core.prefix, scope.core.position), value)
    recorded.advance()
    return recorded.promise


# --- shape 1: backend only ---


class StartedBackend(Started[T]):
    """A wait or an invoke."""

    def __init__(
        self,
        run: Run,
        op: BackendOperation,
        position: int,
        codec: Codec,
        start: Callable[[], OperationUpdate | Awaitable[OperationUpdate]],
    ) -> None:
        super().__init__(run, op.identity, position, codec)
        self.op = op
        self._start = start

    def advance(self) -> None:
        record = self.recall()
        verdict = self.op.begin(record, self.run.state.clock.now_ms())
        if isinstance(verdict, Announce):
            update = self._start()
            if inspect.isawaitable(update):
                self.promise.body = self.run.spawn_body(self._announce_later(update), self, user=False)
            else:
                self.run.announce(self, update)
        else:
            self.follow(verdict, record)

    async def _announce_later(self, update: Awaitable[OperationUpdate]) -> None:
        async def announce() -> None:
            self.run.announce(self, await update)

        await self.guarded(announce)


class StartedCallback(StartedBackend[T]):
    """The creation of a callback; its promise is settled with what `made` makes of the id."""

    kind = CREATED
    made: Callable[[str], Any]

    def event_ms(self, record: Record) -> int | None:
        return record.start_ms

    def deliver(self) -> None:
        verdict = self._verdict
        if isinstance(verdict, Throw):
            self.fail(verdict.error)
        elif isinstance(verdict, Deliver):
            self.resolve(self.made(str(verdict.payload)))


class StartedResult(Started[T]):
    """The result of a callback that was created before."""

    def __init__(
        self,
        run: Run,
        identity: OperationIdentifier,
        codec: Codec,
        look: Callable[[Record | None], Deliver | Throw | Park],
    ) -> None:
        super().__init__(run, identity, 0, codec)
        self._look = look

    def advance(self) -> None:
        record = self.run.journal.find(self.identity.operation_id)
        self.follow(self._look(record), record)


# --- shape 3: scope ---


class StartedScope(Started[T]):
    """A child context, and everything that is built on one."""

    def __init__(
        self,
        run: Run,
        op: ChildOperation,
        position: int | None,
        codec: Codec,
        body: Callable[[Enter], Awaitable[Any]],
        summarise: Callable[[Any], str] | None,
        own: Callable[[object], None],
        left: Callable[[], None],
    ) -> None:
        super().__init__(run, op.identity, position, codec)
        self.op = op
        self._body = body
        self._summarise = summarise
        self._own = own
        self._left = left
        self.found: Record | None = None
        """What was recorded when it started."""

    def recall(self) -> Record | None:
        return self.run.state.recall(self.identity, self.position, is_virtual=self.op.is_virtual)

    def advance(self) -> None:
        record = self.found = self.recall()
        verdict = self.op.begin(record)
        if not isinstance(verdict, Enter):
            self.follow(verdict, record)
            return
        if verdict.announce is not None:
            if self.run.state.hooks is not None:
                self.run.state.hooks.operation_starting(verdict.announce)
            self.run.submit(verdict.announce)
        coroutine = self.guarded(lambda: self._run(verdict, None if record is not None else 1))
        self._own(coroutine)
        self.promise.body = self.run.spawn_body(coroutine, self, user=True)

    async def _run(self, entered: Enter, attempt: int | None) -> None:
        failed: Exception | None = None
        try:
            with around(self, attempt, reconstruct=entered.reconstruct):
                raw = await self._body(entered)
            payload = await encode(self.codec, raw)
            value = await decode(self.codec, payload)
            summary = ""
            if self._summarise is not None and self.op.summarises(payload, entered):
                summary = self._summarise(raw)
            self.codec.require_sendable(summary)
        except Exception as error:
            failed = error
        finally:
            self._left()
            if entered.reconstruct:
                self.run.order.leave(self.identity.operation_id)
        if failed is None:
            self._value = value
            settled = self.op.succeed(payload, summary, entered)
        elif isinstance(self.op.judge(failed), Escape):
            self.fail(failed)
            return
        else:
            settled = self.op.fail(failed, entered)
        if settled.update is not None:
            await self.settle(settled)
            return
        if self.run.state.hooks is not None:
            self.run.state.hooks.scope_ended(self.identity, failed, entered.reconstruct)
        if entered.reconstruct:
            self.follow(settled.then, self.run.journal.find(self.identity.operation_id))
        elif isinstance(settled.then, Throw):
            self.fail(settled.then.error)
        else:
            self.resolve(self._value)


# --- common ---


async def encode(codec: Codec, value: Any) -> str | None:
    """Write a value, or raise a serdes error; the serdes may be `async def`."""
    if codec.serdes is EXTENDED_TYPES_SERDES:
        return codec.encode(value)
    operation_id = codec.identity.operation_id
    try:
        text = codec.serdes.serialize(value, codec.context())
        if inspect.isawaitable(text):
            text = await text
    except AbsentRead as read:
        return read.written_back()
    except Exception as error:
        failure = serdes_failure("serialize", operation_id, error)
        if failure is error:
            raise
        raise failure from error
    return checked_text(text, operation_id)


async def decode(codec: Codec, text: str | None) -> Any:
    """Read a value, or raise a serdes error; no text is the value None."""
    if codec.serdes is EXTENDED_TYPES_SERDES:
        return codec.decode(text)
    if text is None:
        return None
    if type(text) is AbsentText:
        return text.stand_in()
    try:
        value = codec.serdes.deserialize(text, codec.context())
        if inspect.isawaitable(value):
            value = await value
    except Exception as error:
        failure = serdes_failure("deserialize", codec.identity.operation_id, error)
        if failure is error:
            raise
        raise failure from error
    return value


def around(started: Started[Any], attempt: int | None, *, reconstruct: bool = False) -> Any:
    hooks = started.run.state.hooks
    return nullcontext() if hooks is None else hooks.around_body(started.identity, attempt, reconstruct)
