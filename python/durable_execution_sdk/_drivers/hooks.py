"""Where plugins look in. The drivers call these at fixed points; without plugins there is no object and no call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final, Protocol

from durable_execution_sdk._core import MISS, Journal, Record, Scope
from durable_execution_sdk._model.updates import OperationIdentifier, OperationUpdate
from durable_execution_sdk._model.values import Value, value

if TYPE_CHECKING:
    # Every handler's process imports this module, and few run batches.
    from durable_execution_sdk._operations.batch import BatchOperation


@value
class InvocationFacts(Value):
    """What is known of an invocation before user code runs."""

    arn: str
    event_input: Any
    is_first: bool
    execution: Record | None
    updated_operation_ids: Sequence[str]
    journal: Journal
    lambda_context: Any


class Lane(Protocol):
    """What answers for finished operations, as the methods of that name of `_core.Scope` do."""

    def replay_step(self, name: str | None, /) -> Any: ...
    def replay_condition(self, name: str | None, /) -> Any: ...
    def replay_wait(self, name: str | None, /) -> Any: ...
    def replay_child(self, name: str | None, /) -> Any: ...
    def replay_invoke(self, name: str | None, /) -> Any: ...


class _ClosedLane:
    """Answers nothing."""

    def replay(self, name: str | None, /) -> Any:
        return MISS

    replay_step = replay_condition = replay_wait = replay_child = replay_invoke = replay


CLOSED_LANE: Final[Lane] = _ClosedLane()


class Hooks(Protocol):
    """The plugins of one invocation. No method raises, except for what ends the process.

    A check of recorded histories raises `Withheld` in `operation_attempted`, `operation_starting` and
    `around_body`: the line of code that asked ends there, and nothing is sent.
    """

    def lane(self, scope: Scope) -> Lane | None:
        """What answers for finished operations of a scope; None has each go the long way, past all hooks."""

    def invocation_started(self) -> None:
        """On the handler's thread, before user code; no request has been sent yet."""

    def invocation_ended(self, output: Mapping[str, Any] | None, error: BaseException | None) -> None:
        """On the handler's thread, after everything is acknowledged: the output, or what is about to be raised."""

    def around_invocation(self) -> AbstractContextManager[None]:
        """Entered around the handler."""

    def operation_attempted(self, identity: OperationIdentifier, is_virtual: bool) -> None:
        """The code asks for an operation, with its frames on the stack; nothing has been looked up yet.

        A branch may be told of twice. `is_virtual`: a context that records nothing of its own.
        """

    def batch_entered(self, batch: BatchOperation) -> None:
        """A map or parallel is about to run its branches, or to be made again from them.

        Its record is read after this.
        """

    def task_scope_opened(self, prefix: str, creator: str | None, qualname: str, ordinal: int) -> None:
        """A task of an async handler was started: its ids have this prefix, those of its creator that."""

    def operation_met(self, record: Record) -> None:
        """The code has reached an operation that is recorded; called before anything is decided about it."""

    def operation_starting(self, update: OperationUpdate) -> None:
        """A START is about to be queued."""

    def operation_ended(self, operation_id: str) -> None:
        """The code is about to take the terminal result of an operation; its record is acknowledged."""

    def scope_ended(self, identity: OperationIdentifier, error: Exception | None, replayed: bool) -> None:
        """A context that records nothing now (virtual, or re-entered for its children) has ended."""

    def around_body(
        self, identity: OperationIdentifier, attempt: int | None, reconstruct: bool
    ) -> AbstractContextManager[None]:
        """Entered around a body, on the thread that runs it; sees by the exception how it ended."""

    def records_changed(self, operation_ids: Sequence[str]) -> None:
        """An answer with these operations was merged; called by whoever sent the request, before anybody wakes."""

    def trace_header(self, identity: OperationIdentifier, function_name: str) -> str | None:
        """Trace metadata for a new invoke."""

    def log_fields(self) -> Mapping[str, object]:
        """Extra fields for log records; those of the caller win."""

    def branch_context(self) -> AbstractContextManager[None]:
        """Entered on a pool thread around a branch, in a copy of the coordinator's contextvars."""
