"""Rules of delivery that make async handlers replay: without one of them, random programs soon see a difference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from durable_execution_sdk._drivers.aio import internals
from durable_execution_sdk._drivers.aio.delivery import DeliveryOrder
from durable_execution_sdk._drivers.aio.run import Run
from tests.support.async_programs import Difference, check, programs

PROGRAMS_TO_TRY = 100
"""The seed is fixed; the rules here are noticed within the first 40."""


def no_gap_between_deliveries(patch: pytest.MonkeyPatch) -> None:
    """All that can be delivered is delivered at once."""
    deliver = Run._deliver

    def all_at_once(self: Run, operation_id: str, kind: int) -> None:
        deliver(self, operation_id, kind)
        while event := self.order.next(outside_work=lambda: False):
            deliver(self, event.operation_id, event.kind)

    patch.setattr(Run, "_deliver", all_at_once)


def lane_past_ready_tasks(patch: pytest.MonkeyPatch) -> None:
    """The inline lane answers although other tasks could run."""
    patch.setattr(internals, "nothing_ready", lambda loop: True)


def lane_out_of_turn(patch: pytest.MonkeyPatch) -> None:
    """The inline lane answers although another listener comes first."""

    def take(self: DeliveryOrder, operation_id: str, kind: int = 1, *, outside_work: bool) -> bool:
        key = (operation_id, kind)
        if key not in self._undelivered or key not in self._listening:
            return False
        event = self._undelivered.pop(key)
        self._waiting.remove(event)
        self._waiting.sort()
        self._listening.discard(key)
        self._available -= 1
        return True

    patch.setattr(DeliveryOrder, "take_if_next", take)


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

    switch(monkeypatch)
    tried()
    assert noticed
