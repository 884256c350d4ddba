"""One invocation over a recorded history, in which no body of an operation runs and nothing is sent."""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

from durable_execution_sdk._core import Record as CoreRecord
from durable_execution_sdk._core import Request, Scope
from durable_execution_sdk._drivers.hooks import InvocationFacts, Lane
from durable_execution_sdk._drivers.invocation import DurableFunction
from durable_execution_sdk._model.enums import OperationType
from durable_execution_sdk._model.errors import ErrorObject, NonDeterministicExecutionError
from durable_execution_sdk._model.signals import Withheld
from durable_execution_sdk._model.updates import OperationIdentifier, OperationUpdate
from durable_execution_sdk._operations.batch import BatchOperation
from durable_execution_sdk.replay.comparing import Record, Shape, had_failed, shape_of
from durable_execution_sdk.replay.histories import History

_STANDARD_LIBRARY = str(Path(os.__file__).parent) + os.sep
_PACKAGE = str(Path(__file__).resolve().parents[1]) + os.sep
_CALLS = ("connect", "connect_ex", "sendto", "bind")
_LOOK_UPS = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo")


class SideEffectError(RuntimeError):
    """User code outside steps tried to use the network during a replay check."""

    __module__ = "durable_execution_sdk.replay"


@dataclass(frozen=True, slots=True)
class Asked:
    """What code asked for where history holds something else, or nothing.

    Attributes:
        identity: Who the operation would be.
        line: `file:line` of user code.
        recorded: What is recorded there.
    """

    identity: OperationIdentifier
    line: str | None
    recorded: Record | None


@dataclass(slots=True)
class Observed:
    """What one offline invocation showed.

    Attributes:
        status: Of the invocation; RAISED if it raised.
        error: What the handler raised.
        met: Ids of the recorded operations that were asked for and agree, in that order.
        agreed: The same, with those whose failure was handed on at once.
        diverged: Where they do not agree, whether or not user code let the error of that pass.
        frontier: Where something would have started or run that history does not hold.
        ended: Contexts that were gone through again, to the end that they had.
        otherwise: Contexts that failed, were gone through again and ended in another way, and whether by returning.
            What comes after one is not what would come.
        branches: How many branches each map and parallel has.
    """

    status: str = ""
    error: BaseException | None = None
    met: list[str] = field(default_factory=list)
    agreed: set[str] = field(default_factory=set)
    diverged: list[Asked] = field(default_factory=list)
    frontier: list[Asked] = field(default_factory=list)
    ended: set[str] = field(default_factory=set)
    otherwise: dict[str, bool] = field(default_factory=dict)
    branches: dict[str, BatchOperation] = field(default_factory=dict)


class Watch:
    """Hooks that let nothing start or run, and note nothing."""

    def lane(self, scope: Scope) -> Lane | None:
        """None: the lane asks nobody."""
        return None

    def invocation_started(self) -> None:
        """Nothing to note."""

    def invocation_ended(self, output: Mapping[str, Any] | None, error: BaseException | None) -> None:
        """Nothing to note."""

    def around_invocation(self) -> AbstractContextManager[None]:
        """Nothing to do."""
        return nullcontext()

    def operation_attempted(self, identity: OperationIdentifier, is_virtual: bool) -> None:
        """Nothing to note."""

    def batch_entered(self, batch: BatchOperation) -> None:
        """Nothing to note."""

    def task_scope_opened(self, prefix: str, creator: str | None, qualname: str, ordinal: int) -> None:
        """Nothing to note."""

    def operation_met(self, record: CoreRecord) -> None:
        """Nothing to note."""

    def operation_starting(self, update: OperationUpdate) -> None:
        """It is not recorded."""
        self.stop_at(update.operation_id)

    def operation_ended(self, operation_id: str) -> None:
        """Nothing to note."""

    def scope_ended(self, identity: OperationIdentifier, error: Exception | None, replayed: bool) -> None:
        """Nothing to note."""

    def around_body(
        self, identity: OperationIdentifier, attempt: int | None, reconstruct: bool
    ) -> AbstractContextManager[None]:
        """An attempt of a body that history does not end."""
        if identity.operation_type is not OperationType.CONTEXT:
            self.stop_at(identity.operation_id)
        return nullcontext()

    def records_changed(self, operation_ids: Sequence[str]) -> None:
        """Nothing to note."""

    def trace_header(self, identity: OperationIdentifier, function_name: str) -> str | None:
        """None."""
        return None

    def log_fields(self) -> Mapping[str, object]:
        """None."""
        return {}

    def branch_context(self) -> AbstractContextManager[None]:
        """Nothing to do."""
        return nullcontext()

    def stop_at(self, operation_id: str) -> NoReturn:
        """What asked for the operation waits for ever.

        Raises:
            Withheld: Always.
        """
        raise Withheld("the history ends here")


