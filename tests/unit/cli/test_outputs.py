"""Where reports go: files that cannot be written, outputs that are full or closed, and how much is kept meanwhile."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest

from durable_execution_sdk.cli.reports import Findings, Spool
from durable_execution_sdk.engine import Engine
from durable_execution_sdk.replay import Report

ORDERS = """
from durable_execution_sdk import durable_execution

@durable_execution
def handler(event, context):
    context.step(lambda _: "a result", name="first")

@durable_execution
def changed(event, context):
    context.step(lambda _: "a result", name="another")

@durable_execution
def asking(event, context):
    input("Go on? ")
"""
REPLAY = ["replay", "orders:handler", "one.json"]
BENCH = ["bench", "--rounds", "1", "--operations", "2"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a handler, a store and a history."""
    handlers: dict[str, object] = {}
    exec(ORDERS, handlers)
    with Engine(tmp_path / "store.db") as engine:
        engine.run(handlers["handler"], {}, name="one")  # type: ignore[arg-type]  # it is a handler
        engine.export_history("one", tmp_path / "one.json")
    (tmp_path / "orders.py").write_text(ORDERS)
    (tmp_path / "waiting.py").write_text(f"print('hello')\ninput('Which? ')\n{ORDERS}")
    return tmp_path


def durable(folder: Path, words: Sequence[str], stdout: int | None = None) -> subprocess.CompletedProcess[str]:
    waits, nobody = os.pipe()  # standard input on which nothing comes, as a terminal's
    try:
        return subprocess.run(
            [sys.executable, "-m", "durable_execution_sdk.cli", *words],
            cwd=folder,
            stdin=waits,
            stdout=subprocess.PIPE if stdout is None else stdout,
            stderr=subprocess.PIPE,
            text=True,
            timeout=100,
            check=False,
        )
    finally:
        os.close(waits)
        os.close(nobody)


@pytest.mark.parametrize(
    "words",
    [
        ["replay", "absent:handler", "one.json", "--junit"],
        ["bench", "absent:handler", "one.json", "--save"],
        ["record", "absent", "--store", "store.db"],
    ],
)
def test_a_file_that_cannot_be_written_is_told_before_the_work(folder: Path, words: list[str]) -> None:
    """Had the work begun, it would have ended at what is absent."""
    for place, why in (("orders.py/out", "Not a directory"), ("nowhere/out", "No such file or directory")):
        if words[0] == "record" and place.startswith("nowhere"):
            continue  # it makes that folder
        done = durable(folder, [*words, place])
        at = place if words[0] != "record" else "orders.py"
        assert (done.returncode, done.stdout, done.stderr) == (5, "", f"durable: {at}: {why}\n")


@pytest.mark.parametrize(
    "words", [["replay", "absent:handler", "one.json", "--junit"], [*BENCH, "--official-python=/", "--save"]]
)
def test_what_fails_leaves_the_file_as_it_was(folder: Path, words: list[str]) -> None:
    (folder / "out").write_text("before")
    names = sorted(os.listdir(folder))
    assert durable(folder, [*words, "out"]).returncode != 0
    assert ((folder / "out").read_text(), sorted(os.listdir(folder))) == ("before", names)


@pytest.mark.parametrize(
    "words",
    [
        REPLAY,
        [*REPLAY, "--json"],
        ["replay", "orders:changed", "one.json"],
        BENCH,
        [*BENCH, "--json"],
        ["list", "--store", "store.db"],
        ["show", "one", "--store", "store.db", "--json"],
    ],
)
def test_standard_output_that_is_full_or_closed(folder: Path, words: list[str]) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    done = durable(folder, words, full)
    os.close(full)
    assert (done.returncode, done.stderr) == (5, "durable: standard output: No space left on device\n")
    nobody, closed = os.pipe()
    os.close(nobody)
    done = durable(folder, words, closed)
    os.close(closed)
    assert (done.returncode, done.stderr) == (1 if "orders:changed" in words else 0, "")  # as if it had been read


@pytest.mark.parametrize("option", [[*REPLAY, "--junit"], [*BENCH, "--save"], ["record", "one", "--store", "store.db"]])
def test_a_full_disk(folder: Path, option: list[str]) -> None:
    done = durable(folder, [*option, "/dev/full"])
    assert (done.returncode, done.stdout, done.stderr) == (5, "", "durable: /dev/full: No space left on device\n")


def test_redirected_output_is_the_report_alone(folder: Path) -> None:
    done = durable(folder, [*REPLAY, "--json", "--jobs", "2"])
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["summary"] == {"clean": 1}


def test_nothing_waits_for_standard_input(folder: Path) -> None:
    done = durable(folder, ["replay", "waiting:handler", "one.json"])
    assert (done.returncode, done.stdout) == (2, "")
    assert "Importing 'waiting' raises EOFError" in done.stderr
    assert "hello" in done.stderr
    done = durable(folder, ["replay", "orders:asking", "one.json"])
    assert (done.returncode, "EOFError" in done.stdout) == (6, True)


def test_text_that_no_terminal_shows(folder: Path) -> None:
    (folder / "one.json").rename(folder / "\u20ac.json")
    environment = {**os.environ, "PYTHONIOENCODING": "iso-8859-1:strict"}
    words = ["replay", "orders:changed", "\u20ac.json"]
    command = [sys.executable, "-m", "durable_execution_sdk.cli", *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False, timeout=100)
    assert (done.returncode, done.stderr) == (1, b"")
    assert done.stdout.startswith(b"\\u20ac.json: diverged")


# --- many of them -----------------------------------------------------------------------------------------------------


def test_no_report_is_kept() -> None:
    with Findings("orders:handler", as_json=True, junit=True) as found:
        for number in range(5_000):
            found.add(Report(f"history {number}", "diverged", 0, 1, cause="a cause"))
            if number % 1_000 == 999:
                assert not [one for one in gc.get_objects() if type(one) is Report and one.cause == "a cause"]
        shown = json.loads("".join(found.text()))
        assert [report["history"] for report in shown["reports"]] == [f"history {number}" for number in range(5_000)]
        assert shown["summary"] == {"diverged: a cause": 5_000}
        suite = ElementTree.fromstring("".join(found.junit()))
        assert (suite.get("failures"), len(suite)) == ("5000", 5_000)


def test_text_survives_being_put_away() -> None:
    spool = Spool()
    pieces = ["\ud800 \r\n", "x" * (1 << 20), "\u00e9\n"]
    for piece in pieces:
        spool.add(piece)
    assert "".join(spool.pieces()) == "".join(pieces)
    spool.close()
