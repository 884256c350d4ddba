"""The context of a durable function, and the decorators that bind arguments to its bodies."""

from durable_execution_sdk._drivers.binding import (
    durable_parallel_branch,
    durable_step,
    durable_wait_for_callback,
    durable_with_child_context,
)
from durable_execution_sdk._drivers.calls import Callback
from durable_execution_sdk._drivers.context import DurableContext
from durable_execution_sdk._drivers.scope import ExecutionContext
from durable_execution_sdk._drivers.state import ExecutionState
from durable_execution_sdk._model.config import (
    CallbackConfig,
    ChildConfig,
    InvokeConfig,
    MapConfig,
    ParallelBranch,
    ParallelConfig,
    StepConfig,
    WaitForCallbackConfig,
)
from durable_execution_sdk._model.contexts import StepContext, WaitForCallbackContext, WaitForConditionCheckContext
from durable_execution_sdk._model.duration import Duration
from durable_execution_sdk._model.enums import ReplayStatus
from durable_execution_sdk._model.strategies import WaitForConditionConfig

__all__ = [
    "Callback",
    "CallbackConfig",
    "ChildConfig",
    "DurableContext",
    "Duration",
    "ExecutionContext",
    "ExecutionState",
    "InvokeConfig",
    "MapConfig",
    "ParallelBranch",
    "ParallelConfig",
    "ReplayStatus",
    "StepConfig",
    "StepContext",
    "WaitForCallbackConfig",
    "WaitForCallbackContext",
    "WaitForConditionCheckContext",
    "WaitForConditionConfig",
    "durable_parallel_branch",
    "durable_step",
    "durable_wait_for_callback",
    "durable_with_child_context",
]
