"""What plugins are told, and the class they derive from."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any, Protocol, TypeAlias

from durable_execution_sdk._model.enums import OperationStatus
from durable_execution_sdk._model.homes import public
from durable_execution_sdk._model.wire import DurableExecutionInvocationOutput, ErrorObject, Operation

DURABLE_INSTRUMENTATION_PLUGIN_API_VERSION = 1
"""What a factory's `__durable_registration_api__` says if it takes part in the checks at registration."""


@public("plugin")
class InvocationStatus(Enum):
    """How an invocation ended, for plugins. RETRY: it raised, and the service invokes again."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    PENDING = "PENDING"
    RETRY = "RETRY"
    RETRYING = "RETRY"  # noqa: PIE796  # the name that the JavaScript SDK has for it


@public("plugin")
class OperationType(Enum):
    """Kind of an operation, for plugins. Not equal to the members of `lambda_service.OperationType`."""

    EXECUTION = "EXECUTION"
    CONTEXT = "CONTEXT"
    STEP = "STEP"
    WAIT = "WAIT"
    CALLBACK = "CALLBACK"
    CHAINED_INVOKE = "CHAINED_INVOKE"


@public("plugin")
@dataclass(frozen=True)
class OperationInfo:
    """One operation.

    Attributes:
        is_replayed: It was recorded in an earlier invocation.
        attempt: Of a step: how many attempts have ended.
    """

    operation_id: str
    operation_type: OperationType
    sub_type: str | None
    name: str | None
    parent_id: str | None
    start_time: datetime.datetime | None
    is_replayed: bool
    status: OperationStatus
    end_time: datetime.datetime | None = field(default=None, kw_only=True)
    result: str | None = field(default=None, kw_only=True)
    error: ErrorObject | None = field(default=None, kw_only=True)
    attempt: int | None = field(default=None, kw_only=True)

    @staticmethod
    def from_operation(operation: Operation, *, is_replayed: bool = False) -> OperationInfo:
        """Describe an operation as the service holds it. The error is a copy."""
        details: Any = next(
            (
                part
                for part in (
                    operation.context_details,
                    operation.step_details,
                    operation.callback_details,
                    operation.chained_invoke_details,
                )
                if part is not None
            ),
            None,
        )
        error: ErrorObject | None = getattr(details, "error", None)
        if error is not None:
            trace = None if error.stack_trace is None else [*error.stack_trace]
            error = ErrorObject(error.message, error.type, error.data, trace)
        return OperationInfo(
            operation_id=operation.operation_id,
            operation_type=OperationType(operation.operation_type.value),
            sub_type=operation.sub_type,
            name=operation.name,
            parent_id=operation.parent_id,
            start_time=operation.start_timestamp,
            is_replayed=is_replayed,
            status=operation.status,
            end_time=operation.end_timestamp,
            result=getattr(details, "result", None),
            error=error,
            attempt=None if operation.step_details is None else operation.step_details.attempt,
        )


@public("plugin")
@dataclass(frozen=True)
class OperationStartInfo(OperationInfo):
    """An operation is about to start, or was met in progress."""


@public("plugin")
@dataclass(frozen=True)
class OperationEndInfo(OperationInfo):
    """An operation has ended."""


@public("plugin")
@dataclass(frozen=True)
class OperationChangeInfo:
    """A checkpoint changed the status of operations."""

    execution_arn: str | None
    updated_operations: dict[str, OperationInfo]
    operations: dict[str, OperationInfo]


@public("plugin")
class UserFunctionOutcome(Enum):
    """How a run of user code ended; INCOMPLETE: it was suspended."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    INCOMPLETE = "INCOMPLETE"

    @classmethod
    def from_error(cls, error: ErrorObject | None) -> UserFunctionOutcome:
        """SUCCEEDED without an error, FAILED with one."""
        return cls.SUCCEEDED if error is None else cls.FAILED


@public("plugin")
@dataclass(frozen=True)
class UserFunctionStartInfo(OperationInfo):
    """User code is about to run."""

    is_replay_children: bool = False


@public("plugin")
@dataclass(frozen=True)
class UserFunctionEndInfo(OperationInfo):
    """User code has run."""

    is_replay_children: bool
    outcome: UserFunctionOutcome

    @classmethod
    def from_start_info(
        cls,
        start_info: UserFunctionStartInfo,
        error: ErrorObject | None,
        *,
        outcome: UserFunctionOutcome | None = None,
        end_time: datetime.datetime | None = None,
    ) -> UserFunctionEndInfo:
        """The end of what started so."""
        told = {item.name: getattr(start_info, item.name) for item in fields(start_info)}
        told |= {
            "error": error,
            "outcome": outcome or UserFunctionOutcome.from_error(error),
            "end_time": end_time,
            "status": OperationStatus.STARTED if error is None else OperationStatus.FAILED,
        }
        if error is None and outcome is not UserFunctionOutcome.INCOMPLETE:
            told["status"] = OperationStatus.SUCCEEDED
        return cls(**told)


