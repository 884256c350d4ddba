"""The official local runner, unmodified, runs our SDK: `dropin` makes the official name resolve to it."""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.compat.conftest import official_python
from tests.compat.outside import OUTSIDE
from tests.compat.scenarios import REGISTRY
from tests.house.sources import ROOT

Json = dict[str, Any]

# A scenario with a script needs endings that the runner cannot be told to bring about; OUTSIDE stands in for those.
# The input that is no JSON makes every invocation raise, and what the context tells includes the runner's own names.
# Results of hundreds of kilobytes are more than the runner's records take.
LEFT_OUT = {"broken_input", "context_tells", "large_child_result", "map_with_a_large_result", "returns_much"}
NAMES = [name for name, case in REGISTRY.items() if case.script is None and name not in LEFT_OUT] + [*OUTSIDE]


def recorded(names: list[str], *through: str) -> dict[str, Json]:
    done = subprocess.run(
        [official_python("3.0.0", "DURABLE_OFFICIAL_PYTHON"), *through, "-m", "tests.compat.local_runner", *names],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "python")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    histories = [json.loads(line) for line in done.stdout.splitlines()]
    return {history["scenario"]: history for history in histories}


@pytest.fixture(scope="module")
def both() -> tuple[dict[str, Json], dict[str, Json]]:
    """Every scenario on the official SDK and on ours, several at a time: the official one idles."""
    shares = [NAMES[start::4] for start in range(4)]
    with ThreadPoolExecutor(5) as pool:
        theirs = [pool.submit(recorded, share) for share in shares]
        ours = pool.submit(recorded, NAMES, "-m", "durable_execution_sdk.dropin")
        merged = {name: history for share in theirs for name, history in share.result().items()}
        return merged, ours.result()


def outcome_of(history: Json) -> Json:
    output = dict(history["outcome"]["output"])
    if "Error" in output and REGISTRY.get(history["scenario"], None) is not None:
        case = REGISTRY[history["scenario"]]
        if case.own_words:
            output["Error"] = {**output["Error"], "ErrorMessage": "in words of its own"}
    return output


def final(history: Json) -> dict[str, Json]:
    """The records, without what clocks and services make up."""
    case = REGISTRY.get(history["scenario"])
    found = {}
    for operation in history["operations"]:
        if operation["Type"] == "EXECUTION":
            continue
        kept = {key: operation.get(key) for key in ("Type", "SubType", "Name", "ParentId", "Status")}
        for key, details in operation.items():
            if key.endswith("Details") and details:
                kept |= {name: details.get(name) for name in ("Attempt", "Result", "Error", "ReplayChildren")}
        if case is not None and case.own_words and kept.get("Error"):
            kept["Error"] = {**kept["Error"], "ErrorMessage": "in words of its own"}
        found[operation["Id"]] = kept
    return found


def test_there_are_forty_scenarios_over_every_operation() -> None:
    assert len(NAMES) >= 40


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", NAMES)
def test_the_runner_sees_no_difference(name: str, both: tuple[dict[str, Json], dict[str, Json]]) -> None:
    theirs, ours = both[0][name], both[1][name]
    assert (theirs["package"], ours["package"]) == ("aws_durable_execution_sdk_python", "durable_execution_sdk")
    assert outcome_of(ours) == outcome_of(theirs)
    ours_final, theirs_final = final(ours), final(theirs)
    if name in REGISTRY and REGISTRY[name].sends_queued:
        ours_final = {key: kept for key, kept in ours_final.items() if key in theirs_final}
    assert ours_final == theirs_final
