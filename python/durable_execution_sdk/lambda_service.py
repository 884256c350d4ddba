"""What goes between the SDK and the service that keeps the history."""

from durable_execution_sdk._edges.clients import DurableExecutionApiClient, LambdaClient
from durable_execution_sdk._model.enums import (
    CallbackTimeoutType,
    InvocationStatus,
    OperationAction,
    OperationStatus,
    OperationSubType,
    OperationType,
)
from durable_execution_sdk._model.errors import ErrorObject
from durable_execution_sdk._model.service import (
    AsyncDurableServiceClient,
    DurableExecutionClient,
    DurableServiceClient,
)
from durable_execution_sdk._model.updates import (
    CallbackOptions,
    ChainedInvokeOptions,
    ContextOptions,
    OperationUpdate,
    StepOptions,
    WaitOptions,
)
from durable_execution_sdk._model.wire import (
    CallbackDetails,
    ChainedInvokeDetails,
    CheckpointOutput,
    CheckpointUpdatedExecutionState,
    ContextDetails,
    DurableExecutionInvocationOutput,
    ExecutionDetails,
    Operation,
    OperationPayload,
    ReplayChildren,
    StateOutput,
    StepDetails,
    TimeoutSeconds,
    TimestampConverter,
    WaitDetails,
)

__all__ = [
    "AsyncDurableServiceClient",
    "CallbackDetails",
    "CallbackOptions",
    "CallbackTimeoutType",
    "ChainedInvokeDetails",
    "ChainedInvokeOptions",
    "CheckpointOutput",
    "CheckpointUpdatedExecutionState",
    "ContextDetails",
    "ContextOptions",
    "DurableExecutionApiClient",
    "DurableExecutionClient",
    "DurableExecutionInvocationOutput",
    "DurableServiceClient",
    "ErrorObject",
    "ExecutionDetails",
    "InvocationStatus",
    "LambdaClient",
    "Operation",
    "OperationAction",
    "OperationPayload",
    "OperationStatus",
    "OperationSubType",
    "OperationType",
    "OperationUpdate",
    "ReplayChildren",
    "StateOutput",
    "StepDetails",
    "StepOptions",
    "TimeoutSeconds",
    "TimestampConverter",
    "WaitDetails",
    "WaitOptions",
]
