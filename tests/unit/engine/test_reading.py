"""Stores that are only read: whoever looks needs no right to write, sees what is there, and changes nothing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner

from durable_execution_sdk.cli.app import cli
from durable_execution_sdk.engine import Engine, StoreError, sqlite
from durable_execution_sdk.engine.locks import DriverLocks
from durable_execution_sdk.replay import read_store
from tests.support import engine_workflows as workflows

NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that others can look into, with a store at rest, of one execution, and nothing else."""
    with TemporaryDirectory() as place:
        path = Path(place) / "store.db"
        with Engine(path, time_scale=0) as engine:
            engine.run(workflows.greet, {"name": "Ada"}, name="a")
        Path(f"{path}.lock").unlink()
        Path(place).chmod(0o755)
        path.chmod(0o644)
        yield Path(place)
        Path(place).chmod(0o755)


@contextmanager
def unprivileged() -> Iterator[None]:
    """As somebody whom the rights of files bind, which they do not bind root."""
    before = os.geteuid()
    if not before:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


def contents(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    found = {}
    for path in folder.iterdir():
        about = path.stat()
        found[path.name] = (about.st_mode, about.st_mtime_ns, path.read_bytes())
    return found


def names(path: Path) -> list[str]:
    with Engine(path, read_only=True) as engine:
        return [execution.name for execution in engine.list(newest_first=False)]


def crashed(folder: Path) -> Path:
    """A folder as a process leaves it that dies: part of the store is in its log."""
    place = folder / "crashed"
    place.mkdir()
    with Engine(folder / "store.db") as engine:
        engine.create(workflows.greet, {}, name="b")
        for path in folder.glob("store.db*"):
            shutil.copyfile(path, place / path.name)
            (place / path.name).chmod(0o644)
    assert (place / "store.db-wal").stat().st_size
    return place


# --- nothing changes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["list"],
        ["show", "a"],
        ["record", "a", "{out}/a.json"],
        ["record", "--all", "{out}/histories"],
        ["replay", "tests.support.engine_workflows:greet"],
        ["bench", "tests.support.engine_workflows:greet", "--rounds", "1"],
    ],
    ids=" ".join,
)
def test_commands_that_read_change_nothing(folder: Path, tmp_path: Path, words: list[str]) -> None:
    before = contents(folder)
    words = [word.replace("{out}", str(tmp_path)) for word in words]
    done = CliRunner().invoke(cli, [*words, "--store", str(folder / "store.db")])
    assert done.exit_code == 0, done.output
    assert contents(folder) == before


def test_a_folder_and_a_file_that_cannot_be_written_to(folder: Path) -> None:
    (folder / "store.db").chmod(0o444)
    folder.chmod(0o555)
    with unprivileged():
        assert names(folder / "store.db") == ["a"]
        with pytest.raises(StoreError, match="cannot be"):
            Engine(folder / "store.db")


def test_a_link_to_a_store(folder: Path) -> None:
    place = crashed(folder)
    (folder / "link.db").symlink_to(place / "store.db")
    assert names(folder / "link.db") == ["a", "b"]


def test_a_name_that_means_something_in_an_address(folder: Path) -> None:
    odd = folder / "a store?mode=rw#50%.db"
    shutil.copyfile(folder / "store.db", odd)
    before = contents(folder)
    assert names(odd) == ["a"]
    assert contents(folder) == before


# --- what is in the log -----------------------------------------------------------------------------------------------


def test_what_a_process_has_left_in_the_log_is_read(folder: Path) -> None:
    place = crashed(folder)
    before = {name: found[2] for name, found in contents(place).items() if name != "store.db-shm"}
    assert names(place / "store.db") == ["a", "b"]
    assert {name: found[2] for name, found in contents(place).items() if name != "store.db-shm"} == before


def test_the_log_of_a_folder_that_cannot_be_written_to(folder: Path) -> None:
    place = crashed(folder)
    place.chmod(0o555)
    with unprivileged():
        assert names(place / "store.db") == ["a", "b"]
    place.chmod(0o755)
    (place / "store.db-shm").unlink()
    place.chmod(0o555)
    with unprivileged(), pytest.raises(StoreError, match=r"store\.db-wal: .* Copy the file and its log to a folder"):
        Engine(place / "store.db", read_only=True)
    place.chmod(0o755)


def test_an_empty_log_that_nobody_has_open_is_none(folder: Path) -> None:
    (folder / "store.db-wal").touch()
    before = contents(folder)
    assert names(folder / "store.db") == ["a"]
    assert contents(folder) == before


def test_what_is_written_meanwhile_is_seen(folder: Path) -> None:
    path = folder / "store.db"
    os.utime(path, (1, 1))
    with Engine(path, read_only=True) as reader:
        assert len(reader.list()) == 1
        with Engine(path) as writer:
            writer.create(workflows.greet, {}, name="b")
            assert len(reader.list()) == 2
            assert reader._store.changed_elsewhere() is False
            writer.create(workflows.greet, {}, name="c")
            assert reader._store.changed_elsewhere() is True
            assert len(reader.list()) == 3
        assert len(reader.list()) == 3


def test_what_came_and_went_between_two_looks_is_seen(folder: Path) -> None:
    path = folder / "store.db"
    os.utime(path, (1, 1))
    with Engine(path, read_only=True) as reader:
        with Engine(path) as writer:
            writer.create(workflows.greet, {}, name="b")
        assert reader._store.changed_elsewhere() is True
        assert len(reader.list()) == 2
        assert reader._store.changed_elsewhere() is False


