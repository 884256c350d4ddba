"""One invocation over a recorded history, in which no body of an operation runs and nothing is sent."""

from __future__ import annotations

import logging
import socket
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn

from durable_execution_sdk._core import Record, Request, Scope
from durable_execution_sdk._drivers.hooks import InvocationFacts, Lane
from durable_execution_sdk._drivers.invocation import DurableFunction
from durable_execution_sdk._model.enums import OperationType
from durable_execution_sdk._model.errors import NonDeterministicExecutionError
from durable_execution_sdk._model.signals import Withheld
from durable_execution_sdk._model.updates import OperationIdentifier, OperationUpdate
from durable_execution_sdk._operations.batch import BatchOperation
from durable_execution_sdk.replay.histories import History

_PACKAGE = str(Path(__file__).resolve().parents[1])
_CALLS = ("connect", "connect_ex", "sendto", "bind")


class SideEffectError(RuntimeError):
    """User code outside steps tried to use the network during a replay check."""

    __module__ = "durable_execution_sdk.replay"


@dataclass(slots=True)
class Observed:
    """What one offline invocation showed."""

    met: list[str] = field(default_factory=list)
    frontier: list[OperationIdentifier | OperationUpdate] = field(default_factory=list)
    error: BaseException | None = None
    status: str = ""


class _Watch:
    """Hooks that note what is met, and end a task before anything new would run."""

    def __init__(self, seen: Observed) -> None:
        self._seen = seen

    def lane(self, scope: Scope) -> Lane | None:
        return None

    def invocation_started(self) -> None:
        """Nothing to note."""

    def invocation_ended(self, output: Mapping[str, Any] | None, error: BaseException | None) -> None:
        """Nothing to note."""

    def around_invocation(self) -> AbstractContextManager[None]:
        return nullcontext()

    def operation_attempted(self, identity: OperationIdentifier, is_virtual: bool) -> None:
        """Nothing to note."""

    def batch_entered(self, batch: BatchOperation) -> None:
        """Nothing to note."""

    def task_scope_opened(self, prefix: str, creator: str | None, qualname: str, ordinal: int) -> None:
        """Nothing to note."""

    def operation_met(self, record: Record) -> None:
        self._seen.met.append(record.operation_id)

    def operation_starting(self, update: OperationUpdate) -> None:
        self._stop(update)

    def operation_ended(self, operation_id: str) -> None:
        """Nothing to note."""

    def scope_ended(self, identity: OperationIdentifier, error: Exception | None, replayed: bool) -> None:
        """Nothing to note."""

    def around_body(
        self, identity: OperationIdentifier, attempt: int | None, reconstruct: bool
    ) -> AbstractContextManager[None]:
        if identity.operation_type is not OperationType.CONTEXT:
            self._stop(identity)  # an attempt that history does not end
        return nullcontext()

    def records_changed(self, operation_ids: Sequence[str]) -> None:
        """Nothing to note."""

    def trace_header(self, identity: OperationIdentifier, function_name: str) -> str | None:
        return None

    def log_fields(self) -> Mapping[str, object]:
        return {}

    def branch_context(self) -> AbstractContextManager[None]:
        return nullcontext()

    def _stop(self, at: OperationIdentifier | OperationUpdate) -> NoReturn:
        self._seen.frontier.append(at)
        raise Withheld("the history ends here")


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
    first, *rest = history.operations
    return {
        "DurableExecutionArn": history.arn.rpartition("/")[0] + "/" + first["Id"],
        "CheckpointToken": "replay",
        "InitialExecutionState": {"Operations": [{**first, "Status": "STARTED"}, *rest]},
    }


def observe(handler: Callable[..., Any], history: History) -> Observed:
    """Run the handler over a history until it returns or every task has reached what is not recorded."""
    durable: DurableFunction = handler.__durable__  # type: ignore[attr-defined]  # the decorator sets it
    seen = Observed()

    def open_hooks(_: InvocationFacts) -> _Watch:
        return _Watch(seen)

    probe = DurableFunction(_watched(durable.handler, seen), open_hooks)
    with offline:
        try:
            seen.status = probe.invoke(event_of(history), None, Nowhere())["Status"]
        except Exception as error:
            seen.status = "RAISED"
            seen.error = seen.error or error
    return seen


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
    """`file:line` of the innermost frame that is not in this SDK or in the standard library's way to it."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(_PACKAGE)]
    frames = [
        f for f in frames if "/concurrent/futures/" not in f.filename and not f.filename.endswith("/threading.py")
    ]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else None


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
    resolve = socket.getaddrinfo
    for name in _CALLS:
        setattr(socket.socket, name, _refuse)
    socket.getaddrinfo = _refuse

    def allow() -> None:
        logger.disabled = disabled
        socket.getaddrinfo = resolve
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


__all__ = ["Nowhere", "Observed", "SideEffectError", "divergence_in", "event_of", "observe", "offline", "user_line"]
