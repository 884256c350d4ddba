"""Files that appear when they are complete."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

PRIVATE: Final = 0o600
"""For its owner alone."""

SHARED: Final = 0o666
"""As far as the umask lets others read it."""

_OF_THIS_PROCESS: Final = ("/dev/std", "/dev/fd/", "/proc/")


@contextmanager
def whole_file(path: Path, *, mode: int = PRIVATE) -> Iterator[IO[str]]:
    """An ASCII file in place of what was there; or nothing, if the block raises.

    Of a link, the file is replaced that it leads to. What is no regular file, such as a pipe or `/dev/stdout`, is
    written to as it is.

    Raises:
        OSError: It cannot be written; that is noticed at once if another file cannot be put there. It names `path`.
    """
    if _is_a_stream(path):
        with _opened(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC), str(path)) as file:
            yield file
        return
    place = Path(os.path.realpath(path))
    aside = place.with_name(f".{place.name[:200]}.{os.getpid()}")
    try:
        if place.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        aside.unlink(missing_ok=True)  # left by a process that died, with rights of its own
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except OSError as error:
        error.filename = str(path)
        raise
    try:
        with _opened(descriptor, str(path)) as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        aside.replace(place)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def _is_a_stream(path: Path) -> bool:
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) or str(path).startswith(_OF_THIS_PROCESS)


def _opened(descriptor: int, name: str) -> IO[str]:
    return io.TextIOWrapper(io.BufferedWriter(_Named(descriptor, name)), encoding="ascii")


class _Named(io.FileIO):
    """Names the file when it cannot be written to: a descriptor has no name."""

    def __init__(self, descriptor: int, name: str) -> None:
        super().__init__(descriptor, "w")
        self._name = name

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or 0
        except OSError as error:
            error.filename = self._name
            raise


__all__ = ["PRIVATE", "SHARED", "whole_file"]
