"""Handlers that cannot be used, whichever command they are named for."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.cli.app import cli
from durable_execution_sdk.engine import Engine


@durable_execution
def recorded(event: object, context: DurableContext) -> None:
    context.step(lambda _: None, name="one")


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    with Engine(tmp_path / "store.db") as engine:
        engine.run(recorded, {}, name="one")
        engine.export_history("one", tmp_path / "one.json")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "one.json"


@pytest.mark.parametrize("command", ["run", "replay", "bench"])
@pytest.mark.parametrize(
    ("target", "source", "says"),
    [
        ("absent_one:handler", None, "There is no module 'absent_one' on the path"),
        ("handlers_plain", "", "'handlers_plain' is no function: expected module:attribute"),
        ("handlers_empty:handler", "", "Module 'handlers_empty' has no 'handler'"),
        ("handlers_value:handler", "handler = 3", "'handlers_value:handler' is no function but int"),
        ("handlers_broken:handler", "\ndef handler(:", "Importing 'handlers_broken' raises SyntaxError:"),
        ("handlers_lost:handler", "\nimport absent_two", "raises ModuleNotFoundError: No module named 'absent_two'"),
        ("handlers_raise:handler", "\n1 / 0", "Importing 'handlers_raise' raises ZeroDivisionError: division by zero"),
        ("handlers_exit:handler", "\nraise SystemExit('bye')", "Importing 'handlers_exit' raises SystemExit: bye"),
    ],
)
def test_what_is_wrong_with_a_handler_is_said(
    history: Path, command: str, target: str, source: str | None, says: str
) -> None:
    module = history.parent / f"{target.partition(':')[0]}.py"
    if source is not None:
        module.write_text(source)
    done = CliRunner().invoke(cli, [command, target, *([] if command == "run" else [str(history)])])
    assert (done.exit_code, done.stdout) == (2, ""), done.output
    assert done.stderr.startswith("durable: ")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    if source is not None and source.startswith("\n"):
        assert f"{module}:2" in done.stderr  # where it is
