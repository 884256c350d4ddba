"""The tree of errors: who is at fault, and what ends.

    DurableExecutionsError                 root of everything the SDK raises on purpose
    |- ValidationError                     the caller: a bad argument; raised before anything is recorded
    |- InvalidStateError                   the caller: an object used out of turn
    |- OrderedLockError                    a predecessor in a queue of lock holders failed
    |- PluginLoadError                     the deployment: a plugin cannot be registered
    |- SerDesError                         a value that cannot be written or read, now or later; ends the operation
    |- DurableOperationError               an operation ended without a result; rebuilt alike on first run and replay
    |  |- StepError, InvokeError, ChildContextError, WaitForConditionError
    |  |- PromiseCombinatorError, PromiseTimeoutError        (ours alone)
    |  |- CallbackError
    |  |  `- CallbackExternalError, CallbackTimeoutError, CallbackSubmitterError
    |  `- BatchCompletionError             (in `_model/batch.py`)
    `- UnrecoverableError                  passes through operations without being recorded by them
       |- ExecutionError                   ends the execution as FAILED
       |  `- NonDeterministicExecutionError
       `- InvocationError                  ends the invocation; the service tries again
          |- BotoClientError               a service call failed; `error_category` says which of the two ends
          |  `- CheckpointError, GetExecutionStateError
       |- DurableExecutionClientError   the same, from a client of the user's own; ours alone
          |- StepInterruptedError          an at-most-once attempt that started and never reported
          `- RetryableSerDesError          a serializer that may work next time

    BaseException                          signals that `except Exception` must not swallow (in `_model/signals.py`)
    |- SuspendExecution
    |  `- TimedSuspendExecution
    |- BackgroundThreadError
    `- OrphanedChildException

Type names. History holds the type of an error as text, and executions move between this SDK and the official one. So
classes that the official SDK has are *written* under its module path, and *read* under that path, under ours, and as
the bare names that version 1.7.0 of it and other languages write. Every other class is written as module and qualified
name, builtins without module.
"""

from __future__ import annotations

import builtins
from collections.abc import MutableMapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, NoReturn

from durable_execution_sdk._model.homes import PACKAGE, public
from durable_execution_sdk._model.values import Value

OFFICIAL_PACKAGE: Final = "aws_durable_execution_sdk_python"


@public("exceptions")
class TerminationReason(Enum):
    """Why the SDK ended an execution or an invocation."""

    UNHANDLED_ERROR = "UNHANDLED_ERROR"
    INVOCATION_ERROR = "INVOCATION_ERROR"
    EXECUTION_ERROR = "EXECUTION_ERROR"
    CHECKPOINT_FAILED = "CHECKPOINT_FAILED"
    NON_DETERMINISTIC_EXECUTION = "NON_DETERMINISTIC_EXECUTION"
    STEP_INTERRUPTED = "STEP_INTERRUPTED"
    SERIALIZATION_ERROR = "SERIALIZATION_ERROR"


