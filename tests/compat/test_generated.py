"""Generated workflows on both SDKs: the same updates for every operation, fresh and with sides changed on the way.

At least 1,000 workflows in a run; `DURABLE_GENERATED_WORKFLOWS` asks for more. The official SDK idles through most of
an invocation, so many run side by side.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.compat.harness import assert_identical, run
from tests.compat.sides import Side, Worker

AT_ONCE = 25
WORKFLOWS = int(os.environ.get("DURABLE_GENERATED_WORKFLOWS", "1000"))

names = st.sampled_from([None, "a", "rich"])
values = st.one_of(st.none(), st.integers(-3, 3), st.text("aé\n", max_size=3), st.just({"k": [1, None]}))
leaves = st.one_of(
    st.tuples(st.just("step"), names, values, st.integers(0, 2), st.integers(1, 3)),
    st.tuples(st.just("step"), names, values, st.just(0), st.just(1)),
    st.tuples(st.just("wait"), st.integers(1, 60), names),
    st.tuples(st.just("condition"), st.integers(1, 3)),
    st.tuples(st.just("callback"), st.sampled_from(["yes", "no"])),
    st.tuples(st.just("wait for callback")),
    st.tuples(st.just("invoke"), st.sampled_from(["double", "fails"])),
)
operations = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(st.just("child"), names, st.booleans(), st.booleans(), st.lists(inner, max_size=3)),
        st.tuples(st.just("retry"), st.integers(1, 3), st.booleans(), st.lists(inner, max_size=2)),
        st.tuples(
            st.just("batch"),
            st.booleans(),
            st.booleans(),
            st.sampled_from([1, 1, 2, None]),
            st.sampled_from([None, 1]),
            st.lists(st.lists(inner, max_size=2), max_size=3),
        ),
    ),
    max_leaves=5,
)
programs = st.fixed_dictionaries(
    {"program": st.lists(operations, min_size=1, max_size=4), "raises": st.sampled_from([False, False, False, True])}
)


def compare(payload: str, ours: Side, official: Worker, first: int) -> None:
    theirs = run("generated", [official], payload)
    assert_identical(run("generated", [ours], payload), theirs)
    points = theirs.invocations
    if points > 1:
        # Every suspension of the workflow is where one side stops and the other goes on, in one direction or the other.
        sides: list[Side] = [ours, official] if first % 2 else [official, ours]
        assert_identical(run("generated", sides * points, payload), theirs)
        point = 1 + first % (points - 1) if points > 2 else 1
        assert_identical(run("generated", [sides[0]] * point + [sides[1]], payload), theirs)


@pytest.mark.timeout(900)
@settings(
    max_examples=-(-WORKFLOWS // AT_ONCE),
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(st.lists(programs, min_size=AT_ONCE, max_size=AT_ONCE))
def test_generated_workflows_are_identical(ours: Side, official: Worker, batch: list[dict[str, Any]]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = [pool.submit(compare, json.dumps(program), ours, official, at) for at, program in enumerate(batch)]
        for program, done in zip(batch, running, strict=True):
            try:
                done.result()
            except Exception as error:
                raise AssertionError(f"{json.dumps(program)}\n{error}") from error
