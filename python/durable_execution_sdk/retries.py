"""Retry strategies."""

from durable_execution_sdk._drivers.retrying import with_retry
from durable_execution_sdk._model.config import WithRetryConfig
from durable_execution_sdk._model.duration import Duration
from durable_execution_sdk._model.strategies import (
    JitterStrategy,
    LinearRetryStrategyConfig,
    Numeric,
    RetryDecision,
    RetryStrategy,
    RetryStrategyConfig,
)
from durable_execution_sdk._policy.retry import (
    RetryPresets,
    create_linear_retry_strategy,
    create_retry_strategy,
    retry_presets,
)

__all__ = [
    "Duration",
    "JitterStrategy",
    "LinearRetryStrategyConfig",
    "Numeric",
    "RetryDecision",
    "RetryPresets",
    "RetryStrategy",
    "RetryStrategyConfig",
    "WithRetryConfig",
    "create_linear_retry_strategy",
    "create_retry_strategy",
    "retry_presets",
    "with_retry",
]
