"""What the service keeps and answers: operations, their details, errors, pages.

`from_dict` and `to_dict` speak the names of the Lambda API with `datetime` timestamps, as boto3 does;
`from_json_dict` and `to_json_dict` the same with epoch milliseconds, as the invocation event does. Updates, the other
direction, are in `_model/updates.py`.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from durable_execution_sdk._model.enums import (
    TERMINAL_STATUSES,
    CallbackTimeoutType,
    InvocationStatus,
    OperationAction,
    OperationStatus,
    OperationSubType,
    OperationType,
)
from durable_execution_sdk._model.errors import ErrorObject
from durable_execution_sdk._model.homes import public

__all__ = [
    "TERMINAL_STATUSES",
    "CallbackDetails",
    "CallbackTimeoutType",
    "ChainedInvokeDetails",
    "CheckpointOutput",
    "CheckpointUpdatedExecutionState",
    "ContextDetails",
    "DurableExecutionInvocationOutput",
    "ErrorObject",
    "ExecutionDetails",
    "InvocationStatus",
    "Operation",
    "OperationAction",
    "OperationPayload",
    "OperationStatus",
    "OperationSubType",
    "OperationType",
    "ReplayChildren",
    "StateOutput",
    "StepDetails",
    "TimeoutSeconds",
    "TimestampConverter",
    "WaitDetails",
    "WireTimestamp",
]

ReplayChildren: TypeAlias = bool
OperationPayload: TypeAlias = str
TimeoutSeconds: TypeAlias = int
WireTimestamp: TypeAlias = int | str | datetime.datetime
"""What events hold as a moment: epoch milliseconds, ISO-8601 text, or a `datetime`."""


def _error_in(data: Mapping[str, Any]) -> ErrorObject | None:
    raw = data.get("Error")
    return ErrorObject.from_dict(raw) if raw else None


@public("lambda_service")
@dataclass(frozen=True, slots=True)
class DurableExecutionInvocationOutput:
    """What one invocation answers. The result is empty where the service has it from a checkpoint already."""

    status: InvocationStatus
    result: str | None = None
    error: ErrorObject | None = None

    @classmethod
    def from_dict(cls, data: MutableMapping[str, Any]) -> DurableExecutionInvocationOutput:
        """Read the wire form."""
        return cls(InvocationStatus(data.get("Status")), data.get("Result"), _error_in(data))

    def to_dict(self) -> MutableMapping[str, Any]:
        """The wire form; absent members are left out."""
        answer: dict[str, Any] = {"Status": self.status.value}
        if self.result is not None:
            answer["Result"] = self.result
        if self.error is not None:
            answer["Error"] = self.error.to_dict()
        return answer

    @classmethod
    def create_succeeded(cls, result: str) -> DurableExecutionInvocationOutput:
        """The handler returned."""
        return cls(InvocationStatus.SUCCEEDED, result=result)

    @classmethod
    def create_retry(cls, error: ErrorObject) -> DurableExecutionInvocationOutput:
        """The invocation failed and will be tried again. For plugins; the service is told by raising."""
        return cls(InvocationStatus.RETRY, error=error)

    @classmethod
    def create_pending(cls) -> DurableExecutionInvocationOutput:
        """The handler waits for something outside."""
        return cls(InvocationStatus.PENDING)


# --- details of an operation, by its type -----------------------------------------------------------------------------


@public("lambda_service")
@dataclass(frozen=True, slots=True)
class ExecutionDetails:
    """Of the EXECUTION operation: the payload the execution was started with."""

    input_payload: str | None = None

    @classmethod
    def from_dict(cls, data: MutableMapping[str, Any]) -> ExecutionDetails:
        """Read the wire form."""
        return cls(data.get("InputPayload"))


@public("lambda_service")
@dataclass(frozen=True, slots=True)
class ContextDetails:
    """Of a CONTEXT. `replay_children`: the result was too large to keep, so it is made again from the children."""

    replay_children: ReplayChildren = False
    result: OperationPayload | None = None
    error: ErrorObject | None = None

    @classmethod
    def from_dict(cls, data: MutableMapping[str, Any]) -> ContextDetails:
        """Read the wire form."""
        return cls(data.get("ReplayChildren", False), data.get("Result"), _error_in(data))


@public("lambda_service")
@dataclass(frozen=True, slots=True)
class StepDetails:
    """Of a STEP: how many attempts were made, and when the next one is due."""

    attempt: int = 0
    next_attempt_timestamp: datetime.datetime | None = None
    result: OperationPayload | None = None
    error: ErrorObject | None = None

    @classmethod
    def from_dict(cls, data: MutableMapping[str, Any]) -> StepDetails:
        """Read the wire form."""
        return cls(data.get("Attempt", 0), data.get("NextAttemptTimestamp"), data.get("Result"), _error_in(data))


@public("lambda_service")
@dataclass(frozen=True, slots=True)
class WaitDetails:
    """Of a WAIT: when it ends."""

    scheduled_end_timestamp: datetime.datetime | None = None

    @classmethod
    def from_dict(cls, data: MutableMapping[str, Any]) -> WaitDetails:
        """Read the wire form."""
        return cls(data.get("ScheduledEndTimestamp"))


@public("lambda_service")
@dataclass(frozen=True, slots=True)
class CallbackDetails:
    """Of a CALLBACK: the id under which the outside world completes it."""

    callback_id: str
    result: str | None = None
    error: ErrorObject | None = None

    @classmethod
    def from_dict(cls, data: MutableMapping[str, Any]) -> CallbackDetails:
        """Read the wire form."""
        return cls(data["CallbackId"], data.get("Result"), _error_in(data))


@public("lambda_service")
@dataclass(frozen=True, slots=True)
class ChainedInvokeDetails:
    """Of a CHAINED_INVOKE: what the other function answered."""

    result: str | None = None
    error: ErrorObject | None = None

    @classmethod
    def from_dict(cls, data: MutableMapping[str, Any]) -> ChainedInvokeDetails:
        """Read the wire form."""
        return cls(data.get("Result"), _error_in(data))


@public("lambda_service")
class TimestampConverter:
    """Epoch milliseconds, as the invocation event has them, and `datetime`."""

    @staticmethod
    def to_unix_millis(dt: datetime.datetime | None) -> int | None:
        """Whole milliseconds since the epoch."""
        return int(dt.timestamp() * 1000) if dt else None

    @staticmethod
    def from_unix_millis(ms: int | None) -> datetime.datetime | None:
        """The moment, in UTC."""
        return datetime.datetime.fromtimestamp(ms / 1000, tz=datetime.UTC) if ms is not None else None


def _moment(value: Any) -> datetime.datetime | None:
    """Read an event's timestamp: milliseconds as AWS sends them, ISO-8601 text as other senders do, or a datetime."""
    if not value:
        return None
    if isinstance(value, datetime.datetime):
        return value
    if isinstance(value, str):
        return datetime.datetime.fromisoformat(value)
    return TimestampConverter.from_unix_millis(value)


