"""The file: private, versioned, exact."""

from __future__ import annotations

import os
import random
import sqlite3
import stat
from itertools import pairwise
from pathlib import Path

import pytest

from durable_execution_sdk.engine import Engine, StoreError, sqlite
from durable_execution_sdk.engine.sqlite import SqliteStore
from tests.support import engine_workflows as workflows


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_every_file_is_private_to_its_owner(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with Engine(tmp_path / "new" / "store.db", time_scale=0) as engine:
            engine.run(workflows.greet, {"name": "Ada"}, name="a")
            engine.export_history("a", tmp_path / "new" / "a.json")
            found = modes(tmp_path / "new")
    finally:
        os.umask(before)
    assert set(found) == {"store.db", "store.db-wal", "store.db-shm", "store.db.lock", "a.json"}
    assert set(found.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_a_file_that_others_can_read_is_made_private(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    SqliteStore(path).close()
    path.chmod(0o644)
    SqliteStore(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_commits_are_synced(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    assert store._connection.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert store._connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    store.close()


def test_a_newer_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    SqliteStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="version 99, newer than"):
        Engine(path)


def test_an_older_store_is_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.db"
    with Engine(path, time_scale=0) as engine:
        engine.run(workflows.greet, {"name": "Ada"}, name="a")
    added = "CREATE TABLE additions (note TEXT NOT NULL); INSERT INTO additions VALUES ('migrated')"
    monkeypatch.setattr(sqlite, "MIGRATIONS", (*sqlite.MIGRATIONS, added))
    for _ in range(2):  # once only
        with Engine(path) as engine:
            assert engine.resume("a") == "Hello, Ada!"
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT note FROM additions").fetchall() == [("migrated",)]
        assert connection.execute("PRAGMA user_version").fetchone()[0] == len(sqlite.MIGRATIONS)
    connection.close()


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.db"
    SqliteStore(path).close()
    monkeypatch.setattr(sqlite, "MIGRATIONS", (*sqlite.MIGRATIONS, "CREATE TABLE fine (x); NONSENSE"))
    with pytest.raises(StoreError, match="cannot be used as a store"):
        SqliteStore(path)
    monkeypatch.undo()
    store = SqliteStore(path)
    assert store._connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'fine'").fetchone()[0] == 0
    store.close()


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be one" * 30, None])
def test_foreign_files_are_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "other.db"
    if content is None:
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE theirs (x)")
        connection.close()
        before = path.read_bytes()
    else:
        path.write_bytes(before := content)
    with pytest.raises(StoreError, match=r"other\.db"):
        Engine(path)
    assert path.read_bytes() == before


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be created"):
        Engine(tmp_path / "file" / "store.db")


def test_texts_survive_as_they_are(tmp_path: Path) -> None:
    odd = '{"name": "\\ud800 \ud800 \\u0000 é 😀",  "big": 123456789012345678901234567890, "f": 1.0e400}'
    with Engine(tmp_path / "store.db", time_scale=0) as engine:
        engine.create(workflows.greet, input_json=odd, name="a")
        assert engine.describe("a").input_json == odd
    with Engine(tmp_path / "store.db", time_scale=0) as engine:
        assert engine.resume("a") == "Hello, \ud800 \ud800 \x00 é 😀!"
        assert engine.describe("a").input_json == odd


@pytest.mark.parametrize("garbled", [False, True], ids=["cut", "garbled"])
def test_a_power_failure_takes_only_what_was_not_acknowledged(tmp_path: Path, garbled: bool) -> None:
    """What lies behind the last synced commit may be missing or rubbish after a power failure, nothing before it."""
    chance = random.Random(5)
    path = tmp_path / "store.db"
    log = tmp_path / "store.db-wal"
    acknowledged: list[int] = []
    with Engine(path) as engine:
        acknowledged.append(log.stat().st_size)
        for number in range(6):
            engine.create(workflows.greet, {"name": "x" * 5000 * number}, name=f"e{number}")
            acknowledged.append(log.stat().st_size)
        main, wal = path.read_bytes(), log.read_bytes()
    for commits, (size, following) in enumerate(pairwise(acknowledged)):
        for _ in range(4):
            copy = tmp_path / f"{commits}-{chance.random()}"
            copy.mkdir()
            (copy / "store.db").write_bytes(main)
            cut = chance.randrange(size, following)
            tail = chance.randbytes(following - cut) if garbled else b""
            (copy / "store.db-wal").write_bytes(wal[:cut] + tail)
            with Engine(copy / "store.db") as engine:
                assert [execution.name for execution in engine.list(newest_first=False)] == [
                    f"e{number}" for number in range(commits)
                ]
                engine.create(workflows.greet, {}, name="after")
