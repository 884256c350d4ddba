"""`durable replay`, as a command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.cli.app import cli
from durable_execution_sdk.cli.reports import Findings
from durable_execution_sdk.engine import Engine
from durable_execution_sdk.replay import Report


@durable_execution
def old(event: Any, context: DurableContext) -> None:
    context.step(lambda _: "secret", name="first")
    context.step(lambda _: "secret", name="second")


@durable_execution
def new(event: Any, context: DurableContext) -> None:
    context.step(lambda _: "secret", name="first")
    context.step(lambda _: "secret", name="another")


def plain(event: Any, context: Any) -> None:
    """Not decorated."""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "store.db"
    with Engine(path) as engine:
        for name in ("one", "two"):
            engine.run(old, {}, name=name)
            engine.export_history(name, tmp_path / f"{name}.json")
    return path


def run(*arguments: object) -> Any:
    return CliRunner().invoke(cli, ["replay", *map(str, arguments)])


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_same_handler_is_clean(store: Path, jobs: int) -> None:
    result = run(f"{__name__}:old", "--store", store, "--jobs", jobs)
    assert result.exit_code == 0, result.output
    assert result.stdout.split() == ["2", "clean"]


def test_a_divergence_is_shown_and_has_an_exit_code(store: Path, tmp_path: Path) -> None:
    junit = tmp_path / "out.xml"
    result = run(f"{__name__}:new", tmp_path / "one.json", "--junit", junit, "--jobs", 1)
    assert result.exit_code == 1
    line = new.__durable__.handler.__code__.co_firstlineno + 3  # type: ignore[attr-defined]  # the decorator sets it
    for part in ("diverged (renamed)", "Step 'second'", "Step 'another'", f"{__file__}:{line}", "1 diverged: renamed"):
        assert part in result.stdout
    suite = ElementTree.fromstring(junit.read_text())
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")


def test_how_far_histories_that_agree_go_is_told_if_asked_for(store: Path, tmp_path: Path) -> None:
    result = run(f"{__name__}:old", tmp_path / "one.json", "--verbose")
    for part in ("one.json: clean", "agreed: 2 of 2 recorded operations", "agreed until: Step 'second'", "1 clean"):
        assert part in result.stdout


def test_json_holds_no_payloads(store: Path) -> None:
    result = run(f"{__name__}:new", "--store", store, "--json", "--jobs", 1)
    found = json.loads(result.stdout)
    assert found["summary"] == {"diverged: renamed": 2}
    assert [report["history"] for report in found["reports"]] == ["one", "two"]
    assert "secret" not in result.stdout


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_is_unreadable_is_told_beside_the_others(store: Path, tmp_path: Path, jobs: int) -> None:
    junit, bad = tmp_path / "out.xml", tmp_path / "bad.jsonl"
    line = " ".join((tmp_path / "one.json").read_text().splitlines())
    bad.write_text(f'{line}\n{{"cut\n{line}\n')
    result = run(f"{__name__}:old", bad, tmp_path / "two.json", "--jobs", jobs, "--json", "--junit", junit)
    assert result.exit_code == 5, result.output
    found = json.loads(result.stdout)
    assert found["summary"] == {"clean": 3, "unreadable": 1}
    [wrong] = [report for report in found["reports"] if report["verdict"] == "unreadable"]
    assert wrong["history"] == f"{bad}:2"
    assert "it is no JSON: " in wrong["note"]
    suite = ElementTree.fromstring(junit.read_text())
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "0", "1")
    [error] = suite.iter("error")
    assert f"{bad}:2" in (error.text or "")


@pytest.mark.parametrize(
    ("kinds", "code"),
    [
        ({"clean"}, 0),
        ({"clean", "not checkable"}, 6),
        ({"clean", "not checkable", "unreadable"}, 5),
        ({"clean", "not checkable", "unreadable", "diverged"}, 1),
        ({"unreadable", "ambiguous"}, 1),
    ],
)
def test_which_exit_code_comes_first(kinds: set[str], code: int) -> None:
    with Findings("orders:handler", as_json=False, junit=False) as found:
        for kind in sorted(kinds):
            found.add(Report("one", kind, 0, 0))
        assert found.exit_code == code


def test_what_is_wrong_is_said(store: Path, tmp_path: Path) -> None:
    (tmp_path / "no.json").write_text("[]")
    (tmp_path / "empty").mkdir()
    for arguments, code, text in (
        ([f"{__name__}:old"], 2, "nothing to check"),
        ([f"{__name__}:plain", store], 2, "no durable handler"),
        ([f"{__name__}:old", tmp_path / "absent"], 3, "there is no"),
        ([f"{__name__}:old", tmp_path / "empty"], 3, "no history"),
        ([f"{__name__}:old", tmp_path / "no.json"], 5, "it is no JSON object"),
    ):
        result = run(*arguments)
        assert (result.exit_code, text in result.output) == (code, True), result.output


@pytest.mark.parametrize("jobs", [1, 2])
def test_payloads_are_shown_if_asked_for(store: Path, jobs: int) -> None:
    asked = (f"{__name__}:new", "--store", store, "--jobs", jobs)
    assert "secret" not in run(*asked).stdout
    assert "secret" in run(*asked, "--payloads").stdout
