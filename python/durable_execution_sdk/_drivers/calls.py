"""From a context's method to the shape of operation behind it: what happens when the replay lane has no answer."""

from __future__ import annotations

from collections.abc import Callable
from types import CoroutineType
from typing import Any, Generic, TypeVar

from durable_execution_sdk._drivers.bodies import settle
from durable_execution_sdk._drivers.codec import Codec
from durable_execution_sdk._drivers.scope import OperationScope
from durable_execution_sdk._drivers.state import ExecutionState
from durable_execution_sdk._drivers.strand import running_strand
from durable_execution_sdk._drivers.threads import run_backend, run_condition, run_scope, run_step, take
from durable_execution_sdk._model.checks import check_name
from durable_execution_sdk._model.config import CallbackConfig, ChildConfig, InvokeConfig, StepConfig
from durable_execution_sdk._model.contexts import StepContext, WaitForConditionCheckContext
from durable_execution_sdk._model.enums import OperationSubType, OperationType
from durable_execution_sdk._model.homes import public
from durable_execution_sdk._model.signals import BackgroundThreadError, OrphanedChildException, SuspendExecution
from durable_execution_sdk._model.updates import OperationIdentifier, OperationUpdate, identify
from durable_execution_sdk._operations.callback import CallbackOperation, callback_result
from durable_execution_sdk._operations.condition import ConditionOperation
from durable_execution_sdk._operations.identity import describe
from durable_execution_sdk._operations.invoke import InvokeOperation
from durable_execution_sdk._operations.step import StepOperation
from durable_execution_sdk._operations.wait import WaitOperation
from durable_execution_sdk._policy.retry import RetryPresets
from durable_execution_sdk._serdes.text import DEFAULT_JSON_SERDES, EXTENDED_TYPES_SERDES, PASS_THROUGH_SERDES

T = TypeVar("T")

_DEFAULT_RETRY = RetryPresets.default()

_STEP = OperationSubType.STEP.value

SIGNALS = (SuspendExecution, BackgroundThreadError, OrphanedChildException)
"""What ends a strand. User code must let them pass; `except Exception` does."""


def operate(
    context: OperationScope,
    kind: OperationType,
    sub_type: str,
    name: str | None,
    run: Callable[[OperationIdentifier, int], Any],
) -> Any:
    """Take the next id, run the operation there, and leave replay where it ends."""
    if context.strand.signal is not None:
        context.strand.refuse(f"{sub_type} {name!r}" if name else sub_type)
    check_name(name)
    scope = context.scope
    operation_id = scope.begin(kind._value_)  # `value` goes through a descriptor written in Python
    identity = identify(operation_id, kind, sub_type, scope.parent_id, name)
    try:
        return run(identity, scope.position)
    except SIGNALS as signal:
        end_strand(context, signal)
        raise
    finally:
        scope.end(operation_id)


def end_strand(context: OperationScope, signal: BaseException) -> None:
    """The strand has ended: neither this context nor those around it answer any more."""
    # The thread knows better than the context: a branch may use the context, or a callback, of the code around it.
    strand = running_strand(context.strand)
    if strand.signal is None:
        strand.signal = signal
        ended: OperationScope | None = context
        while ended is not None and ended.strand is strand:
            ended.close_lane()
            ended = ended.parent


def call_step(context: OperationScope, func: Callable[[StepContext], Any], name: str | None, config: StepConfig) -> Any:
    """A step that the lane did not answer."""

    def run(identity: OperationIdentifier, position: int) -> Any:
        def body(attempt: int) -> Any:
            value = func(StepContext(context.operation_logger(identity, attempt), attempt))
            return settle(value) if isinstance(value, CoroutineType) else value

        return run_step(
            context.state,
            StepOperation(identity, config.step_semantics),
            body,
            _codec(context, identity, config.serdes, EXTENDED_TYPES_SERDES),
            config.retry_strategy or _DEFAULT_RETRY,
            position,
        )

    return operate(context, OperationType.STEP, config.sub_type or _STEP, name, run)


def call_wait(context: OperationScope, seconds: int, name: str | None) -> None:
    """A wait that the lane did not answer."""

    def run(identity: OperationIdentifier, position: int) -> None:
        op = WaitOperation(identity, seconds)
        run_backend(context.state, op, op.start, position)

    operate(context, OperationType.WAIT, OperationSubType.WAIT.value, name, run)


