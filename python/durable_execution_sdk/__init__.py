"""Durable execution: write a long workflow as one ordinary function, on AWS Lambda or on your own machine.

Every name here lives in one of the modules beside it, which is imported when the name is first used: importing the
package costs next to nothing, and a handler pays for what it needs.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

from durable_execution_sdk._core import __version__
from durable_execution_sdk._edges.ambient import connect_ambient

if TYPE_CHECKING:
    from durable_execution_sdk.aio import AsyncDurableContext, DurablePromise
    from durable_execution_sdk.concurrency.models import (
        BatchCompletionError,
        BatchItem,
        BatchResult,
        CompletionReason,
        ConcurrentExecutionItem,
    )
    from durable_execution_sdk.config import (
        BatchItemStatus,
        CallbackConfig,
        ChildConfig,
        CompletionConfig,
        CompletionDecision,
        CompletionItemStatus,
        CompletionOutcome,
        CompletionStatus,
        ConcurrencyConfig,
        Duration,
        InvokeConfig,
        JitterStrategy,
        MapConfig,
        NestingType,
        ParallelBranch,
        ParallelConfig,
        StepConfig,
        StepSemantics,
        WaitForCallbackConfig,
        complete_batch,
        continue_batch,
    )
    from durable_execution_sdk.context import (
        DurableContext,
        durable_parallel_branch,
        durable_step,
        durable_wait_for_callback,
        durable_with_child_context,
    )
    from durable_execution_sdk.exceptions import (
        CallbackError,
        CallbackExternalError,
        CallbackSubmitterError,
        CallbackTimeoutError,
        ChildContextError,
        DurableExecutionsError,
        DurableOperationError,
        ExecutionError,
        InvocationError,
        InvokeError,
        NonDeterministicExecutionError,
        PluginLoadError,
        PromiseCombinatorError,
        PromiseTimeoutError,
        RetryableSerDesError,
        SerDesError,
        StepError,
        StepInterruptedError,
        SuspendExecution,
        ValidationError,
        WaitForConditionError,
    )
    from durable_execution_sdk.execution import (
        durable_execution,
        with_durable_execution,
    )
    from durable_execution_sdk.lambda_service import (
        InvocationStatus,
        OperationSubType,
    )
    from durable_execution_sdk.retries import (
        LinearRetryStrategyConfig,
        RetryDecision,
        RetryPresets,
        RetryStrategyConfig,
        WithRetryConfig,
        create_linear_retry_strategy,
        create_retry_strategy,
        retry_presets,
        with_retry,
    )
    from durable_execution_sdk.serdes import (
        SerDes,
        SerDesContext,
        create_class_serdes,
        create_class_serdes_with_dates,
        default_serdes,
        json_serdes,
    )
    from durable_execution_sdk.types import (
        LambdaContext,
        StepContext,
        WaitForCallbackContext,
        WaitForConditionCheckContext,
    )
    from durable_execution_sdk.waits import (
        WaitForConditionConfig,
        WaitForConditionDecision,
        WaitStrategyConfig,
        create_wait_strategy,
    )

SDK_VERSION = __version__

_HOMES = {
    "AsyncDurableContext": "aio",
    "BatchCompletionError": "concurrency.models",
    "BatchItem": "concurrency.models",
    "BatchItemStatus": "config",
    "BatchResult": "concurrency.models",
    "CallbackConfig": "config",
    "CallbackError": "exceptions",
    "CallbackExternalError": "exceptions",
    "CallbackSubmitterError": "exceptions",
    "CallbackTimeoutError": "exceptions",
    "ChildConfig": "config",
    "ChildContextError": "exceptions",
    "CompletionConfig": "config",
    "CompletionDecision": "config",
    "CompletionItemStatus": "config",
    "CompletionOutcome": "config",
    "CompletionReason": "concurrency.models",
    "CompletionStatus": "config",
    "ConcurrencyConfig": "config",
    "ConcurrentExecutionItem": "concurrency.models",
    "DurableContext": "context",
    "DurableExecutionsError": "exceptions",
    "DurableOperationError": "exceptions",
    "DurablePromise": "aio",
    "Duration": "config",
    "ExecutionError": "exceptions",
    "InvocationError": "exceptions",
    "InvocationStatus": "lambda_service",
    "InvokeConfig": "config",
    "InvokeError": "exceptions",
    "JitterStrategy": "config",
    "LambdaContext": "types",
    "LinearRetryStrategyConfig": "retries",
    "MapConfig": "config",
    "NestingType": "config",
    "NonDeterministicExecutionError": "exceptions",
    "OperationSubType": "lambda_service",
    "ParallelBranch": "config",
    "ParallelConfig": "config",
    "PluginLoadError": "exceptions",
    "PromiseCombinatorError": "exceptions",
    "PromiseTimeoutError": "exceptions",
    "RetryDecision": "retries",
    "RetryPresets": "retries",
    "RetryStrategyConfig": "retries",
    "RetryableSerDesError": "exceptions",
    "SerDes": "serdes",
    "SerDesContext": "serdes",
    "SerDesError": "exceptions",
    "StepConfig": "config",
    "StepContext": "types",
    "StepError": "exceptions",
    "StepInterruptedError": "exceptions",
    "StepSemantics": "config",
    "SuspendExecution": "exceptions",
    "ValidationError": "exceptions",
    "WaitForCallbackConfig": "config",
    "WaitForCallbackContext": "types",
    "WaitForConditionCheckContext": "types",
    "WaitForConditionConfig": "waits",
    "WaitForConditionDecision": "waits",
    "WaitForConditionError": "exceptions",
    "WaitStrategyConfig": "waits",
    "WithRetryConfig": "retries",
    "complete_batch": "config",
    "continue_batch": "config",
    "create_class_serdes": "serdes",
    "create_class_serdes_with_dates": "serdes",
    "create_linear_retry_strategy": "retries",
    "create_retry_strategy": "retries",
    "create_wait_strategy": "waits",
    "default_serdes": "serdes",
    "durable_execution": "execution",
    "durable_parallel_branch": "context",
    "durable_step": "context",
    "durable_wait_for_callback": "context",
    "durable_with_child_context": "context",
    "json_serdes": "serdes",
    "retry_presets": "retries",
    "with_durable_execution": "execution",
    "with_retry": "retries",
}

__all__ = [
    "SDK_VERSION",
    "AsyncDurableContext",
    "BatchCompletionError",
    "BatchItem",
    "BatchItemStatus",
    "BatchResult",
    "CallbackConfig",
    "CallbackError",
    "CallbackExternalError",
    "CallbackSubmitterError",
    "CallbackTimeoutError",
    "ChildConfig",
    "ChildContextError",
    "CompletionConfig",
    "CompletionDecision",
    "CompletionItemStatus",
    "CompletionOutcome",
    "CompletionReason",
    "CompletionStatus",
    "ConcurrencyConfig",
    "ConcurrentExecutionItem",
    "DurableContext",
    "DurableExecutionsError",
    "DurableOperationError",
    "DurablePromise",
    "Duration",
    "ExecutionError",
    "InvocationError",
    "InvocationStatus",
    "InvokeConfig",
    "InvokeError",
    "JitterStrategy",
    "LambdaContext",
    "LinearRetryStrategyConfig",
    "MapConfig",
    "NestingType",
    "NonDeterministicExecutionError",
    "OperationSubType",
    "ParallelBranch",
    "ParallelConfig",
    "PluginLoadError",
    "PromiseCombinatorError",
    "PromiseTimeoutError",
    "RetryDecision",
    "RetryPresets",
    "RetryStrategyConfig",
    "RetryableSerDesError",
    "SerDes",
    "SerDesContext",
    "SerDesError",
    "StepConfig",
    "StepContext",
    "StepError",
    "StepInterruptedError",
    "StepSemantics",
    "SuspendExecution",
    "ValidationError",
    "WaitForCallbackConfig",
    "WaitForCallbackContext",
    "WaitForConditionCheckContext",
    "WaitForConditionConfig",
    "WaitForConditionDecision",
    "WaitForConditionError",
    "WaitStrategyConfig",
    "WithRetryConfig",
    "__version__",
    "complete_batch",
    "continue_batch",
    "create_class_serdes",
    "create_class_serdes_with_dates",
    "create_linear_retry_strategy",
    "create_retry_strategy",
    "create_wait_strategy",
    "default_serdes",
    "durable_execution",
    "durable_parallel_branch",
    "durable_step",
    "durable_wait_for_callback",
    "durable_with_child_context",
    "json_serdes",
    "retry_presets",
    "with_durable_execution",
    "with_retry",
]

connect_ambient()
del connect_ambient


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is not None:
        value = globals()[name] = getattr(_import_module(f"{__name__}.{home}"), name)
        return value
    try:
        return _import_module(f"{__name__}.{name}")  # `import durable_execution_sdk as d`, then `d.config`
    except ModuleNotFoundError as error:
        if error.name != f"{__name__}.{name}":
            raise  # the module is there, and lacks something itself
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
