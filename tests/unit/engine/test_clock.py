"""The engine's clocks, and how its drivers wait by them."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.config import Duration
from durable_execution_sdk.engine import Engine, RealClock, ScaledClock, VirtualClock
from durable_execution_sdk.engine.clock import clock_for


@pytest.mark.parametrize(
    ("text", "kind"), [("", RealClock), ("1", RealClock), ("0", VirtualClock), ("0.1", ScaledClock)]
)
def test_the_scale_of_the_environment(monkeypatch: pytest.MonkeyPatch, text: str, kind: type) -> None:
    monkeypatch.setenv("DURABLE_EXECUTION_TIME_SCALE", text)
    clock = clock_for(None)
    assert type(clock) is kind
    if isinstance(clock, ScaledClock):
        assert clock.scale == pytest.approx(10)


@pytest.mark.parametrize("text", ["fast", "-1", "inf", "nan"])
def test_an_invalid_scale_is_ignored_with_a_warning(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("DURABLE_EXECUTION_TIME_SCALE", text)
    with pytest.warns(UserWarning, match="DURABLE_EXECUTION_TIME_SCALE"):
        assert isinstance(clock_for(None), RealClock)


def test_scaled_time_never_goes_back_behind_an_earlier_run() -> None:
    clock = ScaledClock(100)
    later = clock.now_ms() + 1_000_000
    clock.catch_up(later)
    assert clock.now_ms() >= later
    clock.catch_up(5)
    assert clock.now_ms() >= later


def test_virtual_time_moves_when_told() -> None:
    clock = VirtualClock(1000)
    clock.advance(500)
    clock.catch_up(1200)
    assert clock.now_ms() == 1500
    assert clock.real_seconds_until(1500) == 0
    assert clock.real_seconds_until(1501) == float("inf")


def test_branches_that_wait_in_process_wait_by_the_engine_s_clock() -> None:
    """A branch waits an hour while another one works; the hour is over in a tenth of a second."""
    resumed = threading.Event()

    @durable_execution
    def handler(event: Any, context: DurableContext) -> list[str]:
        def waits(inner: DurableContext) -> str:
            inner.wait(Duration.from_hours(1))
            return inner.step(lambda _: resumed.set() or "resumed", name="resume")

        def works(inner: DurableContext) -> str:
            return inner.step(lambda _: f"worked {resumed.wait(30)}", name="work")

        return context.parallel([waits, works]).get_results()

    with Engine(time_scale=36_000) as engine:
        assert engine.run(handler, name="a") == ["resumed", "worked True"]
        assert engine.describe("a").invocations == 1
