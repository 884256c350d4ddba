"""Types of the official module `state`, kept so that annotations which name them go on working.

They are plumbing of the official SDK 3.0.0. Nothing here uses them; ours is in `_drivers/` and in the Rust core.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Final, Protocol

from durable_execution_sdk._model.enums import TERMINAL_STATUSES, OperationStatus
from durable_execution_sdk._model.errors import ErrorObject
from durable_execution_sdk._model.homes import public
from durable_execution_sdk._model.updates import OperationUpdate
from durable_execution_sdk._model.wire import Operation


@public("state")
@dataclass(frozen=True)
class CheckpointBatcherConfig:
    """Limits of one checkpoint request."""

    max_batch_size_bytes: int = 768_000
    max_batch_time_seconds: float = 1.0
    max_batch_operations: int = 250


@public("state")
@dataclass(frozen=True)
class CheckpointedResult:
    """What history holds for one operation id."""

    operation: Operation | None = None
    status: OperationStatus | None = None
    result: str | None = None
    error: ErrorObject | None = None

    @classmethod
    def create_from_operation(cls, operation: Operation) -> CheckpointedResult:
        """What this operation has recorded."""
        details = (
            operation.step_details
            or operation.callback_details
            or operation.chained_invoke_details
            or operation.context_details
        )
        if details is None:
            return cls(operation, operation.status)
        return cls(operation, operation.status, details.result, details.error)

    @classmethod
    def create_not_found(cls) -> CheckpointedResult:
        """Nothing is recorded."""
        return cls()

    def is_existent(self) -> bool:
        """Whether anything is recorded."""
        return self.operation is not None

    def is_succeeded(self) -> bool:
        """Whether it ended with a result."""
        return self.status is OperationStatus.SUCCEEDED

    def is_failed(self) -> bool:
        """Whether it ended with an error."""
        return self.status is OperationStatus.FAILED

    def is_cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self.status is OperationStatus.CANCELLED

    def is_timed_out(self) -> bool:
        """Whether it ran out of time."""
        return self.status is OperationStatus.TIMED_OUT

    def is_stopped(self) -> bool:
        """Whether it was stopped."""
        return self.status is OperationStatus.STOPPED

    def is_started(self) -> bool:
        """Whether it was started and has not ended."""
        return self.status is OperationStatus.STARTED

    def is_started_or_ready(self) -> bool:
        """Whether it was started, or is due for another attempt."""
        return self.status in {OperationStatus.STARTED, OperationStatus.READY}

    def is_pending(self) -> bool:
        """Whether it waits for its next attempt."""
        return self.status is OperationStatus.PENDING

    def is_ready(self) -> bool:
        """Whether it is due for another attempt."""
        return self.status is OperationStatus.READY

    def is_terminal(self) -> bool:
        """Whether it ended, in whichever way."""
        return self.status in TERMINAL_STATUSES

    def is_replay_children(self) -> bool:
        """Whether its result has to be made again from its children."""
        details = self.operation.context_details if self.operation is not None else None
        return details is not None and details.replay_children

    def get_next_attempt_timestamp(self) -> datetime.datetime | None:
        """When its next attempt is due."""
        details = self.operation.step_details if self.operation is not None else None
        return details.next_attempt_timestamp if details is not None else None


CHECKPOINT_NOT_FOUND: Final = CheckpointedResult()


@public("state")
class QueuedOperation(Protocol):
    """An update on its way to the service."""

    operation_update: OperationUpdate | None


@public("state")
class ScheduledRefresh(Protocol):
    """A look at the service that is planned for later."""

    earliest_check_time: float

    def cancel(self) -> None:
        """Do not look."""
