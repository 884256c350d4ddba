"""Protocols and function types, for annotations."""

from durable_execution_sdk._model.arn import DurableExecutionArn
from durable_execution_sdk._model.batch import ConcurrentExecutorFunc
from durable_execution_sdk._model.config import SummaryGenerator
from durable_execution_sdk._model.contexts import (
    BatchResult,
    Callback,
    ChildFunc,
    DurableContext,
    DurableExecutionHandler,
    DurableLambdaHandler,
    DurableLogger,
    LambdaContext,
    LoggerInterface,
    MapFunc,
    OperationContext,
    ParallelFunc,
    RetryableFunc,
    StepContext,
    StepFunc,
    WaitForCallbackContext,
    WaitForCallbackSubmitterFunc,
    WaitForConditionCheckContext,
    WaitForConditionCheckFunc,
)
from durable_execution_sdk._model.strategies import WaitForConditionWaitStrategyFunc

__all__ = [
    "BatchResult",
    "Callback",
    "ChildFunc",
    "ConcurrentExecutorFunc",
    "DurableContext",
    "DurableExecutionArn",
    "DurableExecutionHandler",
    "DurableLambdaHandler",
    "DurableLogger",
    "LambdaContext",
    "LoggerInterface",
    "MapFunc",
    "OperationContext",
    "ParallelFunc",
    "RetryableFunc",
    "StepContext",
    "StepFunc",
    "SummaryGenerator",
    "WaitForCallbackContext",
    "WaitForCallbackSubmitterFunc",
    "WaitForConditionCheckContext",
    "WaitForConditionCheckFunc",
    "WaitForConditionWaitStrategyFunc",
]