@public("plugin")
@dataclass(frozen=True)
class InvocationInfo:
    """One invocation of an execution. `execution_input` is a copy of what the handler gets."""

    request_id: str | None
    execution_arn: str | None
    is_first_invocation: bool
    execution_start_time: datetime.datetime | None = None
    execution_input: Any = field(default=None, kw_only=True)
    operations: dict[str, OperationInfo] = field(default_factory=dict, kw_only=True)


@public("plugin")
@dataclass(frozen=True)
class InvocationStartInfo(InvocationInfo):
    """An invocation begins. `updated_operations`: what the service changed since the last one."""

    updated_operations: dict[str, OperationInfo] = field(default_factory=dict, kw_only=True)


@public("plugin")
@dataclass(frozen=True)
class InvocationEndInfo(InvocationInfo):
    """An invocation has ended."""

    error: ErrorObject | None = None
    status: InvocationStatus = field(kw_only=True)
    execution_result: str | None = field(default=None, kw_only=True)

    @classmethod
    def from_durable_execution_invocation_output(
        cls,
        invocation_start_info: InvocationStartInfo,
        output: DurableExecutionInvocationOutput,
        operations: dict[str, OperationInfo] | None = None,
    ) -> InvocationEndInfo:
        """The end of what started so, with this answer."""
        start = invocation_start_info
        return cls(
            start.request_id,
            start.execution_arn,
            start.is_first_invocation,
            start.execution_start_time,
            output.error,
            execution_input=start.execution_input,
            operations=start.operations if operations is None else operations,
            status=InvocationStatus(output.status.value),
            execution_result=output.result,
        )


@public("plugin")
@dataclass(frozen=True)
class PropagationInput:
    """A chained invoke that is about to start."""

    execution_arn: str
    operation_id: str
    target_function_name: str
    parent_operation_id: str | None = None


@public("plugin")
@dataclass(frozen=True)
class PropagationMetadata:
    """What a plugin adds to a chained invoke: an X-Ray trace header."""

    x_amzn_trace_id: str | None = None


@public("plugin")
class DurableInstrumentationPlugin:
    """Base of plugins: override the hooks you want; each does nothing by default.

    Hooks are synchronous. What they raise is logged and ignored, except what ends the process. The `wrap_...` hooks
    return a context manager that is entered around the code, on the thread or task that runs it; what it raises or
    suppresses does not change the outcome.
    """

    def provide_propagation_metadata(self, info: PropagationInput) -> PropagationMetadata | None:
        """Before a new chained invoke starts; the first plugin that returns a trace header wins."""

    def on_invocation_start(self, info: InvocationStartInfo) -> None:
        """On the handler's thread, before the handler."""

    def on_invocation_end(self, info: InvocationEndInfo) -> None:
        """On the handler's thread, after everything else."""

    def on_operation_start(self, info: OperationStartInfo) -> None:
        """On the operation's thread, before its START is queued; also when one in progress is met."""

    def on_operation_end(self, info: OperationEndInfo) -> None:
        """On the thread that observes the end, before the operation returns."""

    def on_operation_change(self, info: OperationChangeInfo) -> None:
        """On a thread of its own; one call may cover several checkpoints."""

    def on_user_function_start(self, info: UserFunctionStartInfo) -> None:
        """Before user code runs, on the thread that runs it."""

    def on_user_function_end(self, info: UserFunctionEndInfo) -> None:
        """After user code ran, before its outcome is recorded."""

    def wrap_invocation(self, info: InvocationStartInfo) -> AbstractContextManager[Any] | None:
        """Around the handler."""

    def wrap_child_context(self, info: UserFunctionStartInfo) -> AbstractContextManager[Any] | None:
        """Around the body of a child context or a branch."""

    def wrap_operation_attempt(self, info: UserFunctionStartInfo) -> AbstractContextManager[Any] | None:
        """Around an attempt of a step or a condition check."""

    def enrich_log_context(self) -> Mapping[str, str | int | float | bool] | None:
        """Fields to add to log records of durable contexts; those of the caller win."""


@public("plugin")
class DurableInstrumentationPluginFactory(Protocol):
    """What `plugins=[...]` takes and entry points name: makes one plugin per invocation."""

    def create_plugin(self, info: InvocationStartInfo, /) -> DurableInstrumentationPlugin:
        """The plugin for an invocation."""


DurableInstrumentationPluginType: TypeAlias = type[DurableInstrumentationPlugin]
AttemptInfo: TypeAlias = UserFunctionStartInfo
AttemptEndInfo: TypeAlias = UserFunctionEndInfo
AttemptEndInfoOutcome: TypeAlias = UserFunctionOutcome
PluginInvocationStatus: TypeAlias = InvocationStatus
PluginOperationStatus: TypeAlias = OperationStatus
