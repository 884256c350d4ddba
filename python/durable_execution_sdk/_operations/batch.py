"""What map, parallel and the primitive under them decide, apart from who runs next (`coordinator`).

The batch itself is a child context (`child`), and so is each branch. A branch's outcome:

| the branch ends with                          | event                                                  |
|-----------------------------------------------|--------------------------------------------------------|
| a value                                       | Succeeded                                              |
| `TimedSuspendExecution`, `SuspendExecution`   | Suspended, until a moment or until there is news       |
| `OrphanedChildException`                      | Orphaned                                               |
| `ExecutionError`, other `BaseException`       | Fatal: passes through every tolerance                  |
| `InvocationError` that a new invocation cures | Failed, and raised when the batch ends or would suspend|
| any other `Exception`                         | Failed                                                 |

A batch that is recorded as finished, but whose result was too large to be kept, is made again from its branches:

| branch, by the summary | its record       | NESTED                | FLAT                  |
|------------------------|------------------|-----------------------|-----------------------|
| not started            | not looked at    | left out              | left out              |
| had not ended          | any              | STARTED               | STARTED               |
| had ended              | SUCCEEDED        | enter again           | nondeterminism        |
| had ended              | FAILED           | failed as recorded    | nondeterminism        |
| had ended              | absent or open   | nondeterminism        | run again (if absent) |
| no readable summary    | SUCCEEDED/FAILED | as above              | nondeterminism        |
| no readable summary    | absent or open   | STARTED               | STARTED (if absent)   |
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any, Final, TypeAlias

from durable_execution_sdk._core import Record, operation_id
from durable_execution_sdk._model.batch import BatchItem
from durable_execution_sdk._model.checks import refusal
from durable_execution_sdk._model.completion import BatchItemStatus
from durable_execution_sdk._model.config import ConcurrencyConfig, NestingType
from durable_execution_sdk._model.enums import OperationSubType, OperationType
from durable_execution_sdk._model.errors import (
    DurableOperationError,
    ErrorObject,
    ExecutionError,
    InvocationError,
    NonDeterministicExecutionError,
    ValidationError,
)
from durable_execution_sdk._model.signals import OrphanedChildException, SuspendExecution, TimedSuspendExecution
from durable_execution_sdk._model.updates import OperationIdentifier, identify
from durable_execution_sdk._model.values import Value, value
from durable_execution_sdk._operations.batch_events import BranchEvent, Failed, Fatal, Orphaned, Suspended
from durable_execution_sdk._operations.batch_record import CompletionRecord
from durable_execution_sdk._operations.identity import describe, reject_recorded_virtual, require_same
from durable_execution_sdk._operations.outcomes import recorded_error

_UNLABELLED: Final = OperationSubType.RUN_IN_CHILD_CONTEXT.value


@value
class BatchOperation(Value):
    """One batch: its identity, its options, the names of its branches.

    `given_names` are those that the user gave (None: none); `default_name` names the others by their index.
    """

    identity: OperationIdentifier
    config: ConcurrencyConfig
    total: int
    default_name: Callable[[int], str] = str
    given_names: Sequence[str | None] | None = None
    is_flat: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_flat", self.config.nesting_type is NestingType.FLAT)

    def branch_id(self, index: int) -> str:
        """The id of the branch at this index."""
        return operation_id(self.identity.operation_id, index)

    @property
    def branch_sub_type(self) -> str:
        """What the branches are labelled as."""
        return self.config.iteration_sub_type or _UNLABELLED

    def branch_name(self, index: int) -> str:
        """What the branch at this index is called."""
        given = None if self.given_names is None else self.given_names[index]
        return self.default_name(index) if given is None else given

    def branch(self, index: int) -> OperationIdentifier:
        """Who the branch at this index is."""
        return identify(
            self.branch_id(index),
            OperationType.CONTEXT,
            self.branch_sub_type,
            self.identity.operation_id,
            self.branch_name(index),
        )


# --- outcome of a branch ----------------------------------------------------------------------------------------------


def branch_error(error: Exception) -> ErrorObject:
    """What an item tells of the error that escaped its branch: the error itself, not the wrapper around it."""
    if isinstance(error, DurableOperationError):
        return ErrorObject(error.message, error.error_type, error.data, error.stack_trace)
    return ErrorObject.from_exception(error)


def ended_by(index: int, error: BaseException) -> BranchEvent:
    """The first table above, without its first row."""
    if isinstance(error, TimedSuspendExecution):
        return Suspended(index, round(error.scheduled_timestamp * 1000))
    if isinstance(error, SuspendExecution):
        return Suspended(index, None)
    if isinstance(error, OrphanedChildException):
        return Orphaned(index)
    if isinstance(error, ExecutionError) or not isinstance(error, Exception):
        return Fatal(index, error)
    curable = isinstance(error, InvocationError) and error.is_retryable()
    return Failed(index, branch_error(error), error if curable else None)


# --- a finished batch, made again -------------------------------------------------------------------------------------


@value
class Settle(Value):
    """The item is this; nothing runs."""

    item: BatchItem[Any]


@value
class Reenter(Value):
    """Go through the branch again; what it raises is the item's failure, unless it ends the batch."""


Rebuilt: TypeAlias = Settle | Reenter


def rebuild_branch(
    op: BatchOperation, index: int, identity: OperationIdentifier, record: Record | None, end: CompletionRecord | None
) -> Rebuilt:
    """The second table above.

    Raises:
        NonDeterministicExecutionError: The record is not one that this code can have left.
    """
    if record is not None:
        require_same(identity, record)
        if op.is_flat:
            raise reject_recorded_virtual(identity)
    if end is not None and index in end.started_indexes:
        return Settle(BatchItem(index, BatchItemStatus.STARTED))
    if record is not None and record.status == "SUCCEEDED":
        return Reenter()
    if record is not None and record.is_terminal:
        return Settle(BatchItem(index, BatchItemStatus.FAILED, error=recorded_error(record)))
    if end is None:
        return Settle(BatchItem(index, BatchItemStatus.STARTED))
    if op.is_flat:
        return Reenter()
    raise NonDeterministicExecutionError(
        f"Replay diverged from history: {describe(op.identity)} is recorded as finished, with"
        f" {describe(identity)} (id {identity.operation_id}) among the branches that had ended, but that branch"
        f" {'has no record' if record is None else f'is recorded as {record.status}'}.\n"
        "Executions in flight need the nesting they were started with.",
        step_id=identity.operation_id,
    )


def failure_again(op: BatchOperation, event: BranchEvent, record: Record | None) -> ErrorObject | None:
    """The failure of a branch that was gone through again; None if what it raised is to be raised.

    A branch that is recorded has succeeded. Only a check of recorded histories goes through one that failed; its record
    has the error beside.
    """
    if not isinstance(event, Failed) or event.retryable is not None:
        return None
    return event.error if op.is_flat or (record is not None and record.error is not None) else None


# --- arguments --------------------------------------------------------------------------------------------------------


def count_of(argument: str, items: Any) -> int:
    """How many branches there will be.

    Raises:
        ValidationError: That cannot be told beforehand.
    """
    try:
        return len(items)
    except TypeError:
        raise ValidationError(
            f"{argument} must have a length (a list, a tuple, a range), got: {type(items).__name__}"
        ) from None


def check_positions(items: Sequence[Any]) -> None:
    """Items of `execute_concurrently` must know where they stand, for their ids are made from it.

    Raises:
        ValidationError: One does not.
    """
    for position, item in enumerate(items):
        index = getattr(item, "index", None)
        if index != position or isinstance(index, bool):
            raise refusal(f"items[{position}].index", index, f"its position, {position}")
