"""The same handlers on both SDKs: identical histories, outputs and errors, and executions that change sides midway."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.compat.harness import assert_identical, run
from tests.compat.scenarios import REGISTRY
from tests.compat.sides import Side, Worker

NAMES = sorted(REGISTRY)

UNWOUND = {"a_race_leaves_a_branch_behind", "a_large_race_is_summarised"}
"""A `finally` tells the winner that the other branch is suspended; under `async def` a parked branch runs none."""


@pytest.mark.parametrize("name", NAMES)
def test_a_run_is_identical(name: str, ours: Side, official: Worker) -> None:
    mine, theirs = run(name, [ours]), run(name, [official])
    assert mine.statuses == theirs.statuses
    assert_identical(mine, theirs)


@pytest.mark.parametrize("name", NAMES)
def test_an_execution_may_change_sides_at_every_suspension(name: str, ours: Side, official: Worker) -> None:
    theirs = run(name, [official])
    schedules: list[list[Side]] = []
    for point in range(1, theirs.invocations):
        schedules.append([ours] * point + [official])
        schedules.append([official] * point + [ours])
    schedules.append([ours, official] * theirs.invocations)
    # The official SDK idles through most of an invocation, so the runs wait side by side.
    with ThreadPoolExecutor(8) as pool:
        for mixed in pool.map(lambda sides: run(name, sides), schedules):
            assert_identical(mixed, theirs)


@pytest.mark.parametrize("name", sorted({*NAMES} - UNWOUND))
def test_a_run_under_async_def_is_identical(name: str, ours_async: Side, official: Worker) -> None:
    mine, theirs = run(name, [ours_async]), run(name, [official])
    assert mine.statuses == theirs.statuses
    assert_identical(mine, theirs)
