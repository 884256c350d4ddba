"""History files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from durable_execution_sdk.engine import Engine, HistoryFileError, read_history
from tests.support import engine_workflows as workflows


def test_a_history_goes_round(tmp_path: Path) -> None:
    with Engine(time_scale=0) as engine:
        engine.run(workflows.greet, {"name": "\ud800"}, name="a")
        engine.export_history("a", tmp_path / "a.json")
        events = list(engine.history("a"))
    history = read_history(tmp_path / "a.json")
    assert history.producer.startswith("durable-execution-sdk ")
    assert history.execution["Status"] == "SUCCEEDED"
    assert json.loads(history.execution["Result"]) == "Hello, \ud800!"
    assert history.events == events
    execution, step, wait = history.operations
    assert execution["Id"] == history.execution["DurableExecutionArn"].rpartition("/")[2]
    assert json.loads(execution["ExecutionDetails"]["InputPayload"]) == {"name": "\ud800"}
    assert step["StepDetails"]["Attempt"] == 1
    assert isinstance(wait["WaitDetails"]["ScheduledEndTimestamp"], int)
    assert history.payloads


def test_payloads_are_left_out(tmp_path: Path) -> None:
    with Engine(time_scale=0, functions={"plain": workflows.plain}) as engine:
        with pytest.raises(Exception, match="secret"):
            engine.run(workflows.call, {"function": "secret"}, name="a")
        engine.run(workflows.call, {"function": "plain", "payload": "secret"}, name="b")
        for name in "ab":
            engine.export_history(name, tmp_path / f"{name}.json", payloads=False)
    assert "secret" not in (tmp_path / "b.json").read_text(encoding="ascii").replace('"FunctionName": "secret"', "")
    history = read_history(tmp_path / "b.json")
    assert not history.payloads
    assert [event["EventType"] for event in history.events][-1] == "ExecutionSucceeded"
    failed = read_history(tmp_path / "a.json")
    assert set(failed.execution["Error"]) == {"ErrorType"}
    assert "Function not found" not in (tmp_path / "a.json").read_text(encoding="ascii")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "no history file"),
        ("[]", "no formatVersion"),
        ('{"formatVersion": 99}', "format version 99"),
        ('{"formatVersion": 1}', "'execution' is missing"),
    ],
)
def test_what_is_no_history(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "h.json").write_text(content, encoding="utf-8")
    with pytest.raises(HistoryFileError, match=problem):
        read_history(tmp_path / "h.json")
