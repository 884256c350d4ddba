"""The decorator that makes a function durable, and the event of an invocation.

The classes of events are imported when they are asked for: handlers that run on Lambda never do.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

from durable_execution_sdk._drivers.context import DurableContext
from durable_execution_sdk._edges.clients import LambdaClient
from durable_execution_sdk._edges.entry import (
    DurableExecutionConfig,
    PluginsConfig,
    durable_execution,
    with_durable_execution,
)
from durable_execution_sdk._model.enums import InvocationStatus
from durable_execution_sdk._model.errors import ErrorObject
from durable_execution_sdk._model.service import DurableServiceClient

if TYPE_CHECKING:
    from durable_execution_sdk._model.invocation import (
        DurableExecutionInvocationInput,
        DurableExecutionInvocationInputWithClient,
        InitialExecutionState,
    )
    from durable_execution_sdk._model.wire import DurableExecutionInvocationOutput, Operation

_LATE = {
    "DurableExecutionInvocationInput": "invocation",
    "DurableExecutionInvocationInputWithClient": "invocation",
    "DurableExecutionInvocationOutput": "wire",
    "InitialExecutionState": "invocation",
    "Operation": "wire",
}

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
    "PluginsConfig",
    "durable_execution",
    "with_durable_execution",
]


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(_import_module(f"durable_execution_sdk._model.{_LATE[name]}"), name)
    return value
