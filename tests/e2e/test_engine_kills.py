"""SIGKILL at any instant: what was acknowledged is there, and the second start ends like an undisturbed one."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from durable_execution_sdk.engine import Engine, OperationRecord, VirtualClock
from tests.support.kill_workflow import settle

ROOT = Path(__file__).parents[2]
RESULT = {"total": 36, "tries": 3}


def run(plans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.kill_runner", json.dumps(plans)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcomes: list[dict[str, Any]] = json.loads(done.stdout)
    return outcomes


def plan(folder: Path, number: int, kills: list[str | float], workflow: str = "settle") -> dict[str, Any]:
    return {
        "workflow": workflow,
        "store": str(folder / f"{number}.db"),
        "notes": str(folder / f"{number}.notes"),
        "kills": kills,
    }


def shape(record: OperationRecord) -> tuple[object, ...]:
    """An operation without what differs from run to run: times, and the execution's own id and input."""
    return (
        record.operation_type,
        None if record.operation_type == "EXECUTION" else record.operation_id,
        record.parent_id,
        record.name,
        record.status,
        record.attempt,
        record.result,
        record.error,
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[set[tuple[object, ...]], int]:
    """The operations of a run that nobody disturbs, and as many numbers as it makes commits, or more."""
    notes = tmp_path_factory.mktemp("undisturbed") / "notes"
    with Engine(clock=VirtualClock()) as engine:
        assert engine.run(settle, {"notes": str(notes)}, name="job") == RESULT
        return {shape(record) for record in engine.operations("job")}, len(list(engine.history("job")))


def check(plan: dict[str, Any], outcome: dict[str, Any], wanted: set[tuple[object, ...]]) -> None:
    assert outcome["exit"] == 0
    assert outcome["result"] == RESULT
    assert_no_step_ran_again(Path(plan["notes"]).read_text(encoding="utf-8").splitlines())
    with Engine(plan["store"]) as engine:
        assert engine.describe("job").status == "SUCCEEDED"
        records = list(engine.operations("job"))
        assert {shape(record) for record in records} == wanted
        ends = [record.end_ms for record in records if record.end_ms is not None]
        assert len(set(ends)) == len(ends)
        assert [event["EventId"] for event in engine.history("job")] == list(range(1, event_count(engine) + 1))


def event_count(engine: Engine) -> int:
    return sum(1 for _ in engine.history("job"))


def assert_no_step_ran_again(lines: list[str], steps: int = 8) -> None:
    acknowledged: set[str] = set()
    for line in lines:
        what, _, step = line.partition(" ")
        if what == "ack":
            acknowledged.add(step)
        elif what == "run":
            assert step not in acknowledged, f"{step} ran after its success was acknowledged"
    assert len(acknowledged) == steps


@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_killed_at_every_commit(moment: str, tmp_path: Path, undisturbed: tuple[set[tuple[object, ...]], int]) -> None:
    wanted, commits = undisturbed
    chance = random.Random(moment)
    plans = [plan(tmp_path, number, [f"{moment}:{number}:{chance.randrange(600)}"]) for number in range(1, commits + 1)]
    outcomes = run(plans)
    for one, outcome in zip(plans, outcomes, strict=True):
        check(one, outcome, wanted)
    # The last numbers are never reached; a commit may be over before the thread that kills "during" it has its turn.
    assert sum(outcome["kills"] for outcome in outcomes) >= 20


def test_killed_again_and_again(tmp_path: Path, undisturbed: tuple[set[tuple[object, ...]], int]) -> None:
    chance = random.Random(7)
    faults = [f"{chance.choice(['before', 'during', 'after'])}:{chance.randrange(2, 6)}" for _ in range(12)]
    moments = [chance.uniform(0.0, 0.15) for _ in range(12)]
    plans = [plan(tmp_path, 1, [*faults]), plan(tmp_path, 2, [*moments])]
    outcomes = run(plans)
    for one, outcome in zip(plans, outcomes, strict=True):
        check(one, outcome, undisturbed[0])
    assert outcomes[0]["kills"] >= 5


def test_chained_invokes_survive_kills(tmp_path: Path) -> None:
    chance = random.Random(11)
    moments = ["before", "during", "after"]
    plans = [
        plan(tmp_path, number, [f"{moments[number % 3]}:{number}:{chance.randrange(600)}"], "family")
        for number in range(1, 31)
    ]
    outcomes = run(plans)
    assert sum(outcome["kills"] for outcome in outcomes) >= 15
    for one, outcome in zip(plans, outcomes, strict=True):
        assert outcome["result"] == {"relatives": [10, 20, 30], "stranger": 42}
        assert_no_step_ran_again(Path(one["notes"]).read_text(encoding="utf-8").splitlines(), steps=3)
        with Engine(one["store"]) as engine:
            assert {execution.status for execution in engine.list(chained=True)} == {"SUCCEEDED"}
            assert len(engine.list(chained=True)) == 5


def test_the_fault_variable_must_have_its_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DURABLE_ENGINE_FAULT", "sometime:1")
    with pytest.raises(ValueError, match="DURABLE_ENGINE_FAULT='sometime:1'"):
        Engine()
