"""Results of map and parallel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar, cast

from durable_execution_sdk._model.completion import (
    BatchItemStatus,
    CompletionConfig,
    CompletionItemStatus,
    CompletionPolicy,
    CompletionReason,
)
from durable_execution_sdk._model.contexts import BatchResult as BatchResultProtocol
from durable_execution_sdk._model.contexts import DurableContext
from durable_execution_sdk._model.errors import (
    ChildContextError,
    DurableOperationError,
    ErrorObject,
    SerDesError,
    register_official_error,
)
from durable_execution_sdk._model.homes import public
from durable_execution_sdk._model.values import Value

R = TypeVar("R")
T = TypeVar("T")


@public("concurrency.models")
class BatchCompletionError(DurableOperationError):
    """A `should_complete` predicate declared the batch failed, though perhaps no item failed.

    Attributes:
        completion_reason: `CUSTOM_COMPLETION_FAILED`.
    """

    def __init__(
        self,
        completion_reason: CompletionReason = CompletionReason.CUSTOM_COMPLETION_FAILED,
        message: str | None = None,
        error_type: str | None = None,
        data: str | None = None,
        stack_trace: list[str] | None = None,
    ) -> None:
        super().__init__(
            message or f"Batch completed as failed by should_complete ({completion_reason.value})",
            error_type,
            data,
            stack_trace,
        )
        self.completion_reason = completion_reason


register_official_error(BatchCompletionError)


@public("concurrency.models")
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BatchItem(Value, Generic[R]):
    """One item of a map or parallel.

    Attributes:
        index: Its position in the input.
        status: How it ended, or STARTED if it had not when the batch ended.
        result: Of an item that succeeded.
        error: Of an item that failed, in recorded form; `exception` gives what would be raised.
    """

    index: int
    status: BatchItemStatus
    result: R | None = None
    error: ErrorObject | None = None

    @property
    def exception(self) -> DurableOperationError | SerDesError | None:
        """What `throw_if_error` would raise for this item; None unless it failed."""
        if self.status is not BatchItemStatus.FAILED:
            return None
        if self.error is None:
            return ChildContextError(f"item {self.index} of the batch failed, and no error was recorded for it")
        return self.error.to_operation_error(ChildContextError)

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        error = self.error.to_dict() if self.error is not None else None
        return {"index": self.index, "status": self.status.value, "result": self.result, "error": error}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> BatchItem[R]:
        """Read plain data."""
        error = data.get("error")
        return cls(
            index=data["index"],
            status=BatchItemStatus(data["status"]),
            result=data.get("result"),
            error=ErrorObject.from_dict(error) if error else None,
        )


@public("concurrency.models")
@dataclass(frozen=True, eq=False, repr=False)
class BatchResult(Value, BatchResultProtocol[R], Generic[R]):
    """What a map or parallel returns: its items by position, and why it ended. Items never started are not listed.

    Attributes:
        all: The items.
        completion_reason: Why it ended.

    Example:
        >>> from durable_execution_sdk.concurrency.models import BatchItem, BatchItemStatus, BatchResult
        >>> batch = BatchResult.from_items([BatchItem(0, BatchItemStatus.SUCCEEDED, result=5)])
        >>> batch.get_results()
        [5]
    """

    all: list[BatchItem[R]]
    completion_reason: CompletionReason

    @classmethod
    def from_items(cls, items: list[BatchItem[R]], completion_config: CompletionConfig | None = None) -> BatchResult[R]:
        """Find the reason from the items, as if they were all there are."""
        counts = [item.status for item in items]
        snapshot = tuple(CompletionItemStatus(index=item.index, status=item.status) for item in items)
        policy = CompletionPolicy(len(items), completion_config or CompletionConfig())
        reason = policy.reason_to_end(
            counts.count(BatchItemStatus.SUCCEEDED), counts.count(BatchItemStatus.FAILED), snapshot
        )
        return cls(items, reason or CompletionReason.ALL_COMPLETED)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], completion_config: CompletionConfig | None = None) -> BatchResult[R]:
        """Read plain data; without a reason there, it is found as by `from_items`.

        Raises:
            ValueError: Reason or status is none of ours.
            KeyError: There are no items.
        """
        items = [cast("BatchItem[R]", BatchItem.from_dict(item)) for item in data["all"]]
        reason = data.get("completionReason")
        if reason is None:
            return cls.from_items(items, completion_config)
        return cls(items, CompletionReason(reason))

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"all": [item.to_dict() for item in self.all], "completionReason": self.completion_reason.value}

    def _having(self, status: BatchItemStatus) -> list[BatchItem[R]]:
        return [item for item in self.all if item.status is status]

    def succeeded(self) -> list[BatchItem[R]]:
        """The items that succeeded."""
        return self._having(BatchItemStatus.SUCCEEDED)

    def failed(self) -> list[BatchItem[R]]:
        """The items that failed."""
        return self._having(BatchItemStatus.FAILED)

    def started(self) -> list[BatchItem[R]]:
        """The items that had not ended when the batch did."""
        return self._having(BatchItemStatus.STARTED)

    @property
    def status(self) -> BatchItemStatus:
        """FAILED or SUCCEEDED: what a predicate declared, else whether any item failed."""
        if self.completion_reason is CompletionReason.CUSTOM_COMPLETION_SUCCEEDED:
            return BatchItemStatus.SUCCEEDED
        if self.completion_reason is CompletionReason.CUSTOM_COMPLETION_FAILED or self.has_failure:
            return BatchItemStatus.FAILED
        return BatchItemStatus.SUCCEEDED

    @property
    def has_failure(self) -> bool:
        """Whether any item failed."""
        return any(item.status is BatchItemStatus.FAILED for item in self.all)

    def throw_if_error(self) -> None:
        """Raise the error of the first item that failed, or that a predicate declared the batch failed.

        Raises:
            ChildContextError: An item failed; `__cause__` is the error that escaped it.
            SerDesError: The first item to fail did so because of its serializer.
            BatchCompletionError: No item failed, yet the batch counts as failed.
        """
        for item in self.all:
            error = item.exception
            if error is not None:
                raise error
        if self.completion_reason is CompletionReason.CUSTOM_COMPLETION_FAILED:
            raise BatchCompletionError(self.completion_reason)

    def get_results(self) -> list[R]:
        """Results of the items that succeeded; None is a result too."""
        return [cast(R, item.result) for item in self.succeeded()]

    def get_errors(self) -> list[ErrorObject | None]:
        """Errors of the items that failed; None where none was recorded."""
        return [item.error for item in self.failed()]

    @property
    def success_count(self) -> int:
        """How many items succeeded."""
        return len(self.succeeded())

    @property
    def failure_count(self) -> int:
        """How many items failed."""
        return len(self.failed())

    @property
    def started_count(self) -> int:
        """How many items had not ended when the batch did."""
        return len(self.started())

    @property
    def total_count(self) -> int:
        """How many items are listed."""
        return len(self.all)


@public("concurrency.models")
@dataclass(frozen=True, eq=False, repr=False)
class ConcurrentExecutionItem(Value, Generic[T]):
    """One unit of work for `ctx.execute_concurrently`.

    Attributes:
        id: Names the branch where `name` is None; ids in history come from the index.
        data: Whatever the executor needs.
        index: Its position in the list.
        name: Name of the branch's operation.
    """

    id: str
    data: T
    index: int
    name: str | None = None


ConcurrentExecutorFunc: TypeAlias = Callable[[ConcurrentExecutionItem[T], DurableContext], R]
