"""What retry and wait strategies decide, and the settings of those that the SDK makes (`_policy/`)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from durable_execution_sdk import _core
from durable_execution_sdk._model import ambient
from durable_execution_sdk._model.checks import (
    check_callable,
    check_optional_serdes,
    check_whole,
    refusal,
)
from durable_execution_sdk._model.duration import Duration, DurationField, DurationLike
from durable_execution_sdk._model.homes import public
from durable_execution_sdk._model.values import Value

if TYPE_CHECKING:
    from durable_execution_sdk._model.serdes import SerDes

T = TypeVar("T")
Numeric: TypeAlias = int | float


@public("config")
class JitterStrategy(StrEnum):
    """How a computed delay is randomised, so that what failed together is not tried again together.

    NONE leaves it, HALF takes at least half of it, FULL anything from zero to all of it.
    """

    NONE = "NONE"
    FULL = "FULL"
    HALF = "HALF"

    def apply_jitter(self, delay: float) -> float:
        """The delay, randomised."""
        if self is JitterStrategy.NONE:
            return delay
        return _core.jittered(self.value, delay, ambient.draw())

    def finalize_delay(self, base_delay: float) -> int:
        """The delay, randomised, then rounded up to whole seconds, at least one."""
        return _core.finalized(self.apply_jitter(base_delay))


@public("retries")
@dataclass
class RetryDecision:
    """What a retry strategy says about a failed attempt.

    Args:
        should_retry: Whether there is another attempt.
        delay: How long to wait before it; one second if left out.
    """

    should_retry: bool
    delay: DurationField = DurationField(Duration(1))

    @property
    def delay_seconds(self) -> int:
        """The delay in seconds."""
        return self.delay.to_seconds()

    @classmethod
    def retry(cls, delay: DurationLike) -> RetryDecision:
        """Try again after the delay."""
        return cls(should_retry=True, delay=delay)

    @classmethod
    def no_retry(cls) -> RetryDecision:
        """Give up."""
        return cls(should_retry=False, delay=Duration())


RetryStrategy: TypeAlias = Callable[[Exception, int], RetryDecision]
"""Says what to do about an error; the number counts the attempts made so far, from 1."""


def _check_backoff(max_attempts: object, jitter_strategy: object) -> JitterStrategy:
    check_whole("max_attempts", max_attempts, 0, "a whole number, 0 or more")
    try:
        return JitterStrategy(jitter_strategy)  # type: ignore[arg-type]  # a bad value raises, which is the point
    except ValueError:
        raise refusal("jitter_strategy", jitter_strategy, "a JitterStrategy") from None


def _check_rate(rate: object) -> None:
    if not isinstance(rate, int | float) or not math.isfinite(rate) or rate < 0:
        raise refusal("backoff_rate", rate, "a finite number, 0 or more")


def _check_filters(messages: Any, types: Any) -> None:
    bare_text = isinstance(messages, str)
    if bare_text or not all(isinstance(entry, str | re.Pattern) for entry in messages or ()):
        raise refusal("retryable_errors", messages, "a list of strings and compiled patterns, or None")
    if not all(isinstance(entry, type) and issubclass(entry, BaseException) for entry in types or ()):
        raise refusal("retryable_error_types", types, "a list of exception classes, or None")


@public("retries")
@dataclass
class RetryStrategyConfig:
    """Exponential backoff: attempt n is followed by `min(initial_delay * backoff_rate ** (n - 1), max_delay)`.

    Args:
        max_attempts: Attempts in all.
        initial_delay: After the first attempt.
        max_delay: At most so long.
        backoff_rate: Factor from one delay to the next.
        jitter_strategy: How the delay is randomised. Afterwards it is rounded up, to at least one second.
        retryable_errors: Only errors whose text contains one of the strings, or is matched by one of the patterns.
        retryable_error_types: Only errors of these classes. With both filters, passing one is enough; with neither,
            everything is retried.

    Raises:
        ValidationError: A value is out of range.
    """

    max_attempts: int = 3
    initial_delay: DurationField = DurationField(Duration(5))
    max_delay: DurationField = DurationField(Duration(300))
    backoff_rate: Numeric = 2.0
    jitter_strategy: JitterStrategy = field(default=JitterStrategy.FULL)
    retryable_errors: list[str | re.Pattern[str]] | None = None
    retryable_error_types: list[type[Exception]] | None = None

    def __post_init__(self) -> None:
        self.jitter_strategy = _check_backoff(self.max_attempts, self.jitter_strategy)
        _check_rate(self.backoff_rate)
        _check_filters(self.retryable_errors, self.retryable_error_types)

    @property
    def initial_delay_seconds(self) -> int:
        """`initial_delay` in seconds."""
        return self.initial_delay.to_seconds()

    @property
    def max_delay_seconds(self) -> int:
        """`max_delay` in seconds."""
        return self.max_delay.to_seconds()


@public("retries")
@dataclass
class LinearRetryStrategyConfig:
    """Linear backoff: attempt n is followed by `min(initial_delay + increment * (n - 1), max_delay)`.

    Args:
        max_attempts: Attempts in all.
        initial_delay: After the first attempt.
        increment: From one delay to the next.
        max_delay: At most so long.
        jitter_strategy: How the delay is randomised. Afterwards it is rounded up, to at least one second.
        retryable_errors: As of `RetryStrategyConfig`.
        retryable_error_types: As of `RetryStrategyConfig`.

    Raises:
        ValidationError: A value is out of range.
    """

    max_attempts: int = 6
    initial_delay: DurationField = DurationField(Duration(1))
    increment: DurationField = DurationField(Duration(1))
    max_delay: DurationField = DurationField(Duration(300))
    jitter_strategy: JitterStrategy = field(default=JitterStrategy.FULL)
    retryable_errors: list[str | re.Pattern[str]] | None = None
    retryable_error_types: list[type[Exception]] | None = None

    def __post_init__(self) -> None:
        self.jitter_strategy = _check_backoff(self.max_attempts, self.jitter_strategy)
        _check_filters(self.retryable_errors, self.retryable_error_types)

    @property
    def initial_delay_seconds(self) -> int:
        """`initial_delay` in seconds."""
        return self.initial_delay.to_seconds()

    @property
    def increment_seconds(self) -> int:
        """`increment` in seconds."""
        return self.increment.to_seconds()

    @property
    def max_delay_seconds(self) -> int:
        """`max_delay` in seconds."""
        return self.max_delay.to_seconds()


@public("waits")
@dataclass
class WaitStrategyConfig(Generic[T]):
    """Polling with exponential backoff.

    Args:
        should_continue_polling: Called with the state after each check; false ends the polling with success.
        max_attempts: Checks in all; then `WaitForConditionError`.
        initial_delay: After the first check.
        max_delay: At most so long.
        backoff_rate: Factor from one delay to the next.
        jitter_strategy: How the delay is randomised. Afterwards it is rounded up, to at least one second.
        timeout_seconds: Accepted and ignored, as by the official JavaScript SDK, which declares it.

    Raises:
        ValidationError: A value is out of range.
    """

    should_continue_polling: Callable[[T], bool]
    max_attempts: int = 60
    initial_delay: DurationField = DurationField(Duration(5))
    max_delay: DurationField = DurationField(Duration(300))
    backoff_rate: Numeric = 1.5
    jitter_strategy: JitterStrategy = field(default=JitterStrategy.FULL)
    timeout_seconds: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        check_callable("should_continue_polling", self.should_continue_polling)
        self.jitter_strategy = _check_backoff(self.max_attempts, self.jitter_strategy)
        _check_rate(self.backoff_rate)

    @property
    def initial_delay_seconds(self) -> int:
        """`initial_delay` in seconds."""
        return self.initial_delay.to_seconds()

    @property
    def max_delay_seconds(self) -> int:
        """`max_delay` in seconds."""
        return self.max_delay.to_seconds()


@public("waits")
@dataclass(frozen=True, eq=False, repr=False)
class WaitForConditionDecision(Value):
    """What a wait strategy says about a state.

    Args:
        should_continue: Whether to check again.
        delay: How long to wait before that; one second if left out.
    """

    should_continue: bool
    delay: DurationField = DurationField(Duration(1))

    @property
    def delay_seconds(self) -> int:
        """The delay in seconds."""
        return self.delay.to_seconds()

    @classmethod
    def continue_waiting(cls, delay: DurationLike) -> WaitForConditionDecision:
        """Check again after the delay."""
        return cls(should_continue=True, delay=delay)

    @classmethod
    def stop_polling(cls) -> WaitForConditionDecision:
        """The state is final."""
        return cls(should_continue=False, delay=Duration())


WaitForConditionWaitStrategyFunc: TypeAlias = Callable[[T, int], WaitForConditionDecision]
"""Says whether a state is final; the number counts the checks made so far, from 1."""


@public("waits")
@dataclass(frozen=True, eq=False, repr=False)
class WaitForConditionConfig(Value, Generic[T]):
    """Options of `ctx.wait_for_condition`.

    Args:
        wait_strategy: Decides after each check, see `create_wait_strategy`.
        initial_state: Handed to the first check.
        serdes: Writes the state between checks, and the result.

    Raises:
        ValidationError: The strategy cannot be called, or the serializer is none.
    """

    wait_strategy: Callable[[T, int], WaitForConditionDecision]
    initial_state: T
    serdes: SerDes[T] | None = None

    def __post_init__(self) -> None:
        check_callable("wait_strategy", self.wait_strategy)
        check_optional_serdes("serdes", self.serdes)
