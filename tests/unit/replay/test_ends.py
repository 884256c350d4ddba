"""Handlers that end their process, never return, or do more to it: each costs its history, and no other."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.engine import Engine, FunctionNotFound
from durable_execution_sdk.replay import History, read_store
from durable_execution_sdk.replay.workers import check_many

LIMIT_SECONDS = 8.0
"""Short for whoever waits for it, long next to what it takes to import the handler on a machine that is busy."""


def forever() -> None:
    while True:
        pass


@durable_execution
def handler(event: Any, context: DurableContext) -> None:
    context.step(lambda _: None, name="first")
    does, place = event or (None, None)
    if does == "exit":
        os._exit(0)
    elif does == "loop":
        forever()
    elif does == "loop in a thread":
        thread = threading.Thread(target=forever)
        thread.start()
        thread.join()
    elif does == "loop in C":
        re.match("(a+)+$", "a" * 60 + "b")  # which lets no other thread run
    elif does == "copy":
        os.fork()
    elif does == "print":
        os.write(1, b"hello\n")
    elif does == "read":
        with open(place, "rb") as pipe:
            assert pipe.read(1) == b"x"
    elif does == "write":
        with open(place, "wb") as pipe:
            pipe.write(b"x")


@pytest.fixture
def finished(tmp_path: Path) -> History:
    with Engine(tmp_path / "store.db") as engine:
        engine.run(handler, None, name="one")
    [history] = read_store(tmp_path / "store.db")
    assert isinstance(history, History)
    return history


def doing(history: History, name: str, does: str, place: Path | None = None) -> History:
    """The same history, of an execution with other input."""
    first = history.operations[0]
    given = {**first["ExecutionDetails"], "InputPayload": json.dumps([does, place and str(place)])}
    return replace(history, name=name, operations=[{**first, "ExecutionDetails": given}, *history.operations[1:]])


def told(histories: list[History], jobs: int, seconds: float = 60.0) -> dict[str, tuple[str, str | None]]:
    reports = [report for report, _ in check_many(f"{__name__}:handler", histories, jobs, seconds=seconds)]
    assert [report.history for report in reports] == [history.name for history in histories]
    return {report.history: (report.verdict, report.note) for report in reports}


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("others", [0, 3])
def test_a_process_that_ends_well_is_no_clean_history(finished: History, jobs: int, others: int) -> None:
    fine = [replace(finished, name=f"fine {number}") for number in range(others)]
    found = told([*fine, doing(finished, "ends", "exit"), *fine], jobs)
    verdict, note = found.pop("ends")
    assert (verdict, "ends by itself, its exit code is 0" in (note or "")) == ("not checkable", True), note
    assert {*found.values()} <= {("clean", None)}


def test_what_takes_too_long_is_ended_and_the_others_go_on(finished: History) -> None:
    kinds = ["loop", "loop in a thread", "loop in C"]
    fine = [replace(finished, name=f"fine {number}") for number in range(20)]
    found = told([*fine[:10], *(doing(finished, kind, kind) for kind in kinds), *fine[10:]], 3, LIMIT_SECONDS)
    for kind in kinds:
        verdict, note = found.pop(kind)
        assert (verdict, "takes longer than 8 s" in (note or "")) == ("not checkable", True), note
    assert {*found.values()} == {("clean", None)}


def test_what_takes_its_time_holds_up_no_other(finished: History, tmp_path: Path) -> None:
    """It waits for the last of them."""
    os.mkfifo(tmp_path / "pipe")
    last = doing(finished, "last", "write", tmp_path / "pipe")
    between = [replace(finished, name=f"between {number}") for number in range(60)]
    found = told([doing(finished, "first", "read", tmp_path / "pipe"), *between, last], 2, seconds=0)
    assert {*found.values()} == {("clean", None)}


def test_a_copy_of_the_process_checks_nothing(finished: History) -> None:
    found = told([doing(finished, f"number {number}", "copy") for number in range(5)], 1)
    assert {*found.values()} == {("clean", None)}


class Leaping:
    """A clock that leaps at each look, and after a while lets go who waits for it."""

    def __init__(self, pipe: Path) -> None:
        self.pipe = pipe
        self.looks = 0

    def monotonic(self) -> float:
        self.looks += 1
        if self.looks > 16:
            with suppress(OSError):  # nobody waits yet, or any more
                descriptor = os.open(self.pipe, os.O_WRONLY | os.O_NONBLOCK)
                os.write(descriptor, b"x")
                os.close(descriptor)
        return self.looks * 1e6


def test_time_in_which_the_check_is_stopped_does_not_count(
    finished: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by Ctrl-Z, or by closing a laptop."""
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr("durable_execution_sdk.replay.workers.time", Leaping(tmp_path / "pipe"))
    assert told([doing(finished, "waits", "read", tmp_path / "pipe")], 1) == {"waits": ("clean", None)}


