"""Retry and wait strategies: the tables of delays, filters, presets, chance."""

from __future__ import annotations

import math
import pickle
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_execution_sdk._edges.ambient import connect_ambient
from durable_execution_sdk._model import ambient
from durable_execution_sdk._policy import naming
from durable_execution_sdk.config import Duration, JitterStrategy
from durable_execution_sdk.context import durable_step
from durable_execution_sdk.exceptions import WaitForConditionError
from durable_execution_sdk.retries import (
    LinearRetryStrategyConfig,
    RetryDecision,
    RetryPresets,
    RetryStrategyConfig,
    create_linear_retry_strategy,
    create_retry_strategy,
    retry_presets,
)
from durable_execution_sdk.types import StepContext
from durable_execution_sdk.waits import WaitForConditionDecision, WaitStrategyConfig, create_wait_strategy


@pytest.fixture
def chance() -> Iterator[Callable[[float], None]]:
    """Says what the next random numbers are."""
    yield lambda number: ambient.connect(random=lambda: number, now_s=lambda: 0.0)
    connect_ambient()


def delays(strategy: Callable[[Exception, int], RetryDecision], most: int = 20) -> list[int]:
    """The delays until it gives up."""
    found = []
    for attempt in range(1, most + 1):
        decision = strategy(ValueError("bad"), attempt)
        if not decision.should_retry:
            break
        found.append(decision.delay_seconds)
    return found


def test_presets_with_the_longest_chance(chance: Callable[[float], None]) -> None:
    chance(1 - 2**-53)
    assert delays(RetryPresets.none()) == delays(RetryPresets.no_retry()) == []
    assert delays(RetryPresets.default()) == [5, 10, 20, 40, 60]
    assert delays(RetryPresets.transient()) == [5, 10]
    assert delays(RetryPresets.resource_availability()) == [5, 10, 20, 40]
    assert delays(create_retry_strategy()) == [5, 10]
    assert delays(create_linear_retry_strategy()) == [1, 2, 3, 4, 5]


def test_presets_with_the_shortest_chance(chance: Callable[[float], None]) -> None:
    chance(0.0)
    assert delays(RetryPresets.default()) == [1] * 5
    assert delays(RetryPresets.transient()) == [3, 5]


def test_presets_without_chance() -> None:
    assert delays(RetryPresets.critical()) == [1, 2, 3, 4, 6, 8, 12, 18, 26]
    assert delays(RetryPresets.linear()) == [1, 2, 3, 4, 5]
    assert delays(RetryPresets.fixed()) == [5] * 4
    assert delays(RetryPresets.fixed(Duration(9))) == [9] * 4


@pytest.mark.parametrize("name", [name for name in dir(retry_presets) if not name.startswith("_")])
def test_presets_as_values(name: str, chance: Callable[[float], None]) -> None:
    chance(0.5)
    assert delays(getattr(retry_presets, name)) == delays(getattr(RetryPresets, name)())


@pytest.mark.parametrize(
    ("filters", "error", "retried"),
    [
        ({}, ValueError("any"), True),
        ({"retryable_errors": []}, ValueError("any"), False),
        ({"retryable_error_types": []}, ValueError("any"), False),
        ({"retryable_errors": ["time"]}, ValueError("a timeout"), True),
        ({"retryable_errors": ["time"]}, ValueError("Timed out"), False),
        ({"retryable_errors": [re.compile("^time", re.I)]}, ValueError("Timed out"), True),
        ({"retryable_errors": [re.compile("^time")]}, ValueError("a time"), False),
        ({"retryable_error_types": [OSError]}, TimeoutError("x"), True),
        ({"retryable_error_types": [OSError]}, ValueError("x"), False),
        ({"retryable_errors": ["x"], "retryable_error_types": [KeyError]}, ValueError("x"), True),
        ({"retryable_errors": ["y"], "retryable_error_types": [KeyError]}, KeyError("x"), True),
        ({"retryable_errors": ["y"], "retryable_error_types": [KeyError]}, ValueError("x"), False),
    ],
)
def test_filters(filters: dict[str, Any], error: Exception, retried: bool) -> None:
    for strategy in (
        create_retry_strategy(RetryStrategyConfig(**filters)),
        create_linear_retry_strategy(LinearRetryStrategyConfig(**filters)),
    ):
        assert strategy(error, 1).should_retry is retried


