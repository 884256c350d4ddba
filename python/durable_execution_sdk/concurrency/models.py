"""Results of map and parallel."""

from durable_execution_sdk._model.batch import (
    BatchCompletionError,
    BatchItem,
    BatchResult,
    ConcurrentExecutionItem,
)
from durable_execution_sdk._model.completion import (
    BatchItemStatus,
    CompletionConfig,
    CompletionDecision,
    CompletionItemStatus,
    CompletionOutcome,
    CompletionReason,
    CompletionStatus,
)
from durable_execution_sdk._operations.batch_record import CompletionRecord

__all__ = [
    "BatchCompletionError",
    "BatchItem",
    "BatchItemStatus",
    "BatchResult",
    "CompletionConfig",
    "CompletionDecision",
    "CompletionItemStatus",
    "CompletionOutcome",
    "CompletionReason",
    "CompletionRecord",
    "CompletionStatus",
    "ConcurrentExecutionItem",
]
