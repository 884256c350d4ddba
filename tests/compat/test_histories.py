"""Histories that older or other SDKs recorded, kept for ever, and our own on the official SDK."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.compat.harness import replay, run
from tests.compat.record import HISTORIES, NAMES
from tests.compat.scenarios import REGISTRY
from tests.compat.sides import Side, Worker

# We read every known spelling of an error's type: where 3.0.0 sees an unknown one, our error is the exact class.
READ_BETTER = {"official-1.7.0/wait_for_callback_fails"}
RECORDED = sorted(HISTORIES.glob("*/*.json"))


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_recorded_history_replays_to_the_same_outcome(path: Path, ours: Side) -> None:
    history = json.loads(path.read_text(encoding="utf-8"))
    outcome = replay(history, ours)
    if f"{path.parent.name}/{path.stem}" in READ_BETTER:
        assert json.loads(outcome["output"]["Result"])[0]["class"] == "CallbackError"
    else:
        assert outcome == history["outcome"]


@pytest.mark.parametrize("name", [name for name in NAMES if not REGISTRY[name].sends_queued])
def test_our_history_replays_on_the_official_sdk(name: str, ours: Side, official: Worker) -> None:
    found = run(name, [ours])
    history = {"scenario": name, "arn": found.service.arn, "operations": list(found.service.operations.values())}
    assert replay(history, official) == found.outcome
    assert replay(history, ours) == found.outcome
