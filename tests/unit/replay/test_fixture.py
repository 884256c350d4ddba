"""The pytest fixture, in tests of its own: the example of the guide, and what it says of a handler that has changed."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from durable_execution_sdk.engine import Engine
from tests.house.sources import ROOT

ORDERS = """
from durable_execution_sdk import durable_execution

@durable_execution
def handler(event, context):
    context.step(lambda _: "a secret", name="{first}")
    context.step(lambda _: None, name="pay")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a handler, a recorded history, and the test that the guide shows."""
    handlers: dict[str, object] = {}
    exec(ORDERS.format(first="reserve"), handlers)
    (tmp_path / "histories").mkdir()
    with Engine() as engine:
        engine.run(handlers["handler"], {}, name="one")  # type: ignore[arg-type]  # it is a handler
        engine.export_history("one", tmp_path / "histories" / "one.json")
    guide = (ROOT / "docs" / "guides" / "replay.md").read_text(encoding="utf-8")
    [example] = re.findall(r"^```py\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    (tmp_path / "test_histories.py").write_text(example)
    (tmp_path / "orders.py").write_text(ORDERS.format(first="reserve"))
    return tmp_path


def run(project: Path) -> subprocess.CompletedProcess[str]:
    plugin = ("-p", "durable_execution_sdk.pytest_plugin", "-p", "no:cacheprovider")
    command = [sys.executable, "-m", "pytest", "-q", *plugin, "--rootdir", str(project), "-W", "error"]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=100, check=False)


def test_the_example_of_the_guide(project: Path) -> None:
    done = run(project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_a_changed_handler_fails_the_test(project: Path) -> None:
    (project / "orders.py").write_text(ORDERS.format(first="hold"))
    done = run(project)
    assert done.returncode == 1
    for line in (
        "1 of 1 recorded histories do not replay",
        "diverged (renamed)",
        "recorded: Step 'reserve'",
        "orders.py:6",
    ):
        assert line in done.stdout
    assert "a secret" not in done.stdout


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("durable_replay.check(handler, 'histories/', allow=['diverged'])", "1 passed"),
        ("durable_replay.check(handler, 'broken/')", "lines.jsonl:1: unreadable"),
        ("durable_replay.check(handler, 'broken/', allow=['unreadable'])", "1 passed"),
        ("durable_replay.check(handler, 'histories/', payloads=True)", "a secret"),
        ("durable_replay.check(handler, 'nowhere')", "relative to pytest's root directory"),
        ("durable_replay.check(handler, 'empty')", "There is no history to check"),
    ],
)
def test_what_it_takes(project: Path, call: str, said: str) -> None:
    (project / "orders.py").write_text(ORDERS.format(first="hold"))
    (project / "empty").mkdir()
    (project / "broken").mkdir()
    (project / "broken" / "lines.jsonl").write_text("{\n")
    (project / "test_histories.py").write_text(
        f"from orders import handler\ndef test_it(durable_replay):\n    {call}\n"
    )
    assert said in run(project).stdout


def test_it_is_an_installed_plugin() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    [module] = settings["project"]["entry-points"]["pytest11"].values()
    assert hasattr(importlib.import_module(module), "durable_replay")


def test_it_costs_nothing_until_it_is_asked_for() -> None:
    code = "import sys, durable_execution_sdk.pytest_plugin; print('durable_execution_sdk.replay' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True)
    assert done.stdout.strip() == "False"