# --- importing it -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("does", "seconds", "says"),
    [
        ("import os; os._exit(0)", 60.0, "Importing 'odd' ends the process that does it; its exit code is 0."),
        ("while True: pass", 1.0, "Importing 'odd' takes longer than 1 s: allow it more with --timeout, 0 for no"),
        ("def handler(event, context): pass", 60.0, "odd:handler is no durable handler: decorate it with"),
    ],
)
def test_a_module_that_cannot_be_imported_is_told(
    tmp_path: Path, finished: History, monkeypatch: pytest.MonkeyPatch, does: str, seconds: float, says: str
) -> None:
    (tmp_path / "odd.py").write_text(does)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(FunctionNotFound, match=re.escape(says)):
        list(check_many("odd:handler", [finished], 1, seconds=seconds))


SINGLE = """
import os
from durable_execution_sdk import durable_execution

PIPE = os.path.join(os.environ["PLACE"], "pipe")
try:
    os.mkdir(os.path.join(os.environ["PLACE"], "there"))
except OSError:
    with open(PIPE, "wb") as pipe:
        pipe.write(b"x")
    os._exit(3)

@durable_execution
def handler(event, context):
    context.step(lambda _: None, name="first")
    if event:
        with open(PIPE, "rb") as pipe:
            pipe.read()
"""


def test_fewer_workers_do_it_where_no_more_can_be_started(
    tmp_path: Path, finished: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "single.py").write_text(SINGLE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PLACE", str(tmp_path))
    histories = [replace(finished, name=f"number {number}") for number in range(300)]
    histories[0] = doing(finished, "number 0", "waits for an import to fail")
    reports = [report for report, _ in check_many("single:handler", histories, 2)]
    assert [(report.history, report.verdict) for report in reports] == [(each.name, "clean") for each in histories]


# --- as a command -----------------------------------------------------------------------------------------------------

SHOP = """
import os, signal
from durable_execution_sdk import durable_execution

@durable_execution
def fine(event, context):
    os.write(1, b"hello")
    context.step(lambda _: None, name="first")

@durable_execution
def ending(event, context):
    if not os.fork():
        signal.pause()  # with all that it has inherited
    os._exit(0)

@durable_execution
def leaving(event, context):
    if not os.fork():
        signal.pause()
    context.step(lambda _: None, name="first")

@durable_execution
def endless(event, context):
    while True:
        pass
"""


def durable(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "shop.py").write_text(SHOP)
    command = [sys.executable, "-m", "durable_execution_sdk.cli", "replay", *words, "--store", "store.db", "--json"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.usefixtures("finished")
@pytest.mark.parametrize(
    ("name", "seconds", "says"),
    [("ending", "60", "ends by itself, its exit code is 0"), ("endless", "8", "takes longer than 8 s")],
)
def test_a_single_history_costs_what_many_do(tmp_path: Path, name: str, seconds: str, says: str) -> None:
    """What the handler has started ends with it: else this would not read the end of standard error."""
    done = durable(tmp_path, f"shop:{name}", "--timeout", seconds, "--junit", "out.xml")
    assert (done.returncode, done.stderr) == (6, "")
    found = json.loads(done.stdout)
    assert found["summary"] == {"not checkable": 1}
    [report] = found["reports"]
    assert (report["history"], says in report["note"]) == ("one", True)
    suite = ElementTree.parse(tmp_path / "out.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("1", "0", "1")


@pytest.mark.usefixtures("finished")
def test_what_is_printed_past_python_is_no_report(tmp_path: Path) -> None:
    done = durable(tmp_path, "shop:fine")
    assert (done.returncode, done.stderr) == (0, "hello")
    assert json.loads(done.stdout)["summary"] == {"clean": 1}


@pytest.mark.usefixtures("finished")
def test_nothing_is_left_of_what_a_handler_starts(tmp_path: Path) -> None:
    """Else this would not read the end of standard error."""
    done = durable(tmp_path, "shop:leaving")
    assert (done.returncode, json.loads(done.stdout)["summary"]) == (0, {"clean": 1}), done.stderr


def test_a_worker_ends_as_python_does(tmp_path: Path, finished: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """What users have registered for that moment runs, such as what measures coverage."""
    atexit = f"import atexit, pathlib\natexit.register(pathlib.Path({str(tmp_path / 'told')!r}).write_text, 'bye')\n"
    (tmp_path / "polite.py").write_text(atexit + SHOP)
    monkeypatch.syspath_prepend(tmp_path)
    assert [report.verdict for report, _ in check_many("polite:fine", [finished], 1)] == ["clean"]
    assert (tmp_path / "told").read_text() == "bye"
