"""Many histories: where they lie, how they are dealt out, and that nothing is lost or out of order."""

from __future__ import annotations

import gc
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.engine import Engine
from durable_execution_sdk.replay import History, read_store
from durable_execution_sdk.replay.portions import (
    InFile,
    InStore,
    Item,
    OnLine,
    bytes_in,
    in_store,
    items,
    load,
    size_of,
)
from durable_execution_sdk.replay.workers import WorkersEnd, check_many


@durable_execution
def handler(event: Any, context: DurableContext) -> None:
    context.step(lambda _: None, name="first")


@durable_execution
def fatal(event: Any, context: DurableContext) -> None:
    os._exit(1)


@durable_execution
def fatal_at_times(event: Any, context: DurableContext) -> None:
    context.step(lambda _: None, name="first")
    if event["fatal"]:
        os._exit(1)


def noted(item: Item) -> str:
    return Path(item.path).name if isinstance(item, InFile | OnLine) else item.name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files, a file of three lines in a folder below them, and what is no history."""
    place = tmp_path / "histories"
    (place / "below").mkdir(parents=True)
    with Engine(tmp_path / "store.db") as engine:
        engine.run(handler, {}, name="one")
        engine.export_history("one", place / "b.json")
    text = (place / "b.json").read_text()
    (place / "a.json").write_text(text)
    line = " ".join(text.splitlines())
    (place / "below" / "c.jsonl").write_text(f"{line}\n\n{line}\n  \n{line}")
    (place / "notes.txt").write_text("no history")
    return place


def test_histories_are_found_by_name_without_being_read(folder: Path) -> None:
    found = list(items(folder))
    assert [noted(item) for item in found] == ["a.json", "b.json", "c.jsonl", "c.jsonl", "c.jsonl"]
    assert [item.number for item in found if isinstance(item, OnLine)] == [1, 3, 5]
    assert sum(map(size_of, found)) == bytes_in(folder) - len("\n  \n")
    assert [item.size_bytes for item in items(folder / "a.json") if isinstance(item, InFile)] == [
        bytes_in(folder / "a.json")
    ]


def test_what_only_this_process_has_is_read_by_it(folder: Path) -> None:
    """Such as a pipe that a shell names: whoever else opens it finds nothing, or something else."""
    reader, writer = os.pipe()
    os.write(writer, (folder / "b.json").read_bytes())
    os.close(writer)
    [history] = items(Path(f"/dev/fd/{reader}"))
    os.close(reader)
    assert isinstance(history, History)
    assert len(history.operations) == 2


def test_lines_are_read_from_the_middle_of_a_file(folder: Path) -> None:
    last = list(items(folder / "below" / "c.jsonl"))[-1:]
    [history] = load(last)
    assert history.name == f"{folder / 'below' / 'c.jsonl'}:5"
    assert history.complete


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_history_has_its_report_in_order(folder: Path, jobs: int) -> None:
    found = list(items(folder)) * 8
    checked = list(check_many(f"{__name__}:handler", found, jobs))
    assert [report.history for report, _ in checked] == [history.name for history in load(found)]
    assert {report.verdict for report, _ in checked} == {"clean"}
    assert [size for _, size in checked] == [size_of(item) for item in found]


def test_histories_at_hand_are_handed_over(folder: Path) -> None:
    given = [*read_store(folder.parent / "store.db")] * 2
    checked = list(check_many(f"{__name__}:handler", given, 2))
    assert [(report.history, report.verdict) for report, _ in checked] == [("one", "clean")] * 2


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_is_no_history_has_its_report_among_the_others(folder: Path, jobs: int) -> None:
    (folder / "b.json").write_text("[]")
    with (folder / "below" / "c.jsonl").open("a") as lines:
        lines.write('\n{"broken')
    reports = [report for report, _ in check_many(f"{__name__}:handler", items(folder), jobs)]
    assert [report.verdict for report in reports] == ["clean", "unreadable", *["clean"] * 3, "unreadable"]
    assert [Path(report.history).name for report in reports if not report.ok] == ["b.json", "c.jsonl:6"]


def test_workers_that_end_at_every_history_are_told(folder: Path) -> None:
    checked = check_many(f"{__name__}:fatal", items(folder), 2)
    for _ in range(3):
        report, _ = next(checked)
        assert (report.verdict, "ends by itself" in (report.note or "")) == ("not checkable", True)
    with pytest.raises(WorkersEnd):
        next(checked)


def test_a_worker_that_ends_at_one_history_ends_no_check(tmp_path: Path) -> None:
    with Engine(tmp_path / "store.db") as engine:
        for number in range(9):
            engine.run(handler, {"fatal": number == 4}, name=f"number-{number}")
    found = [*in_store(tmp_path / "store.db")] * 3
    reports = [report for report, _ in check_many(f"{__name__}:fatal_at_times", found, 2)]
    assert [report.history for report in reports] == [item.name for item in found if isinstance(item, InStore)]
    assert {report.history for report in reports if report.verdict == "not checkable"} == {"number-4"}
    assert {report.verdict for report in reports if report.history != "number-4"} == {"clean"}


# --- what is in memory meanwhile --------------------------------------------------------------------------------------


def alive() -> int:
    """Histories that this process holds, without those in cycles that nobody holds."""
    gc.collect()
    return sum(type(one) is History for one in gc.get_objects())


def test_one_history_at_a_time_is_in_memory(folder: Path) -> None:
    line = " ".join((folder / "b.json").read_text().splitlines())
    (folder / "many.jsonl").write_text(f"{line}\n" * 50)
    before = alive()
    read = enumerate(load(items(folder)))
    assert max(alive() - before for number, _ in read if number % 10 == 9) <= 2  # this one, and the one before it


@pytest.mark.parametrize("jobs", [1, 2])
def test_histories_at_hand_are_asked_for_as_they_are_checked(folder: Path, jobs: int) -> None:
    """AWS gives them one after the other, and whoever deals them holds those that wait."""
    [given] = read_store(folder.parent / "store.db")
    asked = 0

    def coming() -> Iterator[Item]:
        nonlocal asked
        for _ in range(40):
            asked += 1
            yield given

    ahead = [asked - done for done, _ in enumerate(check_many(f"{__name__}:handler", coming(), jobs), 1)]
    assert len(ahead) == 40
    assert max(ahead) <= jobs * 4


@pytest.mark.parametrize("jobs", [1, 2])
def test_executions_of_a_store_are_read_by_who_checks_them(
    tmp_path: Path, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("durable_execution_sdk.replay.portions._PAGE", 2)
    store = tmp_path / "store.db"
    names = [f"number-{number}" for number in range(5)]
    with Engine(store) as engine:
        for name in names:
            engine.run(handler, {}, name=name)
    found = [*in_store(store)]
    assert [item.name for item in found if isinstance(item, InStore)] == names
    connection = sqlite3.connect(store)
    connection.execute("DELETE FROM executions WHERE name = 'number-2'")
    connection.commit()
    connection.close()
    reports = [report for report, _ in check_many(f"{__name__}:handler", found, jobs)]
    assert [report.history for report in reports] == names
    assert [report.verdict for report in reports] == ["clean", "clean", "unreadable", "clean", "clean"]
    assert "it cannot be read: " in (reports[2].note or "")
