"""An execution whose contexts keep their children ends as it does without, interrupted or not, in every colour."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from durable_execution_sdk._drivers.invocation import DurableFunction
from tests.support.colours import handler_of, programs
from tests.support.fake_service import Crash, FakeService

SETTINGS = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("colour", ["def", "async", "mixed"])
@SETTINGS
@given(program=programs, depth=st.sampled_from([1, 2, math.inf]), end_at=st.integers(1, 12))
def test_it_ends_as_without(colour: str, program: Any, depth: float, end_at: int) -> None:
    expected = FakeService().run(DurableFunction(handler_of(program, "def")))
    crashes = {("before", end_at), ("after", end_at + 1)}

    def fault(phase: str, number: int) -> None:
        if (phase, number) in crashes:
            crashes.discard((phase, number))
            raise Crash

    keeping = DurableFunction(handler_of(program, colour), child_depth=depth)
    smooth = FakeService()
    assert smooth.run(keeping) == expected
    assert FakeService(fault=fault).run(keeping) == expected
    before = len(smooth.requests)
    assert smooth.invoke(keeping) == expected
    assert len(smooth.requests) == before, "a replay writes nothing"