def _restore(cls: type[BaseException], args: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    error = cls.__new__(cls, *args)
    error.args = args  # classes that are an OSError as well lose them on the way
    error.__dict__.update(state)
    return error


class Pickled(BaseException):
    """Pickles by its fields: the constructors of these classes take other arguments than `args` holds."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, self.__dict__.copy())


# --- errors user code may catch ---------------------------------------------------------------------------------------


@public("exceptions")
class DurableExecutionsError(Pickled, Exception):
    """Root of the exceptions that this SDK raises."""


@public("exceptions")
class PluginLoadError(DurableExecutionsError):
    """A configured plugin cannot be registered; raised while the handler is being decorated."""


@public("exceptions")
class ValidationError(DurableExecutionsError):
    """A bad argument to an SDK call. The message names the argument, its value and what is allowed."""


@public("exceptions")
class InvalidStateError(DurableExecutionsError):
    """An object was used in a state that does not allow it."""


@public("exceptions")
class OrderedLockError(DurableExecutionsError):
    """A holder of an ordered lock failed, so those queued behind it cannot go on.

    Attributes:
        source_exception: What broke the lock, if known.
    """

    def __init__(self, message: str, source_exception: Exception | None = None) -> None:
        if source_exception is not None:
            message = f"{message} {type(source_exception).__name__}: {source_exception}"
        super().__init__(message)
        self.source_exception = source_exception


class _Recorded(DurableExecutionsError):
    """The four facts that history keeps about an error."""

    def __init__(
        self,
        message: str | None = None,
        error_type: str | None = None,
        data: str | None = None,
        stack_trace: list[str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.error_type = error_type or error_type_name(type(self))
        self.data = data
        self.stack_trace = stack_trace


@public("exceptions")
class SerDesError(_Recorded):
    """A value cannot be serialized or deserialized, and trying again will not help.

    It surfaces as itself from whichever operation met it, on the first run as on replay. Raise `RetryableSerDesError`
    from a serializer whose failure may pass.

    Attributes:
        message: What happened.
        error_type: Recorded type name; of this class itself, also for subclasses.
        data: Optional further data, as text.
        stack_trace: Optional lines of a traceback.
    """


@public("exceptions")
class DurableOperationError(_Recorded):
    """An operation ended without a result.

    The class says which kind of operation, so `except StepError` works; the fields tell about the error that escaped
    it. `__cause__` is that error rebuilt from history, on the first run as on replay: never the original object, so
    that code behaves the same both times.

    Attributes:
        message: Message of the error that escaped.
        error_type: Type name of the error that escaped (`"ValueError"`), not of this class.
        data: Optional further data, as text.
        stack_trace: Optional lines of a traceback.
    """

    @classmethod
    def from_error_fields(
        cls,
        error_type: str | None,
        message: str | None,
        data: str | None,
        stack_trace: list[str] | None,
    ) -> DurableOperationError:
        """Rebuild an error from what history holds; a plain `DurableOperationError` if the type is not one of ours."""
        known = _OPERATION_ERRORS.get(error_type or "", DurableOperationError)
        return known(message=message, error_type=error_type, data=data, stack_trace=stack_trace)

    @classmethod
    def from_error_object(cls, error: ErrorObject) -> DurableOperationError:
        """Rebuild an error from its recorded form."""
        return cls.from_error_fields(error.type, error.message, error.data, error.stack_trace)

    def to_error_object(self) -> ErrorObject:
        """The form in which history holds this error."""
        return ErrorObject.from_exception(self)


@public("exceptions")
class StepError(DurableOperationError):
    """A step failed for good: its retry strategy gave up."""


@public("exceptions")
class InvokeError(DurableOperationError):
    """An invoked function failed, timed out or was stopped."""


@public("exceptions")
class ChildContextError(DurableOperationError):
    """A child context failed; so do map and parallel, which are child contexts."""


@public("exceptions")
class WaitForConditionError(DurableOperationError):
    """Polling failed, or ran out of attempts."""


@public("exceptions")
class PromiseCombinatorError(DurableOperationError):
    """A combinator of durable promises ended without a result: an input of `all` failed, or every input of `any`."""


@public("exceptions")
class PromiseTimeoutError(PromiseCombinatorError, TimeoutError):
    """A durable promise did not settle within the time that `promise.timeout` gave it."""


@public("exceptions")
class CallbackError(DurableOperationError):
    """Any failure of a callback; raised itself where none of its subclasses fits."""


@public("exceptions")
class CallbackExternalError(CallbackError):
    """The external system reported a failure."""


@public("exceptions")
class CallbackTimeoutError(CallbackError):
    """Nobody completed the callback, or sent a heartbeat, in time."""


@public("exceptions")
class CallbackSubmitterError(CallbackError):
    """The submitter of `wait_for_callback` failed for good."""


# --- errors that end an invocation or an execution --------------------------------------------------------------------


@public("exceptions")
class UnrecoverableError(DurableExecutionsError):
    """Ends the invocation or the execution instead of the operation that met it.

    Attributes:
        termination_reason: Why.
    """

    def __init__(self, message: str, termination_reason: TerminationReason) -> None:
        super().__init__(message)
        self.termination_reason = termination_reason


@public("exceptions")
class ExecutionError(UnrecoverableError):
    """Ends the execution as FAILED, without a retry. Handlers may raise it themselves."""

    def __init__(self, message: str, termination_reason: TerminationReason = TerminationReason.EXECUTION_ERROR) -> None:
        super().__init__(message, termination_reason)


@public("exceptions")
class InvocationError(UnrecoverableError):
    """Escapes the handler, so that the service invokes it again. Handlers may raise it themselves."""

    def __init__(
        self, message: str, termination_reason: TerminationReason = TerminationReason.INVOCATION_ERROR
    ) -> None:
        super().__init__(message, termination_reason)

    def is_retryable(self) -> bool:
        """Whether another invocation may succeed."""
        return True


@public("exceptions")
class NonDeterministicExecutionError(ExecutionError):
    """Replay asked for another operation than history holds at that place: the code changed, or is not deterministic.

    Attributes:
        step_id: Id of the operation.
        recorded: Type, subtype, name and parent id of the recorded operation, if known.
        attempted: The same of what the code asked for.
    """

    recorded: tuple[str | None, ...] | None = None
    attempted: tuple[str | None, ...] | None = None

    def __init__(self, message: str, step_id: str | None = None) -> None:
        super().__init__(message, TerminationReason.NON_DETERMINISTIC_EXECUTION)
        self.step_id = step_id


@public("exceptions")
class StepInterruptedError(InvocationError):
    """An at-most-once attempt was started in an earlier invocation and never finished.

    Attributes:
        step_id: Id of the operation.
    """

    def __init__(self, message: str, step_id: str | None = None) -> None:
        super().__init__(message, TerminationReason.STEP_INTERRUPTED)
        self.step_id = step_id


@public("exceptions")
class RetryableSerDesError(InvocationError):
    """A serializer failed in a way that may pass (a network call timed out): the invocation ends and is tried again.

    It escapes maps and parallels too, instead of failing an item. A step that runs at most once per attempt is
    interrupted by it, and its retry strategy decides.
    """

    def __init__(
        self, message: str, termination_reason: TerminationReason = TerminationReason.SERIALIZATION_ERROR
    ) -> None:
        super().__init__(message, termination_reason)


# --- the recorded form ------------------------------------------------------------------------------------------------


@public("lambda_service")
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ErrorObject(Value):
    """An error as history holds it. Absent members are `None` here and left out on the wire."""

    message: str | None
    type: str | None
    data: str | None
    stack_trace: list[str] | None

    @classmethod
    def from_dict(cls, data: MutableMapping[str, Any]) -> ErrorObject:
        """Read the wire form."""
        return cls(data.get("ErrorMessage"), data.get("ErrorType"), data.get("ErrorData"), data.get("StackTrace"))

    @classmethod
    def from_exception(cls, exception: BaseException) -> ErrorObject:
        """Write down an exception.

        The type is the qualified class name, builtins without module. Data and stack trace come from the errors that
        have such fields; of other exceptions only message and type are kept.
        """
        kind = error_type_name(builtins.type(exception))
        if isinstance(exception, DurableOperationError | SerDesError):
            return cls(exception.message, kind, exception.data, exception.stack_trace)
        return cls(str(exception), kind, None, None)

    @classmethod
    def from_message(cls, message: str) -> ErrorObject:
        """An error of which only the message is known."""
        return cls(message, None, None, None)

    def to_dict(self) -> MutableMapping[str, Any]:
        """The wire form."""
        members = {
            "ErrorMessage": self.message,
            "ErrorType": self.type,
            "ErrorData": self.data,
            "StackTrace": self.stack_trace,
        }
        return {name: value for name, value in members.items() if value is not None}

    def to_durable_operation_error(self) -> DurableOperationError:
        """The exception itself, as far as history tells: of a registered class, else `DurableOperationError`."""
        return DurableOperationError.from_error_fields(self.type, self.message, self.data, self.stack_trace)

    def to_operation_error(
        self, operation_error_cls: builtins.type[DurableOperationError]
    ) -> DurableOperationError | SerDesError:
        """What the failed operation raises: `operation_error_cls` around this error, which becomes its `__cause__`.

        A serialization failure comes back as `SerDesError` whatever the operation, so that it can be caught as itself.
        """
        kind = SerDesError if self.type in SERDES_ERROR_SPELLINGS else operation_error_cls
        error = kind(message=self.message, error_type=self.type, data=self.data, stack_trace=self.stack_trace)
        error.__cause__ = self.to_durable_operation_error()
        return error

    def raise_as_operation_error(self, operation_error_cls: builtins.type[DurableOperationError]) -> NoReturn:
        """Raise `to_operation_error(operation_error_cls)`."""
        raise self.to_operation_error(operation_error_cls)


# --- type names -------------------------------------------------------------------------------------------------------

_OFFICIAL_NAMES: Final[dict[type[BaseException], str]] = {}
_OPERATION_ERRORS: Final[dict[str, type[DurableOperationError]]] = {}


def error_type_name(cls: type[BaseException]) -> str:
    """The text that history holds for an error of this class."""
    if issubclass(cls, SerDesError):
        return SERDES_ERROR_TYPE
    official = _OFFICIAL_NAMES.get(cls)
    if official is not None:
        return official
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def register_official_error(cls: type[BaseException]) -> None:
    """Say that the official SDK has this class too, in the module of the same name."""
    relative = f"{cls.__module__.removeprefix(PACKAGE)}.{cls.__qualname__}"
    _OFFICIAL_NAMES[cls] = f"{OFFICIAL_PACKAGE}{relative}"
    if issubclass(cls, DurableOperationError) and cls is not DurableOperationError:
        for spelling in (f"{OFFICIAL_PACKAGE}{relative}", f"{PACKAGE}{relative}", cls.__qualname__):
            _OPERATION_ERRORS[spelling] = cls


@public("exceptions")
def register_operation_error(error_cls: type[DurableOperationError]) -> None:
    """Let an operation error of your own come back as itself when it is rebuilt from history.

    Its constructor must take `message`, `error_type`, `data` and `stack_trace` as keywords. Registering is needed in
    every process that replays, before the handler runs.
    """
    _OPERATION_ERRORS[f"{error_cls.__module__}.{error_cls.__qualname__}"] = error_cls


SERDES_ERROR_TYPE: Final = f"{OFFICIAL_PACKAGE}.exceptions.SerDesError"
SERDES_ERROR_SPELLINGS: Final = frozenset({SERDES_ERROR_TYPE, f"{PACKAGE}.exceptions.SerDesError", "SerDesError"})

for _official in (
    DurableExecutionsError,
    PluginLoadError,
    ValidationError,
    InvalidStateError,
    OrderedLockError,
    SerDesError,
    DurableOperationError,
    StepError,
    InvokeError,
    ChildContextError,
    WaitForConditionError,
    CallbackError,
    CallbackExternalError,
    CallbackTimeoutError,
    CallbackSubmitterError,
    UnrecoverableError,
    ExecutionError,
    InvocationError,
    NonDeterministicExecutionError,
    StepInterruptedError,
    RetryableSerDesError,
):
    register_official_error(_official)
del _official

register_operation_error(PromiseCombinatorError)
register_operation_error(PromiseTimeoutError)
