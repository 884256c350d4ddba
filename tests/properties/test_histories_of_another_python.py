"""What an async handler recorded under one version of Python goes on under another.

Each file of tests/histories/asyncio/ was written by the version in its name. Every version replays them all, and things
take other times than when they were recorded.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import pytest

from durable_execution_sdk._drivers.aio.scopes import Scopes
from tests.support.timed_programs.checking import Difference, inline, through_the_loop
from tests.support.timed_programs.nodes import Node, Program
from tests.support.timed_programs.recording import FOLDER, Recording, check_every_beginning, record, resume

FILES = sorted(FOLDER.glob("*.jsonl"))
SHARES = 4
THIS = f"{sys.version_info.major}.{sys.version_info.minor}"
EAGER = hasattr(asyncio, "eager_task_factory")

each_share = pytest.mark.parametrize(
    ("version", "share"),
    [(file.stem.removeprefix("python-"), share) for file in FILES for share in range(SHARES)],
)


def recordings(version: str, share: int = 0, shares: int = 1) -> list[Recording]:
    """Those that this Python can replay: an execution with eager tasks needs them in every run."""
    lines = (FOLDER / f"python-{version}.jsonl").read_text(encoding="utf-8").splitlines()[share::shares]
    return [recording for line in lines if not (recording := Recording.read(line)).eager or EAGER]


@each_share
def test_every_state_that_an_invocation_began_with_replays(version: str, share: int) -> None:
    for recording in recordings(version, share, SHARES):
        for way in (inline, through_the_loop):
            with way():
                told(recording, check_every_beginning, f"elsewhere, on {THIS}")


@each_share
def test_executions_go_on_to_their_end(version: str, share: int) -> None:
    for recording in recordings(version, share, SHARES):
        told(recording, resume, f"resumed on {THIS}")


@each_share
def test_recording_again_gives_the_same_history(version: str, share: int) -> None:
    """Whichever version records: the salt says how long things take, and nothing else matters."""
    for recording in recordings(version, share, SHARES):
        again = record(recording.number, version, eager=recording.eager)
        assert again == recording, f"program {recording.number} of Python {version}: {recording.program}"


def check_all(kept: list[Recording]) -> None:
    for recording in kept:
        check_every_beginning(recording, THIS)


def told(recording: Recording, check: Callable[[Recording, str], Any], salt: str) -> None:
    try:
        check(recording, salt)
    except Difference as difference:
        where = f"program {recording.number}, {'eager' if recording.eager else 'plain'} tasks"
        raise AssertionError(f"{where}: {difference}\n{recording.program}") from difference


# --- there is something to notice ---


def kinds_in(node: Node | Program) -> set[str]:
    """The kinds of nodes in it, with the ways in which they are used."""
    parts = getattr(node, "body", ()), getattr(node, "after", ()), getattr(node, "members", ())
    inner = [each for part in (*parts, *getattr(node, "branches", ())) for each in part]
    way = getattr(node, "how", None) or getattr(node, "kind", None)
    return {type(node).__name__ + (f" {way}" if way else "")}.union(*map(kinds_in, inner))


@pytest.mark.parametrize("version", [file.stem.removeprefix("python-") for file in FILES])
def test_the_recordings_hold_every_kind_of_thing(version: str) -> None:
    plain = [recording for recording in recordings(version) if not recording.eager]
    assert len(plain) >= 200
    ways = ("gather", "group", "in order", "in reverse", "first", "all", "as completed", "shield")
    expected = {
        *(f"Tasks {way}" for way in ways),
        *(f"Promises {way}" for way in ("gather", "wait first", "as completed", "in reverse")),
        *(f"Combined {way}" for way in ("all", "all_settled", "any", "race")),
        *("Launched wait_for", "Launched timeout", "Batch map", "Batch parallel"),
        *("Step", "Wait", "Pause", "Child", "Limited", "Locked", "Queued", "Cancelled"),
    }
    assert expected <= set[str]().union(*(kinds_in(recording.program) for recording in plain))


def test_both_ends_of_what_is_supported_are_recorded() -> None:
    assert {file.stem for file in FILES} >= {"python-3.11", "python-3.13"}


@pytest.mark.parametrize("version", [file.stem.removeprefix("python-") for file in FILES])
def test_ids_that_depend_on_which_task_came_first_would_be_noticed(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Scopes, "child", lambda self, creator, qualname: creator)
    with pytest.raises(Difference):
        check_all(recordings(version))
