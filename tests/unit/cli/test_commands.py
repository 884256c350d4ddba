"""The command line: what goes to which stream, and which exit code."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from durable_execution_sdk.cli.app import cli
from durable_execution_sdk.engine import Engine, read_history

HANDLERS = "tests.unit.cli.handlers"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def durable(store: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, [*words, "--store", str(store)], prog_name="durable")


def run(store: Path, handler: str, *words: str, value: Any = None) -> Result:
    given = json.dumps(value)
    return durable(store, "run", f"{HANDLERS}:{handler}", "--input", given, "--time-scale", "0", *words)


def test_the_result_is_alone_on_standard_output(store: Path) -> None:
    done = run(store, "double", "--name", "a", value={"x": 21})
    assert (done.exit_code, done.stdout) == (0, "42\n")
    assert "execution a (arn:" in done.stderr
    assert "a line of the handler's own" in done.stderr
    assert "a print of the handler's own" in done.stderr
    assert "a: 2 of 2 operations done, SUCCEEDED" in done.stderr


def test_a_name_is_idempotent(store: Path) -> None:
    first = run(store, "double", "--name", "a", value={"x": 1})
    again = run(store, "double", "--name", "a", value={"x": 1})
    assert (first.stdout, again.stdout) == ("2\n", "2\n")
    assert "a line of the handler's own" not in again.stderr
    other = run(store, "double", "--name", "a", value={"x": 2})
    assert (other.exit_code, other.stdout) == (4, "")
    assert other.stderr.startswith("durable: The name 'a' is taken")
    assert other.stderr.count("\n") == 1


def test_without_a_name_a_fresh_one_is_told(store: Path) -> None:
    done = run(store, "double", value={"x": 1})
    name = done.stderr.split()[1]
    assert durable(store, "show", name).exit_code == 0


def test_json_is_all_there_is(store: Path) -> None:
    done = run(store, "double", "--json", "--name", "a", value={"x": 1})
    shown = json.loads(done.stdout)
    assert (shown["name"], shown["status"], shown["result"], shown["finished"]) == ("a", "SUCCEEDED", 2, 2)
    listed = json.loads(durable(store, "list", "--json").stdout)
    assert [execution["name"] for execution in listed] == ["a"]
    history = json.loads(durable(store, "show", "a", "--json").stdout)["history"]
    assert [(entry["type"], entry["name"]) for entry in history[1:]] == [("STEP", "double"), ("WAIT", "pause")]


def test_a_failed_execution(store: Path) -> None:
    done = run(store, "failing", "--name", "f")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.rstrip().endswith("ValueError: no such order")
    assert "FAILED" in durable(store, "list", "--status", "failed").stdout
    as_json = run(store, "failing", "--name", "f", "--json")
    assert as_json.exit_code == 1
    assert json.loads(as_json.stdout)["error"]["ErrorType"] == "ValueError"


def test_the_tables(store: Path) -> None:
    run(store, "double", "--name", "a", value={"x": 5})
    shown = durable(store, "show", "a").stdout
    assert "double" in shown
    assert "10" in shown
    assert "1 min" in shown
    assert "a" in durable(store, "list").stdout


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["run", f"{HANDLERS}:nobody"], 2, "nobody"),
        (["run", "no_such_module:handler"], 2, "no_such_module"),
        (["run", f"{HANDLERS}:plain"], 2, "@durable_execution"),
        (["run", f"{HANDLERS}:double", "--input", "{x"], 2, "is not JSON"),
        (["run", f"{HANDLERS}:double", "--input", "@/no/such/file"], 2, "/no/such/file"),
        (["run", f"{HANDLERS}:double", "--name", "not a name"], 2, "name"),
        (["show", "nobody"], 3, "there is no store"),
        (["resume", "nobody"], 3, "there is no store"),
    ],
)
def test_what_is_wrong_is_one_line(store: Path, words: list[str], code: int, says: str) -> None:
    done = durable(store, *words)
    assert done.exit_code == code, done.stderr
    last = done.stderr.rstrip().splitlines()[-1]
    assert last.startswith("durable: ")
    assert says in last


def test_an_unknown_execution_and_a_file_that_is_no_store(store: Path, tmp_path: Path) -> None:
    run(store, "double", "--name", "a", value={"x": 1})
    assert durable(store, "show", "nobody").exit_code == 3
    other = tmp_path / "letter.txt"
    other.write_text("Dear Sir or Madam, " * 100)
    assert durable(other, "list").exit_code == 5


def test_input_from_a_file(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_text('{"x": 4}')
    done = durable(store, "run", f"{HANDLERS}:double", "--input", f"@{file}", "--time-scale", "0")
    assert done.stdout == "8\n"


def test_callbacks_from_outside(store: Path) -> None:
    with Engine(store) as engine:
        summary = engine.start(f"{HANDLERS}:approval", name="a")
        callback_id = None
        while callback_id is None:
            callback_id = next((op.callback_id for op in engine.operations("a") if op.callback_id), None)
        assert durable(store, "callback", "heartbeat", callback_id).exit_code == 0
        done = durable(store, "callback", "succeed", callback_id, "yes, please")
        assert done.exit_code == 0, done.stderr
        assert engine.result(summary.arn, timeout=60) == "yes, please"
    assert durable(store, "callback", "fail", callback_id).exit_code == 4
    assert durable(store, "callback", "succeed", "bm9ib2R5").exit_code == 3


def test_stop_and_record(store: Path, tmp_path: Path) -> None:
    with Engine(store) as engine:
        engine.create(f"{HANDLERS}:double", {"x": 1}, name="a")
    assert durable(store, "stop", "a", "--message", "enough").exit_code == 0
    assert durable(store, "resume", "a").exit_code == 1
    file = tmp_path / "a.json"
    assert durable(store, "record", "a", str(file)).exit_code == 0
    assert read_history(file).execution["Status"] == "STOPPED"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_ctrl_c_keeps_what_is_acknowledged_and_tells_how_to_go_on(store: Path, tmp_path: Path) -> None:
    event = json.dumps({"flag": str(tmp_path / "flag")})
    command = [sys.executable, "-m", "durable_execution_sdk.cli"]
    handler = f"{HANDLERS}:interrupted"
    words = ["run", handler, "--input", event, "--name", "a", "--store", str(store)]
    # Who starts tests in the background may have SIGINT ignored, which children inherit.
    first = subprocess.run(
        [*command, *words],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert (first.returncode, first.stdout) == (130, ""), first.stderr
    assert f"durable resume a --store {store}" in first.stderr
    with Engine(store) as engine:
        assert engine.describe("a").finished == 1
    second = subprocess.run(
        [*command, "resume", "a", "--store", str(store)], capture_output=True, text=True, check=False
    )
    assert (second.returncode, second.stdout) == (0, '"done"\n'), second.stderr


def test_without_the_extra_it_says_how_to_get_it() -> None:
    program = (
        "import sys, importlib.util as u; real = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name in ('click', 'rich') else real(name, *a)\n"
        "from durable_execution_sdk.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == ("durable: the command line needs click and rich: pip install 'durable-execution-sdk[cli]'\n")


@pytest.mark.parametrize(
    ("words", "secret"), [(["--mask", "*"], False), (["--no-payloads"], False), (["--mask", "nobody"], True)]
)
def test_payloads_are_masked(store: Path, tmp_path: Path, words: list[str], secret: bool) -> None:
    run(store, "double", "--name", "a", value={"x": 123454321})
    file = tmp_path / "a.json"
    done = durable(store, "record", "a", str(file), *words)
    assert done.exit_code == 0, done.stderr
    assert ("123454321" in file.read_text()) == secret
    assert ("has matched nothing" in done.stderr) == secret
    assert read_history(file).payloads == (words != ["--no-payloads"])
    checked = CliRunner().invoke(cli, ["replay", f"{HANDLERS}:double", str(file), "--jobs", "1"])
    assert checked.exit_code == (0 if secret else 6), checked.output  # it makes a number of the result
