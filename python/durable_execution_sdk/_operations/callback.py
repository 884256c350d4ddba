"""What a callback decides: creating it asks the service for an id, its result comes from outside."""

from __future__ import annotations

from durable_execution_sdk._core import Record
from durable_execution_sdk._model.errors import (
    CallbackError,
    CallbackExternalError,
    CallbackSubmitterError,
    CallbackTimeoutError,
    ChildContextError,
    StepError,
    error_type_name,
)
from durable_execution_sdk._model.updates import CallbackOptions, OperationIdentifier, OperationUpdate
from durable_execution_sdk._model.values import Value, value
from durable_execution_sdk._operations.identity import describe
from durable_execution_sdk._operations.verdicts import Announce, Deliver, Park, Throw


@value
class CallbackOperation(Value):
    """Creation of one callback. Its failures are nobody's business until its result is asked for."""

    identity: OperationIdentifier
    timeout_seconds: int
    heartbeat_timeout_seconds: int

    def begin(self, record: Record | None, now_ms: int) -> Announce | Deliver | Throw:
        """Announce if nothing is recorded."""
        return Announce() if record is None else self.look(record, now_ms)

    def start(self) -> OperationUpdate:
        """The START update; zero means no timeout."""
        options = CallbackOptions(self.timeout_seconds, self.heartbeat_timeout_seconds)
        return OperationUpdate.create_callback(self.identity, options)

    def look(self, record: Record | None, now_ms: int) -> Deliver | Throw:
        """The callback id, whatever became of the callback meanwhile."""
        callback_id = record.callback_id if record is not None else None
        if callback_id is None:
            return Throw(CallbackError(f"The service gave no callback id for {describe(self.identity)}."))
        return Deliver(callback_id)


def callback_result(operation_id: str, record: Record | None) -> Deliver | Throw | Park:
    """What the callback has come to."""
    match record.status if record is not None else None:
        case "SUCCEEDED" if record is not None:
            return Deliver(record.result)
        case "FAILED" | "CANCELLED" | "STOPPED" if record is not None:
            return Throw(_failed(record, CallbackExternalError, f"Callback {operation_id} failed"))
        case "TIMED_OUT" if record is not None:
            return Throw(_failed(record, CallbackTimeoutError, f"Callback {operation_id} timed out"))
        case _:
            return Park(None)


def _failed(record: Record, kind: type[CallbackError], otherwise: str) -> CallbackError:
    # The external system's error type is its own business: the class says what happened, and there is no cause.
    message, _, data, stack_trace = record.error or (None, None, None, None)
    return kind(message or otherwise, error_type_name(kind), data, stack_trace)


def submission_error(error: ChildContextError) -> Exception:
    """What `wait_for_callback` raises for the failure of its context: the callback's own error, or the submitter's."""
    cause = error.__cause__
    if isinstance(cause, CallbackError):
        return cause
    if not isinstance(cause, StepError):
        return error
    raised = CallbackSubmitterError(
        cause.message or "The submitter of the callback failed.", data=cause.data, stack_trace=cause.stack_trace
    )
    raised.__cause__ = cause
    return raised