def test_a_look_during_which_the_file_changes_counts_for_nothing(folder: Path) -> None:
    path = folder / "store.db"
    os.utime(path, (1, 1))
    with Engine(path, read_only=True) as reader:
        with (
            pytest.raises(StoreError, match="was written to while it was read: read it again"),
            reader._store.read(),
            Engine(path) as writer,
        ):
            writer.create(workflows.greet, {}, name="b")
        assert len(reader.list()) == 2


# --- what is no store -------------------------------------------------------------------------------------------------


def foreign(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()


def of_version(number: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        sqlite.SqliteStore(path).close()
        connection = sqlite3.connect(path)
        connection.execute(f"PRAGMA user_version = {number}")
        connection.close()

    return make


def unfinished(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


NO_STORES: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (Path.touch, "is empty, and so no store"),
    "text": (lambda path: path.write_text("no database at all"), "is no SQLite file"),
    "foreign": (foreign, "is an SQLite file, but not a store of durable executions"),
    "unfinished": (unfinished, "no store of durable executions yet"),
    "newer": (of_version(99), "version 99, newer than"),
    "folder": (Path.mkdir, "is no regular file"),
    "pipe": (os.mkfifo, "is no regular file"),
}


@pytest.mark.parametrize("kind", NO_STORES)
def test_what_is_no_store_is_told_and_left_alone(tmp_path: Path, kind: str) -> None:
    make, says = NO_STORES[kind]
    path = tmp_path / "other.db"
    make(path)
    before = {each: (each.stat().st_mtime_ns, each.stat().st_size) for each in tmp_path.iterdir()}
    with pytest.raises(StoreError, match=rf"other\.db.* {says}"):
        Engine(path, read_only=True)
    assert {each: (each.stat().st_mtime_ns, each.stat().st_size) for each in tmp_path.iterdir()} == before
    if kind == "folder":
        return  # which no option takes
    handler = "tests.support.engine_workflows:greet"
    for words in (["list"], ["record", "--all", str(tmp_path / "out.jsonl")], ["replay", handler], ["bench", handler]):
        done = CliRunner().invoke(cli, [*words, "--store", str(path)])
        assert (done.exit_code, str(path) in done.stderr) == (5, True), done.output
    assert {each: (each.stat().st_mtime_ns, each.stat().st_size) for each in tmp_path.iterdir()} == before


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    absent = tmp_path / "below" / "absent.db"
    with pytest.raises(StoreError, match=r"There is no store .*absent\.db\."):
        Engine(absent, read_only=True)
    with pytest.raises(StoreError, match=r"There is no store .*absent\.db\."):
        next(read_store(absent))
    done = CliRunner().invoke(cli, ["list", "--store", str(absent)])
    assert (done.exit_code, str(absent) in done.output) == (3, True)
    assert not [*tmp_path.iterdir()]


def test_a_store_that_may_not_be_read(folder: Path) -> None:
    (folder / "store.db").chmod(0)
    with unprivileged(), pytest.raises(StoreError, match=r"store\.db cannot be read: Permission denied\."):
        Engine(folder / "store.db", read_only=True)


def test_an_older_store_is_not_migrated_by_reading(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "MIGRATIONS", (*sqlite.MIGRATIONS, "CREATE TABLE additions (x)"))
    monkeypatch.setattr("durable_execution_sdk.engine.reading.MIGRATIONS", sqlite.MIGRATIONS)
    before = contents(folder)
    with pytest.raises(StoreError, match=r"schema version 1, older than the 2 .* Engine\('.*'\)\.close\(\)"):
        Engine(folder / "store.db", read_only=True)
    assert contents(folder) == before
    Engine(folder / "store.db").close()
    assert names(folder / "store.db") == ["a"]


# --- what reading does not do -----------------------------------------------------------------------------------------


def test_nothing_is_changed_through_a_reader(folder: Path) -> None:
    with Engine(folder / "store.db") as writer:
        writer.create(workflows.greet, {}, name="b")
    with Engine(folder / "store.db", read_only=True) as engine:
        assert engine.resume("a") == "Hello, Ada!"  # it has ended
        for change in (
            lambda: engine.create(workflows.greet, {}, name="c"),
            lambda: engine.resume("b", workflows.greet),
            lambda: engine.start(workflows.greet, {}, name="b"),
            lambda: engine.stop("b"),
        ):
            with pytest.raises(StoreError, match="open for reading only: open it without read_only"):
                change()
    with pytest.raises(ValueError, match="read_only needs a path"):
        Engine(read_only=True)


def test_who_drives_is_known_without_a_lock_of_ones_own(folder: Path) -> None:
    path = folder / "store.db"
    assert DriverLocks(path, read_only=True).holder("an id") is None
    assert not (folder / "store.db.lock").exists()
    hold = (
        "import sys, pathlib; from durable_execution_sdk.engine.locks import DriverLocks;"
        "locks = DriverLocks(pathlib.Path(sys.argv[1])); locks.acquire('an id'); print('held', flush=True); input()"
    )
    driver = subprocess.Popen(
        [sys.executable, "-c", hold, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert driver.stdout is not None
    assert driver.stdout.readline() == "held\n"
    locks = DriverLocks(path, read_only=True)
    assert (locks.holder("an id"), locks.holder("another")) == (driver.pid, None)
    driver.communicate("\n")
    assert locks.holder("an id") is None
    locks.close()
