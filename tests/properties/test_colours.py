"""A workflow leaves the same history whichever colour it is written in, and either goes on with the other's."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from durable_execution_sdk._drivers.invocation import DurableFunction
from tests.support.colours import handler_of, programs
from tests.support.fake_service import Crash, FakeService

SETTINGS = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])


def history(service: FakeService) -> dict[str, list[dict[str, Any]]]:
    """Operation id -> its acknowledged updates, without what tells of code lines."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for update in service.updates():
        kept = dict(update)
        if "Error" in kept:
            kept["Error"] = {key: value for key, value in kept["Error"].items() if key != "StackTrace"}
        found[kept["Id"]].append(kept)
    return found


@pytest.mark.parametrize("colour", ["async", "mixed"])
@SETTINGS
@given(program=programs)
def test_histories_are_the_same_in_every_colour(colour: str, program: Any) -> None:
    plain, other = FakeService(), FakeService()
    expected = plain.run(DurableFunction(handler_of(program, "def")))
    assert other.run(DurableFunction(handler_of(program, colour))) == expected
    assert history(other) == history(plain)
    before = len(other.requests)
    assert other.invoke(DurableFunction(handler_of(program, "def"))) == expected
    assert plain.invoke(DurableFunction(handler_of(program, colour))) == expected
    assert len(other.requests) == before


@SETTINGS
@given(program=programs)
def test_executions_go_on_in_another_colour(program: Any) -> None:
    plain, service = FakeService(), FakeService()
    expected = plain.run(DurableFunction(handler_of(program, "def")))
    colours = [DurableFunction(handler_of(program, colour)) for colour in ("def", "async", "mixed")]

    class Turns:
        """Each invocation in the next colour."""

        def invoke(self, *args: Any) -> Any:
            colours.append(colours.pop(0))
            return colours[-1].invoke(*args)

    assert service.run(Turns()) == expected
    assert history(service) == history(plain)


@SETTINGS
@given(program=programs)
def test_crashes_change_nothing(program: Any) -> None:
    smooth = FakeService()
    durable = DurableFunction(handler_of(program, "async"))
    expected = smooth.run(durable)
    crashes = {("before", 2), ("after", 4), ("before", 7), ("after", 8)}

    def fault(phase: str, number: int) -> None:
        if (phase, number) in crashes:
            crashes.discard((phase, number))
            raise Crash

    assert FakeService(fault=fault).run(durable) == expected
