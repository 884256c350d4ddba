"""The official OpenTelemetry package, unmodified, exports the same spans over this SDK as over the official one."""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.compat.conftest import official_python
from tests.house.sources import ROOT

Json = dict[str, Any]

# Sequential scenarios: where branches race, so do the spans of the official SDK.
NAMES = [
    "three_steps",
    "step_is_retried",
    "step_fails_for_good",
    "step_fails_uncaught",
    "at_most_once",
    "waits_between_steps",
    "child_with_steps",
    "nested_children",
    "child_fails",
    "child_fails_uncaught",
    "virtual_child",
    "condition_met_later",
    "condition_check_fails",
    "retried_block",
    "map_one_at_a_time",
    "map_flat",
    "raises_its_own",
]
VIEWS = ("invocation", "execution")


def exported(view: str, *through: str) -> dict[str, Json]:
    done = subprocess.run(
        [official_python("3.0.0", "DURABLE_OFFICIAL_PYTHON"), *through, "-m", "tests.compat.spans", view, *NAMES],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "python")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["scenario"]: line for line in lines}


@pytest.fixture(scope="module")
def spans() -> dict[tuple[str, str], dict[str, Json]]:
    """By view and side."""
    with ThreadPoolExecutor(4) as pool:
        running = {
            (view, side): pool.submit(exported, view, *through)
            for view in VIEWS
            for side, through in (("theirs", ()), ("ours", ("-m", "durable_execution_sdk.dropin")))
        }
        return {key: future.result() for key, future in running.items()}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("view", VIEWS)
def test_the_same_spans(view: str, name: str, spans: dict[tuple[str, str], dict[str, Json]]) -> None:
    theirs, ours = spans[view, "theirs"][name], spans[view, "ours"][name]
    assert (theirs["package"], ours["package"]) == ("aws_durable_execution_sdk_python", "durable_execution_sdk")
    assert theirs["spans"]
    assert ours["spans"] == theirs["spans"]
