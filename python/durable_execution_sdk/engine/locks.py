"""One driver per execution, by locks that die with their process.

POSIX record locks on `<store>.lock`, one byte per execution. The system drops them when the process ends, in whatever
way, and a forked child never has them, so no orphan can keep an execution locked. Two properties of theirs are made
good for here: they do not exclude threads of one process (hence the set), and closing any descriptor of the file drops
all of them (hence one descriptor per file and process, shared by all engines).
"""

from __future__ import annotations

import fcntl
import os
import struct
import threading
import zlib
from pathlib import Path
from typing import Final

from durable_execution_sdk.engine.errors import StoreError

_FLOCK: Final = struct.Struct("@hhqqi4x")
"""`struct flock` of 64-bit Linux."""


class _LockFile:
    """The one descriptor of this process on one lock file, and what this process holds through it."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.users = 0
        self.held: set[str] = set()


_guard = threading.Lock()
_open_files: dict[Path, _LockFile] = {}


class DriverLocks:
    """The locks of one store. For a store in memory (`path=None`) they exclude nobody but this engine's threads.

    With `read_only` none can be taken, and no file is made.
    """

    def __init__(self, store_path: Path | None, *, read_only: bool = False) -> None:
        self._path = None if store_path is None else store_path.with_name(store_path.name + ".lock")
        self._read_only = read_only
        self._held: set[str] = set()
        if self._path is not None:
            self._path = self._path.parent.resolve() / self._path.name
        if self._path is not None and not read_only:
            with _guard:
                if self._path not in _open_files:
                    _open_files[self._path] = _LockFile(self._path)
                _open_files[self._path].users += 1

    def acquire(self, execution_id: str) -> bool:
        """Take the lock of an execution; False if somebody else has it.

        Raises:
            StoreError: The store is open for reading only.
        """
        if self._read_only:
            raise StoreError("The store is open for reading only: open it without read_only to run what is in it.")
        with _guard:
            if self._path is None:
                if execution_id in self._held:
                    return False
                self._held.add(execution_id)
                return True
            file = _open_files[self._path]
            if execution_id in file.held:
                return False
            try:
                fcntl.lockf(file.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _offset(execution_id))
            except OSError:
                return False
            file.held.add(execution_id)
            self._held.add(execution_id)
            return True

    def release(self, execution_id: str) -> None:
        """Give the lock back."""
        with _guard:
            self._held.discard(execution_id)
            if self._path is not None:
                file = _open_files[self._path]
                file.held.discard(execution_id)
                # Another execution of this process may share the byte; then the lock stays.
                if _offset(execution_id) not in map(_offset, file.held):
                    fcntl.lockf(file.descriptor, fcntl.LOCK_UN, 1, _offset(execution_id))

    def holder(self, execution_id: str) -> int | None:
        """The id of the process that drives the execution at the moment, if any. Takes no lock."""
        with _guard:
            file = None if self._path is None else _open_files.get(self._path)
            if execution_id in (self._held if file is None else file.held):
                return os.getpid()
            if file is not None:
                return _process_at(file.descriptor, execution_id)
            if self._path is None:
                return None
            try:
                descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                return None  # nobody has ever driven anything here, or nobody is to know
            try:
                return _process_at(descriptor, execution_id)
            finally:
                os.close(descriptor)  # nothing of this process is locked through another one

    def close(self) -> None:
        """Release everything this object holds."""
        for execution_id in list(self._held):
            self.release(execution_id)
        if self._path is not None and not self._read_only:
            with _guard:
                file = _open_files[self._path]
                file.users -= 1
                if not file.users:
                    del _open_files[self._path]
                    os.close(file.descriptor)


def _process_at(descriptor: int, execution_id: str) -> int | None:
    asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, _offset(execution_id), 1, 0)
    kind, _, _, _, process_id = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    return None if kind == fcntl.F_UNLCK else int(process_id)


def _offset(execution_id: str) -> int:
    # Two checksums make 62 bits: executions practically never share a byte, and if they do, one waits for the other.
    text = execution_id.encode()
    return (zlib.crc32(text) << 30 | zlib.adler32(text) & 0x3FFFFFFF) & 0x3FFFFFFFFFFFFFFF
