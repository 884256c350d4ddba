"""The SQLite file behind the engine.

`executions` has a row each; `operations` and `events` are clustered by execution, since their key is
`execution number << 32 | position`, so reading one execution is one range scan and a checkpoint touches the rows of its
updates only. Payloads are BLOBs of UTF-8 (lone surrogates included), as they came. Write-ahead log, `synchronous=FULL`:
when a commit returns, its data is on the disk.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from durable_execution_sdk.engine.errors import StoreError
from durable_execution_sdk.engine.faults import fault_from_environment
from durable_execution_sdk.engine.records import Change, EventRecord, ExecutionRecord, LoggedEvent, OperationRecord
from durable_execution_sdk.engine.store import Selection, Transaction

APPLICATION_ID: Final = 0x44757261  # "Dura"

MIGRATIONS: Final[Sequence[str]] = (
    """
    CREATE TABLE executions (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        execution_id TEXT NOT NULL UNIQUE,
        arn TEXT NOT NULL,
        function_name TEXT NOT NULL,
        name TEXT NOT NULL,
        start_ms INTEGER NOT NULL,
        kind TEXT NOT NULL,
        target TEXT,
        status TEXT NOT NULL,
        end_ms INTEGER,
        updated_ms INTEGER NOT NULL,
        timeout_ms INTEGER,
        timeout_due_ms INTEGER,
        parent_execution_id TEXT,
        parent_operation_id TEXT,
        tenant_id TEXT,
        version INTEGER NOT NULL,
        served_version INTEGER NOT NULL,
        operations INTEGER NOT NULL,
        finished INTEGER NOT NULL,
        pending INTEGER NOT NULL,
        events INTEGER NOT NULL,
        last_end_ms INTEGER NOT NULL,
        invocation INTEGER NOT NULL,
        request_id TEXT,
        invocation_start_ms INTEGER,
        sequence INTEGER NOT NULL,
        client_token TEXT,
        seen INTEGER NOT NULL,
        seen_before INTEGER NOT NULL,
        delivered INTEGER NOT NULL,
        failures INTEGER NOT NULL,
        unjustified INTEGER NOT NULL,
        invoke_at_ms INTEGER,
        pause_ms INTEGER,
        pause_reason TEXT,
        pause_stops_timeout INTEGER NOT NULL,
        UNIQUE (function_name, name)
    );
    CREATE INDEX executions_of_parent ON executions (parent_execution_id) WHERE parent_execution_id IS NOT NULL;
    CREATE TABLE operations (
        key INTEGER PRIMARY KEY,
        execution INTEGER NOT NULL,
        parent INTEGER,
        operation_id TEXT NOT NULL,
        operation_type TEXT NOT NULL,
        status TEXT NOT NULL,
        position INTEGER NOT NULL,
        start_ms INTEGER NOT NULL,
        parent_id TEXT,
        name TEXT,
        sub_type TEXT,
        end_ms INTEGER,
        attempt INTEGER NOT NULL,
        due_ms INTEGER,
        scheduled_end_ms INTEGER,
        timeout_due_ms INTEGER,
        heartbeat_ms INTEGER NOT NULL,
        callback_id TEXT,
        function_name TEXT,
        tenant_id TEXT,
        replay_children INTEGER NOT NULL,
        hidden INTEGER NOT NULL,
        changed INTEGER NOT NULL,
        served INTEGER NOT NULL,
        error TEXT,
        payload BLOB,
        result BLOB,
        UNIQUE (execution, operation_id)
    );
    CREATE INDEX operations_of_parent ON operations (execution, parent) WHERE parent IS NOT NULL;
    CREATE INDEX operations_due ON operations (execution, due_ms) WHERE due_ms IS NOT NULL;
    CREATE INDEX operations_served ON operations (execution, served) WHERE served > 0;
    CREATE TABLE events (
        key INTEGER PRIMARY KEY,
        operation INTEGER NOT NULL,
        event_type TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        details TEXT NOT NULL,
        recorded INTEGER NOT NULL,
        error TEXT,
        payload BLOB
    );
    """,
)
"""Script n brings a file of schema version n to n + 1; an empty file has version 0."""

_E_COLUMNS: Final = tuple(field.name for field in fields(ExecutionRecord))
_O_COLUMNS: Final = tuple(field.name for field in fields(OperationRecord))
_E_LIST: Final = ", ".join(_E_COLUMNS)
_O_LIST: Final = ", ".join(_O_COLUMNS)
_E_BOOL: Final = _E_COLUMNS.index("pause_stops_timeout")
_O_BOOLS: Final = (_O_COLUMNS.index("replay_children"), _O_COLUMNS.index("hidden"))
_O_TEXTS: Final = (_O_COLUMNS.index("payload"), _O_COLUMNS.index("result"))


def _upsert(table: str, keys: Sequence[str], columns: Sequence[str], conflict: str) -> str:
    names = (*keys, *columns)
    marks = ", ".join("?" * len(names))
    assignments = ", ".join(f"{name} = excluded.{name}" for name in columns)
    insert = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"
    return f"{insert} ON CONFLICT ({conflict}) DO UPDATE SET {assignments}"


_PUT_EXECUTION: Final = _upsert("executions", (), _E_COLUMNS, "execution_id")
_PUT_OPERATION: Final = _upsert("operations", ("key", "execution", "parent"), _O_COLUMNS, "key")
_PUT_EVENT: Final = (
    "INSERT INTO events (key, operation, event_type, at_ms, details, recorded, error, payload)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_ANY: Final = 1 << 32


class SqliteStore:
    """A store in one SQLite file (or in memory, for `path=None`), private to its owner.

    Raises:
        StoreError: The file is no store, comes from a newer version, or cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str] | None, *, synchronous: str = "FULL") -> None:
        self._lock = threading.RLock()
        self._fault = fault_from_environment()
        self._commits = 0
        self._closed = False
        self.path = None if path is None else Path(path).absolute()
        if self.path is not None:
            _make_private(self.path)
        try:
            self._connection = sqlite3.connect(
                ":memory:" if self.path is None else self.path,
                timeout=30,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
            )
        except sqlite3.Error as error:
            raise StoreError(f"The store {self.path} cannot be opened: {error}.") from error
        try:
            self._prepare(synchronous)
        except sqlite3.Error as error:
            self._connection.close()
            raise StoreError(f"{self.path} cannot be used as a store: {error}.") from error
        except BaseException:
            self._connection.close()
            raise
        self._data_version = pragma(self._connection, "data_version")

    def _prepare(self, synchronous: str) -> None:
        execute = self._connection.execute
        version = check_version(self._connection, self.path)
        if self.path is not None:
            execute("PRAGMA journal_mode = WAL")
        execute(f"PRAGMA synchronous = {synchronous}")
        execute("PRAGMA cache_size = -16000")
        if version == len(MIGRATIONS):
            return
        execute("BEGIN IMMEDIATE")
        try:
            for number in range(check_version(self._connection, self.path), len(MIGRATIONS)):
                for statement in MIGRATIONS[number].split(";"):
                    execute(statement)
            execute(f"PRAGMA application_id = {APPLICATION_ID}")
            execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
            execute("COMMIT")
        except BaseException:
            execute("ROLLBACK")
            raise

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        with self._lock:
            self._check_open()
            self._connection.execute("BEGIN")
            try:
                yield SqliteTransaction(self._connection)
            finally:
                self._connection.execute("COMMIT")

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        with self._lock:
            self._check_open()
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield SqliteTransaction(self._connection)
                self._commit()
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _commit(self) -> None:
        self._commits += 1
        fault = self._fault
        if fault is None:
            self._connection.execute("COMMIT")
            return
        fault.reached("before", self._commits)
        fault.reached("during", self._commits)
        self._connection.execute("COMMIT")
        fault.reached("after", self._commits)

    def changed_elsewhere(self) -> bool:
        with self._lock:
            if self._closed:
                return False
            version = pragma(self._connection, "data_version")
            changed, self._data_version = version != self._data_version, version
            return changed

    def latest_ms(self) -> int:
        with self._lock:
            row = self._connection.execute("SELECT max(updated_ms) FROM executions").fetchone()
            return row[0] or 0

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._connection.close()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("The engine is closed.")


