"""Whatever happens to the process or the network, an execution ends as if nothing had happened."""

from __future__ import annotations

import threading
from collections import defaultdict
from contextlib import nullcontext
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from durable_execution_sdk._drivers.invocation import DurableFunction
from tests.support.fake_service import Crash, FakeService
from tests.support.programs import handler_of, programs, service_for

WHERE = ["before", "after", "in a body", "in a body whose start is acknowledged"]
"""Where a process dies: around the n-th request, or in the n-th body."""

SETTINGS = settings(deadline=None, max_examples=150)


def history(service: FakeService) -> dict[str, list[dict[str, Any]]]:
    """Operation id -> its acknowledged updates, in order."""
    found = defaultdict(list)
    for update in service.updates():
        found[update["Id"]].append(update)
    return found


class NoHooks:
    """Plugins that do nothing; registering any closes the replay lane."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("around") or name == "branch_context":
            return lambda *args, **kwargs: nullcontext()
        return lambda *args, **kwargs: None


@SETTINGS
@given(programs, st.sets(st.tuples(st.sampled_from(WHERE), st.integers(1, 12)), max_size=5))
def test_interrupted_anywhere_ends_like_uninterrupted(program, crashes):
    smooth = service_for()
    expected = smooth.run(DurableFunction(handler_of(program)))

    left = set(crashes)

    def fault(phase, number):
        if (phase, number) in left:
            left.discard((phase, number))
            raise Crash

    rough = service_for(fault=fault)
    bodies = []
    ran_again = []

    def on_body(context, key):
        if rough.operations.get(key, {}).get("Status") in {"SUCCEEDED", "FAILED"}:
            ran_again.append(key)
        bodies.append(key)
        if ("in a body whose start is acknowledged", len(bodies)) in left:
            context.state.commit.drain()
        for where in WHERE[2:]:
            fault(where, len(bodies))

    assert rough.run(DurableFunction(handler_of(program, on_body))) == expected
    assert history(rough) == history(smooth)
    assert ran_again == []
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("durable")] == []


@SETTINGS
@given(programs, st.booleans(), st.one_of(st.none(), st.integers(1, 4)))
def test_the_replay_lane_is_only_faster(program, raw, page_size):
    with_lane = service_for(raw=raw, page_size=page_size)
    without = service_for()
    expected = without.run(DurableFunction(handler_of(program), lambda facts: NoHooks()))
    assert with_lane.run(DurableFunction(handler_of(program))) == expected
    assert history(with_lane) == history(without)
    if "Batch" not in repr(program):  # with branches, what shares a request is a matter of time
        assert with_lane.requests == without.requests


@SETTINGS
@given(programs)
def test_a_finished_execution_replays_without_a_request_and_without_user_code(program):
    service = service_for()
    expected = service.run(DurableFunction(handler_of(program)))
    requests = len(service.requests)
    bodies = []
    assert service.invoke(DurableFunction(handler_of(program, lambda context, key: bodies.append(key)))) == expected
    assert len(service.requests) == requests
    assert bodies == []
