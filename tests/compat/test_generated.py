"""Generated workflows on both SDKs, and in both colours on ours: the same updates for every operation, fresh and with
sides changed on the way.

At least 1,000 workflows in a run; `DURABLE_GENERATED_WORKFLOWS` asks for more. The official SDK idles through most of
an invocation, so many run side by side.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.compat.harness import assert_identical, replay, run
from tests.compat.programs import PROGRAMS
from tests.compat.sides import Side, Worker

WORKFLOWS = int(os.environ.get("DURABLE_GENERATED_WORKFLOWS", "1000"))
# Shares, so that the tests spread over processes, and how many workflows of a share run at once.
SHARES, AT_ONCE = 8, 20
# One more, since the first example that hypothesis makes is the smallest there is.
EXAMPLES = 1 + -(-WORKFLOWS // SHARES // AT_ONCE)


def compare(program: list[Any], point: int, ours: Side, ours_async: Side, official: Side) -> None:
    payload = json.dumps(program)
    theirs = run("program", [official], payload)
    mine = run("program", [ours], payload)
    assert_identical(mine, theirs)
    if theirs.invocations > 1:
        # Every suspension of the workflow is where one side stops and the other goes on, in one direction or the other.
        sides = [ours, official] if point % 2 else [official, ours]
        assert_identical(run("program", sides * theirs.invocations, payload), theirs)
        assert_identical(run("program", [sides[0]] * point + [sides[1]], payload), theirs)
    history = {"scenario": "program", "arn": mine.service.arn, "operations": list(mine.service.operations.values())}
    assert replay(history, ours) == mine.outcome
    assert replay(history, ours_async) == mine.outcome
    assert_identical(run("program", [ours_async], payload), theirs)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("share", range(SHARES))
def test_generated_workflows_are_identical(share: int, ours: Side, ours_async: Side, official: Worker) -> None:
    # No shrinking: a workflow is small, and trying twenty at once again and again takes minutes.
    @seed(share)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    @given(st.lists(st.tuples(PROGRAMS, st.integers(1, 4)), min_size=AT_ONCE, max_size=AT_ONCE))
    def attempt(batch: list[tuple[list[Any], int]]) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            running = [pool.submit(compare, program, point, ours, ours_async, official) for program, point in batch]
        for (program, point), done in zip(batch, running, strict=True):
            if (error := done.exception()) is not None:
                raise AssertionError(f"sides change after {point}: {json.dumps(program)}\n{error}") from error

    attempt()