# Where the wire form of an operation has timestamps: (details or None, member).
_TIMESTAMPS = (
    (None, "StartTimestamp"),
    (None, "EndTimestamp"),
    ("StepDetails", "NextAttemptTimestamp"),
    ("WaitDetails", "ScheduledEndTimestamp"),
)


def _with_timestamps(
    data: Mapping[str, Any], convert: Callable[[Any], datetime.datetime | int | None]
) -> dict[str, Any]:
    """A copy of an operation in wire form, its timestamps converted."""
    copy = dict(data)
    for details, member in _TIMESTAMPS:
        holder: Any = copy if details is None else copy.get(details)
        if not holder or not holder.get(member):
            continue
        if details is not None:
            holder = copy[details] = dict(holder)
        holder[member] = convert(holder[member])
    return copy


@public("lambda_service")
@dataclass(frozen=True, slots=True)
class Operation:
    """One entry of an execution's history, as last acknowledged by the service."""

    operation_id: str
    operation_type: OperationType
    status: OperationStatus
    parent_id: str | None = None
    name: str | None = None
    start_timestamp: datetime.datetime | None = None
    end_timestamp: datetime.datetime | None = None
    sub_type: str | None = None
    execution_details: ExecutionDetails | None = None
    context_details: ContextDetails | None = None
    step_details: StepDetails | None = None
    wait_details: WaitDetails | None = None
    callback_details: CallbackDetails | None = None
    chained_invoke_details: ChainedInvokeDetails | None = None

    @classmethod
    def from_dict(cls, data: MutableMapping[str, Any]) -> Operation:
        """Read the wire form with `datetime` timestamps.

        Raises:
            ValueError: Type or status is none that the service has.
        """
        execution = data.get("ExecutionDetails")
        context = data.get("ContextDetails")
        step = data.get("StepDetails")
        wait = data.get("WaitDetails")
        callback = data.get("CallbackDetails")
        invoke = data.get("ChainedInvokeDetails")
        return cls(
            operation_id=data["Id"],
            operation_type=OperationType(data.get("Type")),
            status=OperationStatus(data.get("Status")),
            parent_id=data.get("ParentId"),
            name=data.get("Name"),
            start_timestamp=data.get("StartTimestamp"),
            end_timestamp=data.get("EndTimestamp"),
            sub_type=data.get("SubType") or None,
            execution_details=ExecutionDetails.from_dict(execution) if execution else None,
            context_details=ContextDetails.from_dict(context) if context else None,
            step_details=StepDetails.from_dict(step) if step else None,
            wait_details=WaitDetails.from_dict(wait) if wait else None,
            callback_details=CallbackDetails.from_dict(callback) if callback else None,
            chained_invoke_details=ChainedInvokeDetails.from_dict(invoke) if invoke else None,
        )

    @classmethod
    def from_json_dict(cls, data: MutableMapping[str, Any]) -> Operation:
        """Read the form of the invocation event: epoch milliseconds, or ISO-8601 text."""
        return cls.from_dict(_with_timestamps(data, _moment))

    def to_dict(self) -> MutableMapping[str, Any]:
        """The wire form with `datetime` timestamps; absent members are left out."""
        members = {
            "ParentId": self.parent_id,
            "Name": self.name,
            "StartTimestamp": self.start_timestamp,
            "EndTimestamp": self.end_timestamp,
            "SubType": self.sub_type,
        }
        record: dict[str, Any] = {
            "Id": self.operation_id,
            "Type": self.operation_type.value,
            "Status": self.status.value,
            **{name: value for name, value in members.items() if value},
        }
        if self.execution_details is not None:
            record["ExecutionDetails"] = {"InputPayload": self.execution_details.input_payload}
        if (context := self.context_details) is not None:
            record["ContextDetails"] = {
                "Result": context.result,
                **_present(None, context.error),
                **({"ReplayChildren": True} if context.replay_children else {}),
            }
        if (step := self.step_details) is not None:
            due = step.next_attempt_timestamp
            record["StepDetails"] = {
                "Attempt": step.attempt,
                **({"NextAttemptTimestamp": due} if due else {}),
                **_present(step.result, step.error),
            }
        if self.wait_details is not None:
            end = self.wait_details.scheduled_end_timestamp
            record["WaitDetails"] = {"ScheduledEndTimestamp": end} if end else {}
        if (callback := self.callback_details) is not None:
            record["CallbackDetails"] = {
                "CallbackId": callback.callback_id,
                **_present(callback.result, callback.error),
            }
        if (invoke := self.chained_invoke_details) is not None:
            record["ChainedInvokeDetails"] = _present(invoke.result, invoke.error)
        return record

    def to_json_dict(self) -> MutableMapping[str, Any]:
        """The form of the invocation event: timestamps in epoch milliseconds."""
        return _with_timestamps(self.to_dict(), TimestampConverter.to_unix_millis)


