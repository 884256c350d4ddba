"""Wait strategies: how `ctx.wait_for_condition` polls."""

from durable_execution_sdk._model.duration import Duration
from durable_execution_sdk._model.strategies import (
    JitterStrategy,
    Numeric,
    WaitForConditionConfig,
    WaitForConditionDecision,
    WaitStrategyConfig,
)
from durable_execution_sdk._policy.waits import create_wait_strategy

__all__ = [
    "Duration",
    "JitterStrategy",
    "Numeric",
    "WaitForConditionConfig",
    "WaitForConditionDecision",
    "WaitStrategyConfig",
    "create_wait_strategy",
]
