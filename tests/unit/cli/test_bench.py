"""`durable bench`, as a command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.cli.app import cli
from durable_execution_sdk.engine import Engine
from durable_execution_sdk.replay.benching import percentile
from durable_execution_sdk.replay.synthetic import SHAPES
from tests.compat.conftest import official_python

FEW = ("--rounds", 2, "--warm-up", 1)
ran: list[str] = []
HANDLER = """
from durable_execution_sdk import durable_execution

@durable_execution
def handler(event, context):
    context.step(lambda _: None, name="first")
    context.step(lambda _: None, name="second")
"""


@durable_execution
def handler(event: Any, context: DurableContext) -> None:
    context.step(lambda _: ran.append("first"), name="first")
    context.step(lambda _: ran.append("second"), name="second")


@durable_execution
def longer(event: Any, context: DurableContext) -> None:
    context.step(lambda _: ran.append("first"), name="first")
    context.step(lambda _: ran.append("second"), name="second")
    context.step(lambda _: ran.append("third"), name="third")


@durable_execution
def other(event: Any, context: DurableContext) -> None:
    context.step(lambda _: None, name="another")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "store.db"
    with Engine(path) as engine:
        for name in ("one", "two"):
            engine.run(handler, {}, name=name)
            engine.export_history(name, tmp_path / f"{name}.json")
    ran.clear()
    return path


def run(*arguments: object) -> Any:
    return CliRunner().invoke(cli, ["bench", *map(str, arguments)])


def figures(*arguments: object) -> dict[str, Any]:
    result = run(*arguments, *FEW, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)["figures"]
    return found


@pytest.mark.parametrize("colour", [(), ("--async",)])
@pytest.mark.parametrize("shape", SHAPES)
def test_built_in_handlers_replay_every_shape_whole(shape: str, colour: tuple[str, ...]) -> None:
    found = figures("--shape", shape, "--operations", 20, "--count", 3, *colour)
    assert (found["histories"], found["operations"], found["invocations"]) == (3, 60, 6)
    assert found["p50_us"] <= found["p90_us"] <= found["p99_us"]
    assert found["operations_per_second"] * found["us_per_operation"] == pytest.approx(1e6)
    assert found["peak_bytes"] > 0


def test_recorded_histories_are_replayed_without_running_a_step(store: Path, tmp_path: Path) -> None:
    target = f"{__name__}:handler"
    assert figures(target, "--store", store)["operations"] == 4
    assert figures(target, tmp_path / "one.json")["operations"] == 2
    assert figures(f"{__name__}:longer", tmp_path / "one.json")["operations"] == 2
    assert ran == []


def test_a_table_is_printed() -> None:
    result = run("--operations", 10, *FEW)
    assert result.exit_code == 0, result.output
    assert "operations per second" in result.stdout
    assert "baseline" not in result.stdout


def test_a_baseline_is_compared_with(tmp_path: Path) -> None:
    saved = tmp_path / "baseline.json"
    assert run("--operations", 10, *FEW, "--save", saved).exit_code == 0
    shown = run("--operations", 10, *FEW, "--baseline", saved)
    assert (shown.exit_code, "baseline" in shown.stdout) == (0, True)
    held = json.loads(saved.read_text())
    for us_per_operation, code in ((1e-9, 1), (1e9, 0)):
        held["figures"]["us_per_operation"] = us_per_operation
        saved.write_text(json.dumps(held))  # figures that no machine can reach, and that any does
        assert run("--operations", 10, *FEW, "--baseline", saved, "--fail-over", 10).exit_code == code


def test_what_is_wrong_is_said(store: Path, tmp_path: Path) -> None:
    (tmp_path / "no.json").write_text("{}")
    for arguments, code, text in (
        (["--fail-over", 5], 2, "needs a --baseline"),
        (["--store", store], 2, "need the handler"),
        ([f"{__name__}:handler", tmp_path / "one.json", tmp_path / "no.json"], 5, "no.json is unreadable: it has no"),
        (["--baseline", tmp_path / "no.json"], 2, "is no baseline"),
        ([f"{__name__}:handler", tmp_path / "absent"], 3, "there is no"),
        ([f"{__name__}:other", tmp_path / "one.json"], 2, "does not replay"),
        ([f"{__name__}:other", "--operations", 5], 2, "does not replay histories that are made up"),
        ([f"{__name__}:figures", tmp_path / "one.json"], 2, "no durable handler"),
        ([f"{__name__}:handler", tmp_path / "one.json", "--count", 2], 2, "--count is for made-up histories"),
        ([f"{__name__}:handler", "--async"], 2, "--async chooses the built-in handler"),
    ):
        result = run(*arguments)
        assert (result.exit_code, text in result.output) == (code, True), result.output


@pytest.mark.parametrize("shape", SHAPES)
def test_the_official_sdk_replays_the_same(shape: str) -> None:
    python = official_python("3.0.0", "DURABLE_OFFICIAL_PYTHON")
    result = run("--shape", shape, "--operations", 20, "--rounds", 1, "--official-python", python, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["official"]["us_per_operation"] > 0


def test_the_official_sdk_replays_a_handler_of_ours(store: Path, tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text(HANDLER)
    arguments = ("--rounds", "1", "--official-python", official_python("3.0.0", "DURABLE_OFFICIAL_PYTHON"))
    done = subprocess.run(
        [sys.executable, "-m", "durable_execution_sdk.cli", "bench", "orders:handler", "one.json", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "times as long" in done.stdout


def test_the_official_sdk_gets_nothing_to_go_on_with(store: Path, tmp_path: Path) -> None:
    longer_than_recorded = (f"{__name__}:longer", tmp_path / "one.json", "--official")
    for arguments, text in (
        (longer_than_recorded, "does not end with a result"),
        (("--async", "--official"), "no async def"),
        (("--official-python", sys.executable), "official SDK cannot replay"),
    ):
        result = run(*arguments, *FEW)
        assert (result.exit_code, text in result.output) == (2, True), result.output


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(value) for value in range(1, 101)]
    assert [percentile(values, percent) for percent in (50, 90, 99)] == [50, 90, 99]
    assert percentile([7.0], 99) == 7