class _Observer(Watch):
    """Notes what one invocation asks for."""

    def __init__(self, seen: Observed, records: Mapping[str, Record]) -> None:
        self._seen = seen
        self._records = records
        self._asked: dict[str, Asked] = {}

    def operation_attempted(self, identity: OperationIdentifier, is_virtual: bool) -> None:
        key = identity.operation_id
        record = self._records.get(key)
        if record is None:
            if not is_virtual and key not in self._asked:
                self._asked[key] = Asked(identity, calling_line(), None)
        elif not is_virtual and shape_asked(identity) == shape_of(record):
            self._seen.agreed.add(key)
        elif key not in self._asked:
            self._asked[key] = Asked(identity, calling_line(), record)
            self._seen.diverged.append(self._asked[key])

    def operation_met(self, record: CoreRecord) -> None:
        self._seen.met.append(record.operation_id)

    def batch_entered(self, batch: BatchOperation) -> None:
        self._seen.branches[batch.identity.operation_id] = batch

    def scope_ended(self, identity: OperationIdentifier, error: Exception | None, replayed: bool) -> None:
        record = self._records.get(identity.operation_id)
        if not replayed or record is None:
            return
        if _as_recorded(record, error):
            self._seen.ended.add(identity.operation_id)
        elif had_failed(record) and not self._seen.diverged:
            self._seen.otherwise[identity.operation_id] = error is None

    def around_body(
        self, identity: OperationIdentifier, attempt: int | None, reconstruct: bool
    ) -> AbstractContextManager[None]:
        self._asked.setdefault(identity.operation_id, Asked(identity, None, self._records.get(identity.operation_id)))
        return super().around_body(identity, attempt, reconstruct)

    def stop_at(self, operation_id: str) -> NoReturn:
        if operation_id in self._asked:
            self._seen.frontier.append(self._asked[operation_id])
        super().stop_at(operation_id)


def _as_recorded(record: Record, error: Exception | None) -> bool:
    """Whether a context that was gone through again has ended as it had."""
    if not had_failed(record):
        return error is None
    recorded = record["ContextDetails"]["Error"]
    now = None if error is None else ErrorObject.from_exception(error)
    return now is not None and (now.type, now.message) == (recorded.get("ErrorType"), recorded.get("ErrorMessage"))


class Nowhere:
    """A service that acknowledges everything and keeps nothing."""

    def checkpoint(self, arn: str, request: Request) -> Mapping[str, Any]:
        """Acknowledge without news."""
        return {"CheckpointToken": request.token, "NewExecutionState": {"Operations": []}}

    def fetch_state(self, arn: str, token: str, marker: str, max_items: int) -> Mapping[str, Any]:
        """An empty page, the last."""
        return {"Operations": []}


def event_of(history: History) -> dict[str, Any]:
    """The event of an invocation that finds this history."""
    return _event_over(history.arn, history.operations)


def _event_over(arn: str, operations: Sequence[Record]) -> dict[str, Any]:
    first, *rest = operations
    return {
        "DurableExecutionArn": arn.rpartition("/")[0] + "/" + first["Id"],
        "CheckpointToken": "replay",
        "InitialExecutionState": {"Operations": [{**first, "Status": "STARTED"}, *rest]},
    }


def observe(handler: Callable[..., Any], history: History) -> Observed:
    """Run the handler over a history until it returns or every task has reached what is not recorded."""
    records = {record["Id"]: record for record in history.operations[1:]}
    seen = Observed()
    return run_offline(handler, history.arn, history.operations, lambda _: _Observer(seen, records), seen)


