"""Ready-made retry strategies: which errors are tried again, how often, and after what delay.

A strategy is any callable `(error, attempts_made) -> RetryDecision`, where `attempts_made` counts the attempt that just
failed, from 1. The delay is computed in the Rust core; chance comes through `_model/ambient.py`, once per decision, and
only where the jitter strategy asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from durable_execution_sdk import _core
from durable_execution_sdk._model.checks import refusal
from durable_execution_sdk._model.duration import Duration, DurationLike, as_duration
from durable_execution_sdk._model.homes import public
from durable_execution_sdk._model.strategies import (
    JitterStrategy,
    LinearRetryStrategyConfig,
    RetryDecision,
    RetryStrategy,
    RetryStrategyConfig,
)
from durable_execution_sdk._model.values import Value, value


def is_retryable(
    error: Exception,
    messages: Iterable[str | re.Pattern[str]] | None,
    types: Iterable[type[BaseException]] | None,
) -> bool:
    """Whether an error passes the filters: either of them, or there are none."""
    if messages is None and types is None:
        return True
    text = str(error)
    if any(entry in text if isinstance(entry, str) else entry.search(text) for entry in messages or ()):
        return True
    return isinstance(error, tuple(types or ()))


@value
class ExponentialRetries(Value):
    """What `create_retry_strategy` returns. An object rather than a closure, so that configurations can be pickled."""

    settings: RetryStrategyConfig

    def __call__(self, error: Exception, attempts_made: int) -> RetryDecision:
        """Decide about an attempt that failed."""
        settings = self.settings
        delay = _core.exponential_delay(
            settings.initial_delay_seconds, settings.backoff_rate, settings.max_delay_seconds, attempts_made
        )
        return _decide(settings, error, attempts_made, delay)


@value
class LinearRetries(Value):
    """What `create_linear_retry_strategy` returns."""

    settings: LinearRetryStrategyConfig

    def __call__(self, error: Exception, attempts_made: int) -> RetryDecision:
        """Decide about an attempt that failed."""
        settings = self.settings
        delay = _core.linear_delay(
            settings.initial_delay_seconds, settings.increment_seconds, settings.max_delay_seconds, attempts_made
        )
        return _decide(settings, error, attempts_made, delay)


def _decide(
    settings: RetryStrategyConfig | LinearRetryStrategyConfig, error: Exception, attempts_made: int, delay: float
) -> RetryDecision:
    exhausted = attempts_made >= settings.max_attempts
    if exhausted or not is_retryable(error, settings.retryable_errors, settings.retryable_error_types):
        return RetryDecision.no_retry()
    return RetryDecision.retry(Duration(settings.jitter_strategy.finalize_delay(delay)))


@public("retries")
def create_retry_strategy(config: RetryStrategyConfig | None = None) -> RetryStrategy:
    """A strategy with exponential backoff.

    Args:
        config: Its settings. Default: 3 attempts, 5 seconds, doubled, at most 5 minutes, full jitter.

    Raises:
        ValidationError: The argument is no `RetryStrategyConfig`.

    Example:
        >>> from durable_execution_sdk.config import JitterStrategy
        >>> from durable_execution_sdk.retries import RetryStrategyConfig, create_retry_strategy
        >>> strategy = create_retry_strategy(
        ...     RetryStrategyConfig(max_attempts=4, jitter_strategy=JitterStrategy.NONE)
        ... )
        >>> strategy(TimeoutError("slow"), 2).delay_seconds
        10
    """
    if config is not None and not isinstance(config, RetryStrategyConfig):
        raise refusal("config", config, "a RetryStrategyConfig or None")
    return ExponentialRetries(config or RetryStrategyConfig())


@public("retries")
def create_linear_retry_strategy(config: LinearRetryStrategyConfig | None = None) -> RetryStrategy:
    """A strategy whose delay grows by the same amount each time.

    Args:
        config: Its settings. Default: 6 attempts, 1 second, 1 more each time, at most 5 minutes, full jitter.

    Raises:
        ValidationError: The argument is no `LinearRetryStrategyConfig`.
    """
    if config is not None and not isinstance(config, LinearRetryStrategyConfig):
        raise refusal("config", config, "a LinearRetryStrategyConfig or None")
    return LinearRetries(config or LinearRetryStrategyConfig())


@public("retries")
class RetryPresets:
    """Strategies for common cases. Every member is called: `StepConfig(retry_strategy=RetryPresets.transient())`."""

    @classmethod
    def none(cls) -> RetryStrategy:
        """Give up at once."""
        return create_retry_strategy(RetryStrategyConfig(max_attempts=1))

    @classmethod
    def no_retry(cls) -> RetryStrategy:
        """The same as `none()`, under the name that the official JavaScript SDK gives it."""
        return cls.none()

    @classmethod
    def default(cls) -> RetryStrategy:
        """What steps use when given none: 6 attempts, 5 seconds, doubled, at most 1 minute, full jitter."""
        return create_retry_strategy(RetryStrategyConfig(max_attempts=6, max_delay=Duration(60)))

    @classmethod
    def transient(cls) -> RetryStrategy:
        """For errors that pass quickly: 3 attempts, 5 seconds, doubled, at most 5 minutes, half jitter."""
        return create_retry_strategy(RetryStrategyConfig(jitter_strategy=JitterStrategy.HALF))

    @classmethod
    def resource_availability(cls) -> RetryStrategy:
        """For resources that come back: 5 attempts, 5 seconds, doubled, at most 5 minutes, full jitter."""
        return create_retry_strategy(RetryStrategyConfig(max_attempts=5))

    @classmethod
    def critical(cls) -> RetryStrategy:
        """For what has to succeed: 10 attempts, 1 second, times 1.5, at most 1 minute, no jitter."""
        return create_retry_strategy(
            RetryStrategyConfig(
                max_attempts=10,
                initial_delay=Duration(1),
                max_delay=Duration(60),
                backoff_rate=1.5,
                jitter_strategy=JitterStrategy.NONE,
            )
        )

    @classmethod
    def linear(cls) -> RetryStrategy:
        """6 attempts, with 1, 2, 3, 4 and 5 seconds between them, no jitter."""
        return create_linear_retry_strategy(LinearRetryStrategyConfig(jitter_strategy=JitterStrategy.NONE))

    @classmethod
    def fixed(cls, interval: DurationLike | None = None) -> RetryStrategy:
        """5 attempts at the same interval, no jitter.

        Args:
            interval: 5 seconds if None.
        """
        delay = Duration(5) if interval is None else as_duration("interval", interval)
        return create_retry_strategy(
            RetryStrategyConfig(
                max_attempts=5,
                initial_delay=delay,
                max_delay=delay,
                backoff_rate=1,
                jitter_strategy=JitterStrategy.NONE,
            )
        )


@value
class _Presets(Value):
    """Strategies for common cases, as values: `StepConfig(retry_strategy=retry_presets.transient)`."""

    none: RetryStrategy
    no_retry: RetryStrategy
    default: RetryStrategy
    transient: RetryStrategy
    resource_availability: RetryStrategy
    critical: RetryStrategy
    linear: RetryStrategy
    fixed: RetryStrategy


retry_presets: Final = _Presets(
    none=RetryPresets.none(),
    no_retry=RetryPresets.no_retry(),
    default=RetryPresets.default(),
    transient=RetryPresets.transient(),
    resource_availability=RetryPresets.resource_availability(),
    critical=RetryPresets.critical(),
    linear=RetryPresets.linear(),
    fixed=RetryPresets.fixed(),
)
