"""Retry strategies that several handlers use."""

from __future__ import annotations

from durable_execution_sdk.config import Duration, JitterStrategy
from durable_execution_sdk.retries import RetryStrategyConfig, create_retry_strategy

_CONFIG = RetryStrategyConfig(
    max_attempts=2, initial_delay=Duration.from_seconds(1), jitter_strategy=JitterStrategy.NONE
)
TWICE = create_retry_strategy(_CONFIG)
