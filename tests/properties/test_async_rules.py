"""Rules of delivery that make async handlers replay: without one of them, random programs soon see a difference."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from durable_execution_sdk._core import Deliveries
from durable_execution_sdk._drivers.aio import internals
from durable_execution_sdk._drivers.aio.run import Run
from tests.support.async_programs import Difference, check, programs
from tests.support.deliveries import with_rules

PROGRAMS_TO_TRY = 100
"""The seed is fixed; the rules here are noticed within the first 40."""


def no_gap_between_deliveries(patch: pytest.MonkeyPatch) -> AbstractContextManager[Any]:
    """All that can be delivered is delivered at once."""
    deliver = Run._deliver

    def all_at_once(self: Run, operation_id: str, kind: int) -> None:
        deliver(self, operation_id, kind)
        while (event := self.order.next(bodies=False, outside_work=lambda: False)) and event is not True:
            deliver(self, *event)

    patch.setattr(Run, "_deliver", all_at_once)
    return with_rules()


def lane_past_ready_tasks(patch: pytest.MonkeyPatch) -> AbstractContextManager[Any]:
    """The inline lane answers although other tasks could run."""
    patch.setattr(internals, "nothing_ready", lambda loop: True)
    return with_rules()


def lane_out_of_turn(patch: pytest.MonkeyPatch) -> AbstractContextManager[Any]:
    """The inline lane answers although another listener comes first."""

    def take(self: Deliveries, operation_id: str, kind: int, *, outside_work: bool) -> bool:
        return self.knows(operation_id, kind)  # its event comes again in its turn, and finds nobody

    return with_rules(take_if_next=take)


@pytest.mark.parametrize(
    "switch",
    [
        no_gap_between_deliveries,
        lane_past_ready_tasks,
        lane_out_of_turn,
    ],
)
def test_without_the_rule_programs_differ(switch: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch) -> None:
    noticed: list[Difference] = []

    @seed(1)
    @settings(
        deadline=None,
        database=None,
        max_examples=PROGRAMS_TO_TRY,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(program=programs, fine=st.booleans(), salt=st.integers(0, 2))
    def tried(program: tuple[Any, ...], fine: bool, salt: int) -> None:
        if noticed:
            return
        try:
            check(program, fine=fine, salt=salt)
        except Difference as difference:
            noticed.append(difference)

    with switch(monkeypatch):
        tried()
    assert noticed