def test_settings_are_read_when_a_decision_is_made() -> None:
    settings = RetryStrategyConfig(max_attempts=1)
    strategy = create_retry_strategy(settings)
    assert not strategy(ValueError(), 1).should_retry
    settings.max_attempts = 2
    assert strategy(ValueError(), 1).should_retry


def test_strategies_pickle_and_show_their_settings() -> None:
    strategy = RetryPresets.critical()
    assert delays(pickle.loads(pickle.dumps(strategy))) == delays(strategy)
    assert "max_attempts=10" in repr(strategy)


@given(
    st.integers(0, 400), st.floats(0, 10), st.integers(0, 400), st.integers(1, 2_000), st.sampled_from(JitterStrategy)
)
def test_delays_stay_within_their_bounds(
    initial: int, rate: float, most: int, attempt: int, jitter: JitterStrategy
) -> None:
    strategy = create_retry_strategy(
        RetryStrategyConfig(
            max_attempts=attempt + 1,
            initial_delay=Duration(initial),
            max_delay=Duration(most),
            backoff_rate=rate,
            jitter_strategy=jitter,
        )
    )
    delay = strategy(ValueError(), attempt).delay_seconds
    assert 1 <= delay <= max(1, most)


@given(st.floats(0, 1e9), st.sampled_from(JitterStrategy))
def test_jitter(delay: float, jitter: JitterStrategy) -> None:
    jittered = jitter.apply_jitter(delay)
    least = {JitterStrategy.NONE: delay, JitterStrategy.HALF: delay / 2, JitterStrategy.FULL: 0.0}[jitter]
    assert least <= jittered <= delay
    assert max(1, math.ceil(least)) <= jitter.finalize_delay(delay) <= max(1, math.ceil(delay))


def test_no_jitter_draws_no_number() -> None:
    def refuse() -> float:
        raise AssertionError("drew")

    ambient.connect(random=refuse, now_s=lambda: 0.0)
    try:
        assert JitterStrategy.NONE.finalize_delay(2.5) == 3
        with pytest.raises(AssertionError, match="drew"):
            JitterStrategy.FULL.finalize_delay(2.5)
    finally:
        connect_ambient()


def test_decisions() -> None:
    assert RetryDecision.no_retry() == RetryDecision(should_retry=False, delay=Duration())
    assert RetryDecision(should_retry=True).delay_seconds == 1
    assert WaitForConditionDecision.stop_polling().should_continue is False
    assert WaitForConditionDecision(should_continue=True).delay_seconds == 1
    assert hash(WaitForConditionDecision.stop_polling())


def test_polling() -> None:
    strategy = create_wait_strategy(
        WaitStrategyConfig(lambda state: state != "done", max_attempts=4, jitter_strategy=JitterStrategy.NONE)
    )
    assert [strategy("busy", attempt).delay_seconds for attempt in (1, 2, 3)] == [5, 8, 12]
    assert not strategy("done", 1).should_continue
    assert not strategy("done", 4).should_continue
    with pytest.raises(WaitForConditionError, match=r"after 4 checks .*max_attempts=4"):
        strategy("busy", 4)


def test_names() -> None:
    @durable_step
    def load(_context: StepContext, number: int) -> int:
        return number

    assert naming.operation_name(None, load(1)) == "load"
    assert naming.operation_name("", load(1)) == "load"
    assert naming.operation_name("mine", load(1)) == "mine"
    assert naming.operation_name(None, lambda: 1) is None
    assert naming.operation_name("", lambda: 1) is None
    assert naming.map_item_name(3) == "map-item-3"
    assert naming.parallel_branch_name(0) == "parallel-branch-0"
    assert (naming.callback_name("n"), naming.callback_name(None)) == ("n create callback id", "create callback id")
    assert (naming.submitter_name("n"), naming.submitter_name("")) == ("n submitter", "submitter")
    assert (naming.backoff_name("n", 2), naming.backoff_name(None, 2)) == ("n-backoff-2", None)
