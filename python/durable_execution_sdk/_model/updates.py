"""What a checkpoint asks for: one `OperationUpdate` per transition, about the operation that an identifier names."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from durable_execution_sdk import _core
from durable_execution_sdk._model import ambient
from durable_execution_sdk._model.enums import OperationAction, OperationType
from durable_execution_sdk._model.errors import ErrorObject, NonDeterministicExecutionError
from durable_execution_sdk._model.homes import public
from durable_execution_sdk._model.values import Value, draft_of

if TYPE_CHECKING:
    from typing import Self

    from durable_execution_sdk._model.wire import Operation, ReplayChildren, TimeoutSeconds


@public("identifier")
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class OperationIdNamespace(Value):
    """The ids under one prefix. The same position has the same id, always and everywhere."""

    prefix: str | None = None

    def create_id_for_step(self, step: int) -> str:
        """The id of the operation at this position."""
        return _core.operation_id(self.prefix, step)


@public("identifier")
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class OperationIdentifier(Value):
    """Who an operation is: what replay compares with history."""

    operation_id: str
    sub_type: str
    parent_id: str | None = None
    name: str | None = None
    operation_type: OperationType = field(kw_only=True)

    @property
    def type(self) -> OperationType:
        """The same as `operation_type`."""
        return self.operation_type

    def validate_checkpoint(self, checkpoint: Operation | None) -> None:
        """Compare with what history holds for this id.

        Raises:
            NonDeterministicExecutionError: Type, subtype, name or parent differ; an empty name or parent is none.
        """
        if checkpoint is None:
            return
        compared = (
            ("type", checkpoint.operation_type.value, self.operation_type.value),
            ("subtype", checkpoint.sub_type, self.sub_type),
            ("name", checkpoint.name or None, self.name or None),
            ("parent", checkpoint.parent_id or None, self.parent_id or None),
        )
        differing = [f"{what}: recorded {old!r}, attempted {new!r}" for what, old, new in compared if old != new]
        if differing:
            raise NonDeterministicExecutionError(
                f"operation {self.operation_id} is not the recorded one ({'; '.join(differing)}): the handler changed "
                "since this execution started, or does not do the same on every run",
                step_id=self.operation_id,
            )


@public("lambda_service")
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StepOptions(Value):
    """With RETRY of a step: seconds until the next attempt, from 1 to 31,622,400 (Lambda API)."""

    next_attempt_delay_seconds: int = 0

    @classmethod
    def from_dict(cls, data: MutableMapping[str, Any]) -> StepOptions:
        """Read the wire form."""
        return cls(data.get("NextAttemptDelaySeconds", 0))

    def to_dict(self) -> MutableMapping[str, Any]:
        """The wire form."""
        return {"NextAttemptDelaySeconds": self.next_attempt_delay_seconds}


@public("lambda_service")
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WaitOptions(Value):
    """With START of a wait: its length in seconds, from 1 to 31,622,400 (Lambda API)."""

    wait_seconds: int = 1

    @classmethod
    def from_dict(cls, data: MutableMapping[str, Any]) -> WaitOptions:
        """Read the wire form."""
        return cls(data.get("WaitSeconds", 1))

    def to_dict(self) -> MutableMapping[str, Any]:
        """The wire form."""
        return {"WaitSeconds": self.wait_seconds}


@public("lambda_service")
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CallbackOptions(Value):
    """With START of a callback: its timeouts in seconds; 0 is none."""

    timeout_seconds: TimeoutSeconds = 0
    heartbeat_timeout_seconds: int = 0

    @classmethod
    def from_dict(cls, data: MutableMapping[str, Any]) -> CallbackOptions:
        """Read the wire form."""
        return cls(data.get("TimeoutSeconds", 0), data.get("HeartbeatTimeoutSeconds", 0))

    def to_dict(self) -> MutableMapping[str, Any]:
        """The wire form; both are always there, as in the official SDK 3.0.0."""
        return {"TimeoutSeconds": self.timeout_seconds, "HeartbeatTimeoutSeconds": self.heartbeat_timeout_seconds}


@public("lambda_service")
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ChainedInvokeOptions(Value):
    """With START of an invoke: whom to call, for which tenant, under which trace."""

    function_name: str
    tenant_id: str | None = None
    x_amzn_trace_id: str | None = None

    @classmethod
    def from_dict(cls, data: MutableMapping[str, Any]) -> ChainedInvokeOptions:
        """Read the wire form."""
        return cls(data["FunctionName"], data.get("TenantId"), data.get("XAmznTraceId"))

    def to_dict(self) -> MutableMapping[str, Any]:
        """The wire form; absent members are left out."""
        options = {"FunctionName": self.function_name}
        if self.tenant_id is not None:
            options["TenantId"] = self.tenant_id
        if self.x_amzn_trace_id is not None:
            options["XAmznTraceId"] = self.x_amzn_trace_id
        return options


@public("lambda_service")
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ContextOptions(Value):
    """With SUCCEED of a context: whether its result is to be made again from its children."""

    replay_children: ReplayChildren = False

    @classmethod
    def from_dict(cls, data: MutableMapping[str, Any]) -> ContextOptions:
        """Read the wire form."""
        return cls(data.get("ReplayChildren", False))

    def to_dict(self) -> MutableMapping[str, Any]:
        """The wire form."""
        return {"ReplayChildren": self.replay_children}


@public("lambda_service")
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class OperationUpdate(Value):
    """One requested transition of one operation. The `create_...` class methods make those that the service knows."""

    operation_id: str
    operation_type: OperationType
    action: OperationAction
    parent_id: str | None = None
    name: str | None = None
    sub_type: str | None = None
    payload: str | None = None
    error: ErrorObject | None = None
    context_options: ContextOptions | None = None
    step_options: StepOptions | None = None
    wait_options: WaitOptions | None = None
    callback_options: CallbackOptions | None = None
    chained_invoke_options: ChainedInvokeOptions | None = None

    def to_dict(self) -> MutableMapping[str, Any]:
        """The wire form: empty names and parents are left out, an empty payload is not."""
        update: dict[str, Any] = {
            "Id": self.operation_id,
            "Type": self.operation_type._value_,  # `value` goes through a descriptor written in Python
            "Action": self.action._value_,
        }
        if self.parent_id:
            update["ParentId"] = self.parent_id
        if self.name:
            update["Name"] = self.name
        if self.sub_type:
            update["SubType"] = self.sub_type
        if self.payload is not None:
            update["Payload"] = self.payload
        if self.error is not None:
            update["Error"] = self.error.to_dict()
        if self.context_options is not None:
            update["ContextOptions"] = self.context_options.to_dict()
        if self.step_options is not None:
            update["StepOptions"] = self.step_options.to_dict()
        if self.wait_options is not None:
            update["WaitOptions"] = self.wait_options.to_dict()
        if self.callback_options is not None:
            update["CallbackOptions"] = self.callback_options.to_dict()
        if self.chained_invoke_options is not None:
            update["ChainedInvokeOptions"] = self.chained_invoke_options.to_dict()
        return update

    @classmethod
    def from_dict(cls, data: MutableMapping[str, Any]) -> OperationUpdate:
        """Read the wire form."""

        def part(member: str, kind: Any) -> Any:
            raw: Mapping[str, Any] | None = data.get(member)
            return kind.from_dict(raw) if raw else None

        return cls(
            operation_id=data["Id"],
            operation_type=OperationType(data["Type"]),
            action=OperationAction(data["Action"]),
            parent_id=data.get("ParentId"),
            name=data.get("Name"),
            sub_type=data.get("SubType") or None,
            payload=data.get("Payload"),
            error=part("Error", ErrorObject),
            context_options=part("ContextOptions", ContextOptions),
            step_options=part("StepOptions", StepOptions),
            wait_options=part("WaitOptions", WaitOptions),
            callback_options=part("CallbackOptions", CallbackOptions),
            chained_invoke_options=part("ChainedInvokeOptions", ChainedInvokeOptions),
        )

    @classmethod
    def about(
        cls,
        identifier: OperationIdentifier,
        operation_type: OperationType,
        action: OperationAction,
        *,
        payload: str | None = None,
        error: ErrorObject | None = None,
        context_options: ContextOptions | None = None,
        step_options: StepOptions | None = None,
        wait_options: WaitOptions | None = None,
        callback_options: CallbackOptions | None = None,
        chained_invoke_options: ChainedInvokeOptions | None = None,
    ) -> Self:
        """A transition of the identified operation, with the fields that go with it."""
        draft = _DRAFT()
        draft.operation_id = identifier.operation_id
        draft.operation_type = operation_type
        draft.action = action
        draft.parent_id = identifier.parent_id
        draft.name = identifier.name
        draft.sub_type = identifier.sub_type
        draft.payload = payload
        draft.error = error
        draft.context_options = context_options
        draft.step_options = step_options
        draft.wait_options = wait_options
        draft.callback_options = callback_options
        draft.chained_invoke_options = chained_invoke_options
        draft.__class__ = cls
        update: Self = draft
        return update

    @classmethod
    def create_callback(cls, identifier: OperationIdentifier, callback_options: CallbackOptions) -> OperationUpdate:
        """Start a callback."""
        return cls.about(identifier, OperationType.CALLBACK, OperationAction.START, callback_options=callback_options)

    @classmethod
    def create_context_start(cls, identifier: OperationIdentifier) -> OperationUpdate:
        """Start a child context."""
        return cls.about(identifier, OperationType.CONTEXT, OperationAction.START)

    @classmethod
    def create_context_succeed(
        cls,
        identifier: OperationIdentifier,
        payload: str | None,
        *,
        context_options: ContextOptions | None = None,
    ) -> OperationUpdate:
        """End a child context with a result."""
        return cls.about(
            identifier,
            OperationType.CONTEXT,
            OperationAction.SUCCEED,
            payload=payload,
            context_options=context_options,
        )

    @classmethod
    def create_context_fail(
        cls, identifier: OperationIdentifier, error: ErrorObject, context_options: ContextOptions | None = None
    ) -> OperationUpdate:
        """End a child context with an error."""
        return cls.about(
            identifier, OperationType.CONTEXT, OperationAction.FAIL, error=error, context_options=context_options
        )

    @classmethod
    def create_execution_succeed(cls, payload: str) -> OperationUpdate:
        """End the execution with a result that is too large for the answer. Takes its id from the clock."""
        return cls(_execution_result_id(), OperationType.EXECUTION, OperationAction.SUCCEED, payload=payload)

    @classmethod
    def create_execution_fail(cls, error: ErrorObject) -> OperationUpdate:
        """End the execution with an error that is too large for the answer. Takes its id from the clock."""
        return cls(_execution_result_id(), OperationType.EXECUTION, OperationAction.FAIL, error=error)

    @classmethod
    def create_step_start(cls, identifier: OperationIdentifier) -> OperationUpdate:
        """Start an attempt of a step."""
        return cls.about(identifier, OperationType.STEP, OperationAction.START)

    @classmethod
    def create_step_succeed(cls, identifier: OperationIdentifier, payload: str | None) -> OperationUpdate:
        """End a step with a result."""
        return cls.about(identifier, OperationType.STEP, OperationAction.SUCCEED, payload=payload)

    @classmethod
    def create_step_fail(cls, identifier: OperationIdentifier, error: ErrorObject) -> OperationUpdate:
        """End a step with an error."""
        return cls.about(identifier, OperationType.STEP, OperationAction.FAIL, error=error)

    @classmethod
    def create_step_retry(
        cls, identifier: OperationIdentifier, error: ErrorObject, next_attempt_delay_seconds: int
    ) -> OperationUpdate:
        """End an attempt of a step with an error, and ask for another one."""
        options = StepOptions(next_attempt_delay_seconds)
        return cls.about(identifier, OperationType.STEP, OperationAction.RETRY, error=error, step_options=options)

    @classmethod
    def create_invoke_start(
        cls, identifier: OperationIdentifier, payload: str | None, chained_invoke_options: ChainedInvokeOptions
    ) -> OperationUpdate:
        """Call another function."""
        return cls.about(
            identifier,
            OperationType.CHAINED_INVOKE,
            OperationAction.START,
            payload=payload,
            chained_invoke_options=chained_invoke_options,
        )

    @classmethod
    def create_wait_for_condition_start(cls, identifier: OperationIdentifier) -> OperationUpdate:
        """Start a check of a condition; to the service it is an attempt of a step."""
        return cls.create_step_start(identifier)

    @classmethod
    def create_wait_for_condition_succeed(cls, identifier: OperationIdentifier, payload: str | None) -> OperationUpdate:
        """The condition holds; the payload is the final state."""
        return cls.create_step_succeed(identifier, payload)

    @classmethod
    def create_wait_for_condition_retry(
        cls, identifier: OperationIdentifier, payload: str | None, next_attempt_delay_seconds: int
    ) -> OperationUpdate:
        """The condition does not hold yet; the payload is the state to go on with."""
        options = StepOptions(next_attempt_delay_seconds)
        return cls.about(identifier, OperationType.STEP, OperationAction.RETRY, payload=payload, step_options=options)

    @classmethod
    def create_wait_for_condition_fail(cls, identifier: OperationIdentifier, error: ErrorObject) -> OperationUpdate:
        """The check failed."""
        return cls.create_step_fail(identifier, error)

    @classmethod
    def create_wait_start(cls, identifier: OperationIdentifier, wait_options: WaitOptions) -> OperationUpdate:
        """Start a timer."""
        return cls.about(identifier, OperationType.WAIT, OperationAction.START, wait_options=wait_options)


def _execution_result_id() -> str:
    return f"execution-result-{int(ambient.now_s() * 1000)}"


_DRAFT = draft_of(OperationUpdate)
_NAMELESS = draft_of(OperationIdentifier)


def identify(
    operation_id: str, operation_type: OperationType, sub_type: str, parent_id: str | None, name: str | None
) -> OperationIdentifier:
    """An `OperationIdentifier`, made quickly: each operation that is not replayed needs one."""
    draft = _NAMELESS()
    draft.operation_id = operation_id
    draft.sub_type = sub_type
    draft.parent_id = parent_id
    draft.name = name
    draft.operation_type = operation_type
    draft.__class__ = OperationIdentifier
    identifier: OperationIdentifier = draft
    return identifier