def check_version(connection: sqlite3.Connection, path: Path | None) -> int:
    """The schema version of a store; 0 if there is nothing in the file.

    Raises:
        StoreError: It is something else, or newer than this version knows.
    """
    version, application = pragma(connection, "user_version"), pragma(connection, "application_id")
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application != APPLICATION_ID and (tables or version or application):
        raise StoreError(f"{path} is an SQLite file, but not a store of durable executions; name another file.")
    if version > len(MIGRATIONS):
        raise StoreError(
            f"The store {path} has schema version {version}, newer than the {len(MIGRATIONS)} that this "
            "version of durable-execution-sdk knows. Upgrade it: pip install -U durable-execution-sdk."
        )
    return version


def pragma(connection: sqlite3.Connection, name: str) -> int:
    """What SQLite says of one of its numbers."""
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


class SqliteTransaction:
    """What a store hands out, while it is in a transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._numbers: dict[str, int] = {}

    def _number(self, execution_id: str) -> int | None:
        number = self._numbers.get(execution_id)
        if number is None:
            row = self._connection.execute(
                "SELECT number FROM executions WHERE execution_id = ?", (execution_id,)
            ).fetchone()
            if row is None:
                return None
            number = self._numbers[execution_id] = int(row[0])
        return number

    def execution(self, execution_id: str) -> ExecutionRecord | None:
        row = self._connection.execute(
            f"SELECT {_E_LIST} FROM executions WHERE execution_id = ?", (execution_id,)
        ).fetchone()
        return None if row is None else _execution(row)

    def executions(self, selection: Selection) -> list[ExecutionRecord]:
        clauses: list[str] = []
        values: list[object] = []
        for clause, value in (
            ("function_name = ?", selection.function_name),
            ("name = ?", selection.name),
            ("start_ms > ?", selection.started_after_ms),
            ("start_ms < ?", selection.started_before_ms),
            ("kind = ?", selection.kind),
            ("parent_execution_id = ?", selection.parent_execution_id),
        ):
            if value is not None:
                clauses.append(clause)
                values.append(value)
        if selection.top_level:
            clauses.append("parent_execution_id IS NULL")
        if selection.statuses is not None:
            clauses.append(f"status IN ({', '.join('?' * len(selection.statuses))})")
            values.extend(sorted(selection.statuses))
        where = f" WHERE {' AND '.join(clauses)}" if clauses else ""
        order = "DESC" if selection.newest_first else "ASC"
        rows = self._connection.execute(
            f"SELECT {_E_LIST} FROM executions{where} ORDER BY number {order} LIMIT ? OFFSET ?",
            (*values, selection.limit, selection.after),
        )
        return [_execution(row) for row in rows]

    def operation(self, execution_id: str, operation_id: str) -> OperationRecord | None:
        row = self._connection.execute(
            f"SELECT {_O_LIST} FROM operations WHERE execution = ? AND operation_id = ?",
            (self._number(execution_id), operation_id),
        ).fetchone()
        return None if row is None else _operation(row)

    def _select(self, execution_id: str, condition: str, value: int, order: str) -> Iterator[OperationRecord]:
        rows = self._connection.execute(
            f"SELECT {_O_LIST} FROM operations WHERE execution = ? AND {condition} ORDER BY {order}",
            (self._number(execution_id), value),
        )
        return map(_operation, rows)

    def operations(self, execution_id: str, after: int, *, hidden: bool) -> Iterator[OperationRecord]:
        first = (self._number(execution_id) or 0) * _ANY
        visible = "" if hidden else " AND hidden = 0"
        rows = self._connection.execute(
            f"SELECT {_O_LIST} FROM operations WHERE key > ? AND key < ?{visible} ORDER BY key",
            (first + after, first + _ANY),
        )
        return map(_operation, rows)

    def changes(self, execution_id: str, after: int) -> Iterator[OperationRecord]:
        return self._select(execution_id, "changed > ?", after, "changed")

    def served(self, execution_id: str, after: int) -> Iterator[OperationRecord]:
        # `served > 0` lets the partial index serve the query.
        return self._select(execution_id, "served > 0 AND served > ?", after, "served")

    def due(self, execution_id: str, now_ms: int) -> list[OperationRecord]:
        return list(self._select(execution_id, "due_ms IS NOT NULL AND due_ms <= ?", now_ms, "due_ms, position"))

    def next_due_ms(self, execution_id: str) -> int | None:
        row = self._connection.execute(
            "SELECT min(due_ms) FROM operations WHERE execution = ? AND due_ms IS NOT NULL",
            (self._number(execution_id),),
        ).fetchone()
        return None if row is None else row[0]

    def events(self, execution_id: str, after: int, *, newest_first: bool = False) -> Iterator[LoggedEvent]:
        first = (self._number(execution_id) or 0) * _ANY
        low, high = (first, first + (after or _ANY)) if newest_first else (first + after, first + _ANY)
        order = "DESC" if newest_first else "ASC"
        rows = self._connection.execute(
            "SELECT e.key, e.event_type, e.at_ms, o.operation_id, e.details, e.payload, e.error, e.recorded,"
            " CASE WHEN NOT e.recorded THEN e.payload"
            " WHEN e.event_type IN ('ExecutionStarted', 'ChainedInvokeStarted') THEN o.payload ELSE o.result END,"
            " o.name, o.sub_type, o.parent_id"
            " FROM events e JOIN operations o ON o.key = e.operation"
            f" WHERE e.key > ? AND e.key < ? ORDER BY e.key {order}",
            (low, high),
        )
        return map(_event, rows)

    def apply(self, change: Change) -> None:
        execution = change.execution
        execute = self._connection.execute
        execute(_PUT_EXECUTION, [getattr(execution, name) for name in _E_COLUMNS])
        number = self._number(execution.execution_id) or 0
        first = number * _ANY
        positions = {record.operation_id: record.position for record in change.operations}
        positions[execution.execution_id] = 0
        for record in change.operations:
            parent = None if record.parent_id is None else self._position(number, record.parent_id, positions)
            values = [getattr(record, name) for name in _O_COLUMNS]
            for index in _O_TEXTS:
                values[index] = _blob(values[index])
            execute(_PUT_OPERATION, [first + record.position, number, parent, *values])
        for event in change.events:
            execute(
                _PUT_EVENT,
                (
                    first + event.event_id,
                    first + self._position(number, event.operation_id, positions),
                    event.event_type,
                    event.at_ms,
                    json.dumps(event.details, separators=(",", ":")),
                    event.recorded,
                    event.error,
                    _blob(event.payload),
                ),
            )
        for context_id in change.hide_below:
            self._hide_below(number, self._position(number, context_id, positions))

    def _position(self, number: int, operation_id: str, known: dict[str, int]) -> int:
        position = known.get(operation_id)
        if position is None:
            row = self._connection.execute(
                "SELECT position FROM operations WHERE execution = ? AND operation_id = ?", (number, operation_id)
            ).fetchone()
            position = known[operation_id] = int(row[0])
        return position

    def _hide_below(self, number: int, position: int) -> None:
        # Level by level; what is hidden already was walked before, so every operation is visited once in its life.
        parents: Iterable[int] = [position]
        while parents:
            parents = [
                row[0]
                for parent in parents
                for row in self._connection.execute(
                    "UPDATE operations SET hidden = 1 WHERE execution = ? AND parent = ? AND hidden = 0"
                    " RETURNING position",
                    (number, parent),
                ).fetchall()
            ]


def _execution(row: Sequence[Any]) -> ExecutionRecord:
    values = list(row)
    values[_E_BOOL] = bool(values[_E_BOOL])
    return ExecutionRecord(*values)


def _operation(row: Sequence[Any]) -> OperationRecord:
    values = list(row)
    for index in _O_BOOLS:
        values[index] = bool(values[index])
    for index in _O_TEXTS:
        values[index] = _text(values[index])
    return OperationRecord(*values)


def _event(row: Sequence[Any]) -> LoggedEvent:
    key, event_type, at_ms, operation_id, details, own, error, recorded, payload, name, sub_type, parent_id = row
    event = EventRecord(
        key % _ANY, event_type, at_ms, operation_id, json.loads(details), _text(own), error, bool(recorded)
    )
    return LoggedEvent(event, _text(payload), name, sub_type, parent_id)


def _blob(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-8", "surrogatepass")


def _text(blob: bytes | None) -> str | None:
    return None if blob is None else blob.decode("utf-8", "surrogatepass")


def _make_private(path: Path) -> None:
    # SQLite gives its WAL and SHM files the mode of the main file. An existing file is never opened here: closing it
    # again would drop the POSIX locks that SQLite holds on it for another connection of this process.
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            for file in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
                if file.exists() and file.stat().st_mode & 0o077 and file.stat().st_uid == os.geteuid():
                    file.chmod(0o600)
    except OSError as error:
        raise StoreError(f"The store {path} cannot be created: {error.strerror}.") from error
