"""A store that is only read: nothing on the disk changes by it, and no right to write is needed.

SQLite reads a file in write-ahead mode through two more, `-wal` and `-shm`, and makes them where they are not there.
While somebody writes, or after a crash, they are; the file is read through them then. Else all of it is in the one
file, and that is read alone, as if it could not change (`immutable`). Whether it has changed all the same is looked at
before and after each transaction: before, it is opened once more; after, what was read counts for nothing.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from durable_execution_sdk.engine.errors import StoreError
from durable_execution_sdk.engine.sqlite import MIGRATIONS, SqliteTransaction, check_version, pragma
from durable_execution_sdk.engine.store import Transaction

_State: TypeAlias = tuple[int, int, int, int]


class SqliteReader:
    """What `SqliteStore` has written, for reading.

    Raises:
        StoreError: There is no such file, it is no store, comes from another version, or cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._lock = threading.RLock()
        self._closed = False
        self.path = Path(path).absolute()
        self._open()

    def _open(self) -> None:
        self._state = self._state_now()
        if not os.access(self.path, os.R_OK, effective_ids=True):
            raise StoreError(f"The store {self.path} cannot be read: {os.strerror(errno.EACCES)}.")
        self._real_path = os.path.realpath(self.path)  # as SQLite finds what is beside it
        self._is_at_rest = not self._has_a_log()
        at_rest = "&immutable=1" if self._is_at_rest else ""
        try:
            self._connection = sqlite3.connect(
                f"{self.path.as_uri()}?mode=ro{at_rest}",
                timeout=30,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
                uri=True,
            )
        except sqlite3.Error as error:
            raise StoreError(f"The store {self.path} cannot be opened: {error}.") from error
        try:
            self._check_version()
            self._data_version = pragma(self._connection, "data_version")
        except sqlite3.Error as error:
            self._connection.close()
            raise self._unusable(error) from error
        except BaseException:
            self._connection.close()
            raise

    def _check_version(self) -> None:
        version = check_version(self._connection, self.path)
        if not version:
            raise StoreError(f"{self.path} is an SQLite file, but no store of durable executions yet: it has no table.")
        if version < len(MIGRATIONS):
            raise StoreError(
                f"The store {self.path} has schema version {version}, older than the {len(MIGRATIONS)} that this "
                "version of durable-execution-sdk reads, and reading changes nothing. Migrate it by opening it to "
                f"write: from durable_execution_sdk.engine import Engine; Engine({str(self.path)!r}).close()."
            )

    def _unusable(self, error: sqlite3.Error) -> StoreError:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            return StoreError(f"{self.path} is no SQLite file, and so no store of durable executions.")
        if self._is_at_rest:
            return StoreError(f"{self.path} cannot be used as a store: {error}.")
        return StoreError(
            f"The store {self.path} cannot be read with what stands in its log, {self.path.name}-wal: {error}. In a "
            f"folder that cannot be written to, SQLite needs {self.path.name}-shm too. Copy the file and its log to a "
            "folder of your own, while nothing runs with them, and read it there."
        )

    def _state_now(self) -> _State:
        """What tells one content of the file from another: it is written to for long enough that its time changes."""
        try:
            about = os.stat(self.path)
        except FileNotFoundError:
            raise StoreError(f"There is no store {self.path}.") from None
        except OSError as error:
            raise StoreError(f"The store {self.path} cannot be read: {error.strerror}.") from error
        if not stat.S_ISREG(about.st_mode):
            raise StoreError(f"{self.path} is no regular file, and so no store of durable executions.")
        if not about.st_size:
            raise StoreError(f"{self.path} is empty, and so no store of durable executions.")
        return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns

    def _has_a_log(self) -> bool:
        """Whether some of the content may be beside the file."""
        if os.path.exists(f"{self._real_path}-journal"):
            return True
        try:
            log_bytes = os.stat(f"{self._real_path}-wal").st_size
        except OSError:
            return False
        return log_bytes > 0 or os.path.exists(f"{self._real_path}-shm")

    def _has_changed(self) -> bool:
        return self._is_at_rest and self._state_now() != self._state

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        with self._lock:
            self._check_open()
            if self._has_changed() or (self._is_at_rest and self._has_a_log()):
                self._connection.close()
                self._open()
            self._connection.execute("BEGIN")
            try:
                yield SqliteTransaction(self._connection)
            except sqlite3.DatabaseError as error:
                if self._has_changed():
                    raise self._torn() from error
                raise
            finally:
                self._connection.execute("COMMIT")
            if self._has_changed():
                raise self._torn()

    def _torn(self) -> StoreError:
        return StoreError(f"The store {self.path} was written to while it was read: read it again.")

    def write(self) -> AbstractContextManager[Transaction]:
        raise self._only_read()

    def _only_read(self) -> StoreError:
        return StoreError(f"The store {self.path} is open for reading only: open it without read_only to change it.")

    def changed_elsewhere(self) -> bool:
        with self._lock:
            if self._closed:
                return False
            if self._is_at_rest:
                return self._has_changed() or self._has_a_log()
            version = pragma(self._connection, "data_version")
            changed, self._data_version = version != self._data_version, version
            return changed

    def latest_ms(self) -> int:
        with self.read():
            row: Any = self._connection.execute("SELECT max(updated_ms) FROM executions").fetchone()
            return row[0] or 0

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._connection.close()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("The engine is closed.")