def _present(result: str | None, error: ErrorObject | None) -> dict[str, Any]:
    """The members that most details share; an empty result counts as absent, as in the official SDK 3.0.0."""
    members: dict[str, Any] = {}
    if result:
        members["Result"] = result
    if error is not None:
        members["Error"] = error.to_dict()
    return members


# --- answers of the two calls -----------------------------------------------------------------------------------------


def _operations_in(data: Mapping[str, Any]) -> list[Operation]:
    return [Operation.from_dict(operation) for operation in data.get("Operations") or ()]


@public("lambda_service")
@dataclass(frozen=True, slots=True)
class CheckpointUpdatedExecutionState:
    """The operations that a checkpoint changed, or that changed meanwhile."""

    operations: list[Operation] = field(default_factory=list)
    next_marker: str | None = None

    @classmethod
    def from_dict(cls, data: MutableMapping[str, Any]) -> CheckpointUpdatedExecutionState:
        """Read the wire form."""
        return cls(_operations_in(data), data.get("NextMarker"))


@public("lambda_service")
@dataclass(frozen=True, slots=True)
class CheckpointOutput:
    """The answer to a checkpoint. Without a token this invocation may write nothing more."""

    checkpoint_token: str | None
    new_execution_state: CheckpointUpdatedExecutionState

    @classmethod
    def from_dict(cls, data: MutableMapping[str, Any]) -> CheckpointOutput:
        """Read the wire form."""
        state = CheckpointUpdatedExecutionState.from_dict(data.get("NewExecutionState") or {})
        return cls(data.get("CheckpointToken"), state)


@public("lambda_service")
@dataclass(frozen=True, slots=True)
class StateOutput:
    """A page of the history."""

    operations: list[Operation] = field(default_factory=list)
    next_marker: str | None = None

    @classmethod
    def from_dict(cls, data: MutableMapping[str, Any]) -> StateOutput:
        """Read the wire form."""
        return cls(_operations_in(data), data.get("NextMarker"))
