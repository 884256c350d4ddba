"""The embedded engine: durable executions on this machine, kept in one file.

    with Engine(".durable/store.db") as engine:
        result = engine.run(handler, {"order": 17}, name="order-17")

The guide `docs/guides/engine.md` tells how it works.
"""

from durable_execution_sdk.engine.clock import EngineClock, RealClock, ScaledClock, VirtualClock
from durable_execution_sdk.engine.engine import Engine
from durable_execution_sdk.engine.errors import (
    EngineError,
    ExecutionAlreadyStarted,
    ExecutionBusy,
    ExecutionEnded,
    ExecutionFailed,
    ExecutionNotFound,
    ExecutionStopped,
    ExecutionTimedOut,
    InvalidParameterValue,
    ResourceConflict,
    ServiceFault,
    StoreError,
)
from durable_execution_sdk.engine.export import HistoryFile, HistoryFileError, read_history
from durable_execution_sdk.engine.functions import FunctionNotFound
from durable_execution_sdk.engine.records import OperationRecord
from durable_execution_sdk.engine.summaries import ExecutionSummary, Observer, Progress

__all__ = [
    "Engine",
    "EngineClock",
    "EngineError",
    "ExecutionAlreadyStarted",
    "ExecutionBusy",
    "ExecutionEnded",
    "ExecutionFailed",
    "ExecutionNotFound",
    "ExecutionStopped",
    "ExecutionSummary",
    "ExecutionTimedOut",
    "FunctionNotFound",
    "HistoryFile",
    "HistoryFileError",
    "InvalidParameterValue",
    "Observer",
    "OperationRecord",
    "Progress",
    "RealClock",
    "ResourceConflict",
    "ScaledClock",
    "ServiceFault",
    "StoreError",
    "VirtualClock",
    "read_history",
]
