"""The decorator that makes a function durable, and the event of an invocation."""

from durable_execution_sdk._drivers.context import DurableContext
from durable_execution_sdk._edges.clients import LambdaClient
from durable_execution_sdk._edges.entry import DurableExecutionConfig, durable_execution, with_durable_execution
from durable_execution_sdk._model.enums import InvocationStatus
from durable_execution_sdk._model.errors import ErrorObject
from durable_execution_sdk._model.invocation import (
    DurableExecutionInvocationInput,
    DurableExecutionInvocationInputWithClient,
    InitialExecutionState,
)
from durable_execution_sdk._model.service import DurableServiceClient
from durable_execution_sdk._model.wire import DurableExecutionInvocationOutput, Operation

__all__ = [
    "DurableContext",
    "DurableExecutionConfig",
    "DurableExecutionInvocationInput",
    "DurableExecutionInvocationInputWithClient",
    "DurableExecutionInvocationOutput",
    "DurableServiceClient",
    "ErrorObject",
    "InitialExecutionState",
    "InvocationStatus",
    "LambdaClient",
    "Operation",
    "durable_execution",
    "with_durable_execution",
]
