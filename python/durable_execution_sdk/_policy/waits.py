"""Ready-made wait strategies: whether a polled state is final, and when to look again."""

from __future__ import annotations

from typing import Generic, TypeVar

from durable_execution_sdk import _core
from durable_execution_sdk._model.checks import refusal
from durable_execution_sdk._model.duration import Duration
from durable_execution_sdk._model.errors import WaitForConditionError
from durable_execution_sdk._model.homes import public
from durable_execution_sdk._model.strategies import (
    WaitForConditionDecision,
    WaitForConditionWaitStrategyFunc,
    WaitStrategyConfig,
)
from durable_execution_sdk._model.values import Value, value

T = TypeVar("T")


@value
class ExponentialWaits(Value, Generic[T]):
    """What `create_wait_strategy` returns. An object rather than a closure, so that configurations can be pickled."""

    settings: WaitStrategyConfig[T]

    def __call__(self, state: T, attempts_made: int) -> WaitForConditionDecision:
        """Decide about the state that a check returned."""
        settings = self.settings
        if not settings.should_continue_polling(state):
            return WaitForConditionDecision.stop_polling()
        if attempts_made >= settings.max_attempts:
            raise WaitForConditionError(
                f"the condition did not hold after {attempts_made} checks (max_attempts={settings.max_attempts})"
            )
        delay = _core.exponential_delay(
            settings.initial_delay_seconds, settings.backoff_rate, settings.max_delay_seconds, attempts_made
        )
        return WaitForConditionDecision.continue_waiting(Duration(settings.jitter_strategy.finalize_delay(delay)))


@public("waits")
def create_wait_strategy(config: WaitStrategyConfig[T]) -> WaitForConditionWaitStrategyFunc[T]:
    """A strategy with exponential backoff.

    The predicate is asked first, also about the state of the last attempt. When it wants to go on and no attempt is
    left, the strategy raises `WaitForConditionError`, which is how the operation then fails.

    Args:
        config: Its settings.

    Raises:
        ValidationError: The argument is no `WaitStrategyConfig`.

    Example:
        >>> from durable_execution_sdk.waits import JitterStrategy, WaitStrategyConfig, create_wait_strategy
        >>> strategy = create_wait_strategy(
        ...     WaitStrategyConfig(lambda state: state != "done", jitter_strategy=JitterStrategy.NONE)
        ... )
        >>> strategy("running", 1).delay_seconds
        5
        >>> strategy("done", 2).should_continue
        False
    """
    if not isinstance(config, WaitStrategyConfig):
        raise refusal("config", config, "a WaitStrategyConfig")

    return ExponentialWaits(config)
