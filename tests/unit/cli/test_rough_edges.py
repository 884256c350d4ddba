"""What a stranger runs into first."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.cli.app import cli
from durable_execution_sdk.engine import Engine

AT_WORK = """
import os, signal
from durable_execution_sdk import durable_execution

@durable_execution
def handler(event, context):
    with open(os.environ["PIPE"], "wb", buffering=0) as pipe:
        pipe.write(b"x")
    while True:
        signal.pause()
"""


@durable_execution
def recorded(event: object, context: DurableContext) -> None:
    context.step(lambda _: 1, name="one")


@durable_execution
def changed(event: object, context: DurableContext) -> None:
    context.step(lambda _: None, name="another")


@durable_execution
def leaving(event: object, context: DurableContext) -> None:
    sys.exit(4)


@durable_execution
def cancelled(event: object, context: DurableContext) -> None:
    raise asyncio.CancelledError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Engine(tmp_path / "store.db") as engine:
        for name in ("first", "second"):
            engine.run(recorded, {}, name=name)
    return tmp_path


def durable(*words: object) -> Result:
    return CliRunner().invoke(cli, [*map(str, words)], prog_name="durable")


def test_record_makes_the_folder_of_its_file(folder: Path) -> None:
    for out in ("one/first.json", "two/all.jsonl"):
        words = ["first"] if out.endswith(".json") else ["--all"]
        done = durable("record", *words, folder / out, "--store", folder / "store.db")
        assert done.exit_code == 0, done.output
        assert (folder / out).exists()
        assert (folder / out).parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "it is empty"), ("{", "it is no JSON"), ("[1]", "it is no JSON object"), ("{}", "no operations")],
)
def test_what_is_no_history_says_why_and_what_to_do(folder: Path, text: str, says: str) -> None:
    (folder / "bad.json").write_text(text)
    done = durable("replay", f"{__name__}:recorded", folder / "bad.json")
    assert done.exit_code == 5
    for part in ("bad.json: unreadable", says, "`durable record` writes histories", "1 unreadable"):
        assert part in done.stdout
    assert done.stderr == ""


def test_words_in_the_wrong_order_are_told(folder: Path) -> None:
    done = durable("replay", folder, f"{__name__}:recorded")
    assert (done.exit_code, "MODULE:HANDLER comes before the histories" in done.stderr) == (3, True)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_handler_that_ends_the_process_ends_no_check(folder: Path, jobs: int) -> None:
    for name, raised in (("leaving", "SystemExit"), ("cancelled", "CancelledError")):
        done = durable("replay", f"{__name__}:{name}", "--store", folder / "store.db", "--jobs", jobs)
        assert (done.exit_code, "2 not checkable" in done.stdout) == (6, True), done.output
        assert f"raises {raised}" in done.stdout


def test_any_name_makes_a_report_that_is_xml(folder: Path) -> None:
    junit, history = folder / "out.xml", folder / "a\x02b.json"
    assert durable("record", "first", history, "--store", folder / "store.db").exit_code == 0
    done = durable("replay", f"{__name__}:changed", history, "--junit", junit, "--jobs", 1)
    assert done.exit_code == 1, done.output
    suite = ElementTree.parse(junit).getroot()
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert "a\\x02b.json" in (failure.text or "")


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(
    ("number", "code", "says"),
    [
        (signal.SIGINT, 130, "durable: interrupted\n"),
        (signal.SIGTERM, 143, "durable: ended by SIGTERM\n"),
        (signal.SIGHUP, 129, "durable: ended by SIGHUP\n"),
        (signal.SIGKILL, -9, ""),
    ],
)
def test_a_signal_ends_a_check_of_a_handler_that_never_returns(
    folder: Path, jobs: int, number: signal.Signals, code: int, says: str
) -> None:
    """And its workers, which have the same standard error: were one left, this would not read the end of it."""
    assert durable("record", "--all", folder / "all.jsonl", "--store", folder / "store.db").exit_code == 0
    (folder / "endless.py").write_text(AT_WORK)
    os.mkfifo(folder / "pipe")
    words = ["replay", "endless:handler", "all.jsonl", f"--jobs={jobs}", "--junit=out.xml"]

    def as_started_by_a_terminal() -> None:
        # Who starts tests in the background may have signals ignored, which children inherit.
        for each in (signal.SIGINT, signal.SIGHUP):
            signal.signal(each, signal.SIG_DFL)

    check = subprocess.Popen(
        [sys.executable, "-m", "durable_execution_sdk.cli", *words],
        cwd=folder,
        env={**os.environ, "PIPE": str(folder / "pipe")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=as_started_by_a_terminal,  # noqa: PLW1509  # no thread runs here
    )
    with open(folder / "pipe", "rb", buffering=0) as pipe:
        assert pipe.read(1) == b"x"  # a handler is at work
    check.send_signal(number)
    said, complained = check.communicate(timeout=60)
    assert (check.returncode, said) == (code, "")
    assert complained == says or number == signal.SIGKILL  # of which Python's own tracker complains
    assert number == signal.SIGKILL or not [*folder.glob("*out.xml*")]


def test_a_handler_that_is_forgotten_or_named_as_a_file_is_told(folder: Path) -> None:
    for words, says in (
        (["histories/one.json"], "histories/one.json is no MODULE:HANDLER, such as orders:handler"),
        (["./orders:handler", folder], "'./orders:handler' is no function: expected module:attribute"),
    ):
        done = durable("replay", *words)
        assert (done.exit_code, says in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--mask", ""], "--mask '' matches nothing"),
        (["--mask", "one", "--keep-input"], "--keep-input belongs to --mask '*'"),
        (["--mask", "*", "--keep-input", "--no-payloads"], "--no-payloads leaves the input out"),
    ],
)
def test_masks_that_hide_nothing_write_nothing(folder: Path, options: list[str], says: str) -> None:
    done = durable("record", "first", folder / "out.json", "--store", folder / "store.db", *options)
    assert (done.exit_code, says in done.stderr, (folder / "out.json").exists()) == (2, True, False)


def test_many_executions_make_no_folder_that_looks_like_a_file(folder: Path) -> None:
    done = durable("record", "--all", folder / "out.json", "--store", folder / "store.db")
    assert (done.exit_code, "to a folder, or to a .jsonl file" in done.stderr) == (2, True)
    assert not (folder / "out.json").exists()


@pytest.mark.parametrize(("command", "option"), [("replay", "--junit"), ("bench", "--save")])
def test_no_report_replaces_a_history_that_is_read(folder: Path, command: str, option: str) -> None:
    one, store = folder / "histories" / "one.json", folder / "store.db"
    assert durable("record", "first", one, "--store", store).exit_code == 0
    before = one.read_bytes()
    for read in ([one], [one.parent], ["--store", store]):
        written = store if "--store" in read else one
        done = durable(command, f"{__name__}:recorded", *read, option, written)
        assert (done.exit_code, "would replace a history that is read" in done.stderr) == (2, True), done.output
    assert one.read_bytes() == before
    assert durable(command, f"{__name__}:recorded", one, option, one.with_suffix(".out")).exit_code == 0