def call_child(
    context: OperationScope,
    func: Callable[[Any], Any],
    name: str | None,
    config: ChildConfig[Any],
    sub_type: str,
) -> Any:
    """A child context that the lane did not answer."""

    def run(identity: OperationIdentifier, position: int) -> Any:
        child = context.create_child_context(identity.operation_id, is_virtual=config.is_virtual)
        return run_scope(
            context.state,
            context.state.child_operation(identity, is_virtual=config.is_virtual),
            lambda _: child.run_body(func),
            _codec(context, identity, config.serdes, EXTENDED_TYPES_SERDES),
            config.summary_generator,
            position,
        )

    return operate(context, OperationType.CONTEXT, sub_type, name, run)


def call_invoke(
    context: OperationScope, function_name: str, payload: Any, name: str | None, config: InvokeConfig[Any, Any]
) -> Any:
    """An invoke that the lane did not answer."""

    def run(identity: OperationIdentifier, position: int) -> Any:
        op = InvokeOperation(identity, function_name, config.tenant_id)
        outgoing = _codec(context, identity, config.serdes_payload, DEFAULT_JSON_SERDES)

        def start() -> OperationUpdate:
            text = outgoing.encode_to_send(payload)
            hooks = context.state.hooks
            return op.start(text, None if hooks is None else hooks.trace_header(identity, function_name))

        result = run_backend(context.state, op, start, position)
        return _codec(context, identity, config.serdes_result, DEFAULT_JSON_SERDES).decode(result)

    return operate(context, OperationType.CHAINED_INVOKE, OperationSubType.CHAINED_INVOKE.value, name, run)


def call_condition(
    context: OperationScope,
    check: Callable[[Any, WaitForConditionCheckContext], Any],
    config: Any,
    name: str | None,
) -> Any:
    """A condition that the lane did not answer."""

    def run(identity: OperationIdentifier, position: int) -> Any:
        def one_check(before: Any, attempt: int) -> Any:
            logger = context.operation_logger(identity, attempt)
            return settle(check(before, WaitForConditionCheckContext(logger, attempt)))

        return run_condition(
            context.state,
            ConditionOperation(identity),
            one_check,
            _codec(context, identity, config.serdes, EXTENDED_TYPES_SERDES),
            config.initial_state,
            config.wait_strategy,
            position,
        )

    return operate(context, OperationType.STEP, OperationSubType.WAIT_FOR_CONDITION.value, name, run)


def call_callback(context: OperationScope, name: str | None, config: CallbackConfig) -> Callback[Any]:
    """The creation of a callback; cheap enough to need no lane."""

    def run(identity: OperationIdentifier, position: int) -> Callback[Any]:
        op = CallbackOperation(identity, config.timeout_seconds, config.heartbeat_timeout_seconds)
        callback_id = run_backend(context.state, op, op.start, position)
        return Callback(context, str(callback_id), identity, config.serdes or context.callback_serdes)

    sub_type = config.sub_type or OperationSubType.CALLBACK.value
    return operate(context, OperationType.CALLBACK, sub_type, name, run)  # type: ignore[no-any-return]  # what `run` returns


@public("context")
class Callback(Generic[T]):
    """The handle of a callback that somebody outside completes.

    Attributes:
        callback_id: What to hand out.
        serdes: Reads the result; None: it is text.
    """

    __slots__ = ("_context", "_identity", "callback_id", "serdes")

    def __init__(self, context: OperationScope, callback_id: str, identity: OperationIdentifier, serdes: Any) -> None:
        self._context = context
        self._identity = identity
        self.callback_id = callback_id
        self.serdes = serdes

    @property
    def operation_id(self) -> str:
        """Id of the operation."""
        return self._identity.operation_id

    @property
    def state(self) -> ExecutionState:
        """The invocation that made it."""
        return self._context.state

    def result(self) -> T | None:
        """What the callback was completed with; suspends until it is. Takes no id and writes nothing.

        Raises:
            CallbackExternalError: Whoever completed it reported a failure, or it was cancelled.
            CallbackTimeoutError: The timeout or the heartbeat timeout passed.
        """
        context = self._context
        strand = running_strand(context.strand)
        if strand.signal is not None:
            strand.refuse(f"The result of {describe(self._identity)}")
        try:
            verdict = callback_result(self.operation_id, context.state.journal.find(self.operation_id))
            payload = take(context.state, self._identity, verdict)
        except SIGNALS as signal:
            end_strand(context, signal)
            raise
        codec = Codec(self.serdes or PASS_THROUGH_SERDES, context.state, self._identity)
        return codec.decode(payload)  # type: ignore[no-any-return]  # whatever the serdes makes of it


def _codec(context: OperationScope, identity: OperationIdentifier, own: Any, otherwise: Any) -> Codec:
    return Codec(own or context.default_serdes or otherwise, context.state, identity)