def run_offline(
    handler: Callable[..., Any],
    arn: str,
    operations: Sequence[Record],
    open_hooks: Callable[[InvocationFacts], Watch],
    seen: Observed | None = None,
) -> Observed:
    """One invocation over these operations, of which the first is the execution, that sends nothing."""
    durable: DurableFunction = handler.__durable__  # type: ignore[attr-defined]  # the decorator sets it
    seen = Observed() if seen is None else seen
    probe = DurableFunction(_watched(durable.handler, seen), open_hooks)
    with offline:
        try:
            seen.status = probe.invoke(_event_over(arn, operations), None, Nowhere())["Status"]
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # one handler that wants to end the process ends no check
            seen.status = "RAISED"
            seen.error = seen.error or error
    return seen


def shape_asked(identity: OperationIdentifier) -> Shape:
    """The shape of what code asks for."""
    return Shape(identity.operation_type.value, str(identity.sub_type or ""), identity.name or "")


def _watched(user: Callable[..., Any], seen: Observed) -> Callable[..., Any]:
    from durable_execution_sdk._drivers.bodies import is_async

    if is_async(user):

        async def watched_async(event: Any, context: Any) -> Any:
            try:
                return await user(event, context)
            except Exception as error:
                seen.error = error
                raise

        return watched_async

    def watched(event: Any, context: Any) -> Any:
        try:
            return user(event, context)
        except Exception as error:
            seen.error = error
            raise

    return watched


def divergence_in(error: BaseException | None) -> NonDeterministicExecutionError | None:
    """The divergence behind an error."""
    while error is not None:
        if isinstance(error, NonDeterministicExecutionError):
            return error
        error = error.__cause__ or error.__context__
    return None


def user_line(error: BaseException) -> str | None:
    """`file:line` of the innermost frame of user code that the error has passed through."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_users(frame.filename)]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else None


def calling_line() -> str | None:
    """`file:line` of the innermost frame of user code that is running on this thread."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if _is_users(frame.f_code.co_filename):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        if frame.f_code in _BOUNDARIES:
            return None  # who runs the check is no user code
        frame = frame.f_back
    return None


def _is_users(filename: str) -> bool:
    if filename.startswith((_PACKAGE, "<frozen ")):
        return False
    return not filename.startswith(_STANDARD_LIBRARY) or "site-packages" in filename


class _Shared(AbstractContextManager[None]):
    """A state of the process while at least one thread is inside: set by the first to come, put back by the last."""

    def __init__(self, enter: Callable[[], Callable[[], None]]) -> None:
        self._enter = enter
        self._lock = threading.Lock()
        self._inside = 0
        self._leave: Callable[[], None] = lambda: None

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._leave = self._enter()
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._leave()


def _forbid() -> Callable[[], None]:
    logger = logging.getLogger("durable_execution_sdk")
    # What the SDK would log of an invocation that ends is what the report says; it may hold payloads.
    disabled, logger.disabled = logger.disabled, True
    before = {name: socket.socket.__dict__.get(name) for name in _CALLS}
    look_ups = {name: getattr(socket, name) for name in _LOOK_UPS}
    for name in _CALLS:
        setattr(socket.socket, name, _refuse)
    for name in _LOOK_UPS:
        setattr(socket, name, _refuse)

    def allow() -> None:
        logger.disabled = disabled
        for name, look_up in look_ups.items():
            setattr(socket, name, look_up)
        for name, method in before.items():
            if method is None:
                delattr(socket.socket, name)
            else:
                setattr(socket.socket, name, method)

    return allow


def _refuse(*_: object, **__: object) -> NoReturn:
    raise SideEffectError("The handler uses the network outside a step: move it into one, its result is recorded.")


offline: Final = _Shared(_forbid)
"""While it is entered, what reaches out of this process is refused in all its threads, and the SDK logs nothing.

Changing a class costs more than a small check, so whoever checks many histories enters it once around all of them.
"""


_BOUNDARIES: Final = frozenset({run_offline.__code__})

__all__ = [
    "Asked",
    "Nowhere",
    "Observed",
    "SideEffectError",
    "Watch",
    "calling_line",
    "divergence_in",
    "event_of",
    "observe",
    "offline",
    "run_offline",
    "shape_asked",
    "user_line",
]
