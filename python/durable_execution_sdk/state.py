"""What the contexts of one invocation share, and types of the official module of this name: all for annotations."""

from durable_execution_sdk._drivers.state import ExecutionState
from durable_execution_sdk._model.annotations import (
    CHECKPOINT_NOT_FOUND,
    CheckpointBatcherConfig,
    CheckpointedResult,
    QueuedOperation,
    ScheduledRefresh,
)
from durable_execution_sdk._model.enums import ReplayStatus

__all__ = [
    "CHECKPOINT_NOT_FOUND",
    "CheckpointBatcherConfig",
    "CheckpointedResult",
    "ExecutionState",
    "QueuedOperation",
    "ReplayStatus",
    "ScheduledRefresh",
]
