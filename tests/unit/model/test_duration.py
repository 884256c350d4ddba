"""Durations: what is taken, what is refused, and what a field then holds."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from durable_execution_sdk.config import CallbackConfig, Duration, WaitForCallbackConfig
from durable_execution_sdk.exceptions import ValidationError
from durable_execution_sdk.retries import RetryDecision, RetryPresets, RetryStrategyConfig
from durable_execution_sdk.waits import WaitForConditionDecision


@pytest.mark.parametrize(
    ("made", "seconds"),
    [
        (Duration(), 0),
        (Duration(1.9), 1),  # type: ignore[arg-type]  # fractions are cut, as by the factories
        (Duration.from_seconds(2.9), 2),
        (Duration.from_minutes(1.5), 90),
        (Duration.from_hours(0.5), 1_800),
        (Duration.from_days(2), 172_800),
    ],
)
def test_whole_seconds(made: Duration, seconds: int) -> None:
    assert made.to_seconds() == seconds
    assert isinstance(made.seconds, int)


@pytest.mark.parametrize("value", [-1, -0.5, float("nan"), float("inf"), "5", None])
def test_a_duration_is_a_finite_number_of_seconds(value: Any) -> None:
    for make in (Duration, Duration.from_seconds, Duration.from_minutes, Duration.from_hours, Duration.from_days):
        with pytest.raises(ValidationError, match="must be a finite number, zero or more, got: "):
            make(value)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (Duration(7), 7),
        (timedelta(minutes=1, milliseconds=999), 60),
        ({"minutes": 5, "seconds": 30}, 330),
        ({"hours": 0.5, "seconds": 0.9}, 1_800),
        ({"days": 1}, 86_400),
    ],
)
def test_every_spelling_becomes_a_duration(value: Any, seconds: int) -> None:
    held = [
        CallbackConfig(timeout=value).timeout,
        WaitForCallbackConfig(heartbeat_timeout=value).heartbeat_timeout,
        RetryStrategyConfig(max_delay=value).max_delay,
        RetryDecision.retry(value).delay,
        RetryDecision(should_retry=True, delay=value).delay,
        WaitForConditionDecision.continue_waiting(value).delay,
    ]
    assert held == [Duration(seconds)] * len(held)
    strategy = RetryPresets.fixed(value)
    assert strategy(ValueError(), 1).delay_seconds == max(1, seconds)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (5, r"timeout must be a Duration, .*Duration\.from_seconds.*got: 5"),
        (1.5, "timeout must be a Duration"),
        (None, "timeout must be a Duration"),
        (timedelta(seconds=-1), "timeout must be zero or more"),
        ({"weeks": 1}, "timeout must be a mapping with keys out of days, hours, minutes, seconds"),
        ({}, "timeout must be a mapping with keys out of"),
        ({"minutes": -1}, r"timeout\['minutes'\] must be a finite number"),
        ({"minutes": "1"}, r"timeout\['minutes'\] must be a finite number"),
    ],
)
def test_what_is_no_duration_is_refused_by_name(value: Any, complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        CallbackConfig(timeout=value)


def test_mutable_settings_convert_on_assignment_too() -> None:
    settings = RetryStrategyConfig()
    settings.initial_delay = timedelta(minutes=2)
    assert settings.initial_delay == Duration(120)
    assert settings.initial_delay_seconds == 120
    with pytest.raises(ValidationError, match="initial_delay"):
        settings.initial_delay = 3  # type: ignore[assignment]  # refused, which is the point


COPIES: list[Callable[[Any], Any]] = [
    copy.copy,
    copy.deepcopy,
    dataclasses.replace,
    lambda made: pickle.loads(pickle.dumps(made)),
]


@pytest.mark.parametrize("duplicate", COPIES)
def test_fields_survive_copying(duplicate: Callable[[Any], Any]) -> None:
    made = WaitForCallbackConfig(timeout=Duration(5), heartbeat_timeout={"seconds": 3}, sub_type="x")
    assert duplicate(made) == made
    assert hash(duplicate(made)) == hash(made)


def test_callback_timeouts_have_the_limit_of_the_api() -> None:
    assert CallbackConfig(timeout=Duration(99_999_999)).timeout_seconds == 99_999_999
    with pytest.raises(ValidationError, match=r"heartbeat_timeout must be at most 99999999 seconds .*got: 100000000"):
        CallbackConfig(heartbeat_timeout=Duration(100_000_000))
