"""What `--json` prints is what the guides say of it: every key, its type, and when it is there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.cli.app import cli
from durable_execution_sdk.engine import Engine
from durable_execution_sdk.replay import Report
from tests.house.sources import ROOT

TYPES: dict[str, Any] = {
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
    "list of objects": lambda value: isinstance(value, list) and all(isinstance(each, dict) for each in value),
    "list of strings": lambda value: isinstance(value, list) and all(isinstance(each, str) for each in value),
}


def tables(page: str, heading: str) -> list[dict[str, list[str]]]:
    """The tables of a section: the cells of each key."""
    text = (ROOT / "docs" / "guides" / page).read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = []
    for table in re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE):
        rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in table.splitlines()[2:]]
        found.append({key: row[1:] for row in rows for key in re.findall(r"`(\w+)`", row[0])})
    return found


def has_type(value: Any, documented: str) -> bool:
    return any(TYPES[kind](value) for kind in documented.split(" or "))


# --- durable replay ---------------------------------------------------------------------------------------------------


@durable_execution
def recorded(event: Any, context: DurableContext) -> None:
    context.step(lambda _: "one", name="first")
    context.step(lambda _: "two", name="second")


@durable_execution
def renamed(event: Any, context: DurableContext) -> None:
    context.step(lambda _: "one", name="first")
    context.step(lambda _: "two", name="another")


@durable_execution
def shorter(event: Any, context: DurableContext) -> None:
    context.step(lambda _: "one", name="first")


@durable_execution
def raising(event: Any, context: DurableContext) -> None:
    context.step(lambda _: "one", name="first")
    raise ValueError("no such order")


@pytest.fixture
def histories(tmp_path: Path) -> Path:
    """A folder with a history that has ended, one that still runs, and one that is none."""
    folder = tmp_path / "histories"
    folder.mkdir()
    with Engine(time_scale=0) as engine:
        engine.run(recorded, {}, name="ended")
        engine.export_history("ended", folder / "ended.json")
    found = json.loads((folder / "ended.json").read_text())
    found["execution"]["Status"] = "RUNNING"
    (folder / "running.json").write_text(json.dumps({**found, "operations": found["operations"][:2]}))
    (folder / "broken.json").write_text("{")
    return folder


def test_the_report_of_a_replay(histories: Path) -> None:
    top, documented = tables("replay.md", "The report as JSON")
    seen: dict[str, set[str]] = {}
    verdicts: dict[str, int] = {}
    for name in ("recorded", "renamed", "shorter", "raising"):
        words = ["replay", f"{__name__}:{name}", str(histories), "--json", "--payloads", "--jobs", "1"]
        found = json.loads(CliRunner().invoke(cli, words).stdout)
        assert found.keys() == top.keys()
        for key, (kind, _, _) in top.items():
            assert has_type(found[key], kind), key
        assert (f"`{found['format']}`", found["handler"]) == (top["format"][2], f"{__name__}:{name}")
        for report in found["reports"]:
            verdicts[report["verdict"]] = verdicts.get(report["verdict"], 0) + 1
            for key, value in report.items():
                assert has_type(value, documented[key][0]), (key, value)
                seen.setdefault(key, set()).add(report["verdict"])
    assert verdicts.keys() == set(re.findall(r"`([a-z ]+)`", documented["verdict"][2]))
    assert seen.keys() == documented.keys()
    for key, (_, there, _) in documented.items():
        assert seen[key] <= (verdicts.keys() if there == "always" else set(there.split(", "))), (key, seen[key])
        assert there != "always" or seen[key] == verdicts.keys(), key


def test_every_field_of_a_report_is_documented() -> None:
    [_, documented] = tables("replay.md", "The report as JSON")
    assert documented.keys() == set(Report.__dataclass_fields__)


# --- durable bench ----------------------------------------------------------------------------------------------------


def test_the_figures_of_a_bench(tmp_path: Path) -> None:
    top, documented = tables("bench.md", "The figures as JSON")
    words = ["bench", "--operations", "10", "--rounds", "2", "--json"]
    first = CliRunner().invoke(cli, words).stdout
    (tmp_path / "before.json").write_text(first)
    second = CliRunner().invoke(cli, [*words, "--baseline", str(tmp_path / "before.json")]).stdout
    for found, has_baseline in ((json.loads(first), False), (json.loads(second), True)):
        assert found.keys() == top.keys()
        for key, (kind, _, _) in top.items():
            assert has_type(found[key], kind), key
        assert f"`{found['format']}`" == top["format"][2]
        assert (found["baseline"] is not None, found["slower_percent"] is not None) == (has_baseline, has_baseline)
        for figures in (found["figures"], found["baseline"] or found["figures"]):
            assert figures.keys() == documented.keys()
            assert all(has_type(figures[key], kind) for key, (kind, _, _) in documented.items())
