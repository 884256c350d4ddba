"""Options of the operations, and `Duration`."""

from durable_execution_sdk._model.completion import (
    BatchItemStatus,
    CompletionConfig,
    CompletionDecision,
    CompletionItemStatus,
    CompletionOutcome,
    CompletionStatus,
    CustomCompletionConfig,
    ThresholdCompletionConfig,
    complete_batch,
    continue_batch,
)
from durable_execution_sdk._model.config import (
    CallbackConfig,
    ChildConfig,
    ConcurrencyConfig,
    InvokeConfig,
    MapConfig,
    NestingType,
    ParallelBranch,
    ParallelConfig,
    StepConfig,
    StepSemantics,
    WaitForCallbackConfig,
)
from durable_execution_sdk._model.duration import Duration, DurationLike
from durable_execution_sdk._model.strategies import JitterStrategy, Numeric

__all__ = [
    "BatchItemStatus",
    "CallbackConfig",
    "ChildConfig",
    "CompletionConfig",
    "CompletionDecision",
    "CompletionItemStatus",
    "CompletionOutcome",
    "CompletionStatus",
    "ConcurrencyConfig",
    "CustomCompletionConfig",
    "Duration",
    "DurationLike",
    "InvokeConfig",
    "JitterStrategy",
    "MapConfig",
    "NestingType",
    "Numeric",
    "ParallelBranch",
    "ParallelConfig",
    "StepConfig",
    "StepSemantics",
    "ThresholdCompletionConfig",
    "WaitForCallbackConfig",
    "complete_batch",
    "continue_batch",
]
