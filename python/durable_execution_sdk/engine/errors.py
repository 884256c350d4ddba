"""What the engine raises.

EngineError
|-- ServiceFault                 what the Lambda API would answer; `code` is its name there
|   |-- InvalidParameterValue    a request that breaks a rule; nothing was changed
|   |-- ExecutionNotFound        no such execution, operation or callback
|   |-- ResourceConflict         not possible in the execution's state
|   `-- ExecutionAlreadyStarted  the name is taken by an execution with other input
|-- ExecutionBusy                another process, or thread, drives the execution
|-- StoreError                   the file is not a store, is of another version, or cannot be opened
`-- ExecutionEnded               `run` and `result`: the execution ended without a result
    |-- ExecutionFailed
    |-- ExecutionTimedOut
    `-- ExecutionStopped
"""

from __future__ import annotations

from typing import ClassVar


class EngineError(Exception):
    """Root of all errors of the embedded engine."""

    __module__ = "durable_execution_sdk.engine"


class ServiceFault(EngineError):
    """A request that the service side refuses; nothing was changed. `code` is its name in the Lambda API."""

    __module__ = "durable_execution_sdk.engine"
    code: ClassVar[str] = "ServiceException"
    status: ClassVar[int] = 500


class InvalidParameterValue(ServiceFault):
    """A request breaks a rule: a malformed update, an illegal transition, a stale checkpoint token."""

    __module__ = "durable_execution_sdk.engine"
    code = "InvalidParameterValueException"
    status = 400


class ExecutionNotFound(ServiceFault):
    """No execution, operation or callback goes by that name, ARN or id."""

    __module__ = "durable_execution_sdk.engine"
    code = "ResourceNotFoundException"
    status = 404


class ResourceConflict(ServiceFault):
    """The request does not fit the state of the execution, such as stopping one that has ended."""

    __module__ = "durable_execution_sdk.engine"
    code = "ResourceConflictException"
    status = 409


class ExecutionAlreadyStarted(ServiceFault):
    """The execution name is taken by an execution with other input."""

    __module__ = "durable_execution_sdk.engine"
    code = "DurableExecutionAlreadyStartedException"
    status = 409


class ExecutionBusy(EngineError):
    """Another process (or another thread of this one) drives the execution at the moment."""

    __module__ = "durable_execution_sdk.engine"


class StoreError(EngineError):
    """The store cannot be used: no store of ours, written by a newer version, or not accessible."""

    __module__ = "durable_execution_sdk.engine"


class ExecutionEnded(EngineError):
    """The execution ended without a result.

    Attributes:
        arn: The execution's ARN.
        error_type: `ErrorType` of the recorded error, if it has one.
        error_message: `ErrorMessage` of the recorded error, if it has one.
        error_json: The recorded error object as JSON text, or None.
    """

    __module__ = "durable_execution_sdk.engine"

    def __init__(
        self, arn: str, error_type: str | None = None, error_message: str | None = None, error_json: str | None = None
    ) -> None:
        self.arn = arn
        self.error_type = error_type
        self.error_message = error_message
        self.error_json = error_json
        super().__init__(arn, error_type, error_message, error_json)

    def __str__(self) -> str:
        what = ": ".join(part for part in (self.error_type, self.error_message) if part)
        return f"{self.verb} ({self.arn})" + (f": {what}" if what else "")

    verb: ClassVar[str] = "the execution ended without a result"


class ExecutionFailed(ExecutionEnded):
    """The execution ended FAILED."""

    __module__ = "durable_execution_sdk.engine"
    verb = "the execution failed"


class ExecutionTimedOut(ExecutionEnded):
    """The execution took longer than its timeout."""

    __module__ = "durable_execution_sdk.engine"
    verb = "the execution timed out"


class ExecutionStopped(ExecutionEnded):
    """Somebody stopped the execution."""

    __module__ = "durable_execution_sdk.engine"
    verb = "the execution was stopped"
