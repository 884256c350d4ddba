"""Where each history of a check lies, so that whoever checks it can read it: in files and stores of any size."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from durable_execution_sdk.engine import Engine, EngineError
from durable_execution_sdk.engine.records import DURABLE, ExecutionRecord
from durable_execution_sdk.engine.store import Selection
from durable_execution_sdk.replay.histories import History, Unreadable, parse

_BYTES_PER_OPERATION = 400
"""About what an operation takes in a file."""

_PAGE = 1_000
"""Executions of a store that are listed at a time."""


@dataclass(frozen=True, slots=True)
class InFile:
    """A file that is one history."""

    path: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class OnLine:
    """A line of a `.jsonl` file."""

    path: str
    number: int
    offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class InStore:
    """An execution of an engine's store."""

    store: str
    arn: str
    name: str
    operations: int


Item: TypeAlias = InFile | OnLine | InStore | History | Unreadable


def size_of(item: Item) -> int:
    """How long its text is, about."""
    if isinstance(item, History):
        return len(item.operations) * _BYTES_PER_OPERATION
    if isinstance(item, InStore):
        return item.operations * _BYTES_PER_OPERATION
    return 0 if isinstance(item, Unreadable) else item.size_bytes


def name_of(item: Item) -> str:
    """How reports name it."""
    if isinstance(item, InFile):
        return item.path
    return f"{item.path}:{item.number}" if isinstance(item, OnLine) else item.name


def read(path: Path) -> Iterator[History | Unreadable]:
    """The histories of a file (`.jsonl`: one a line, read as a stream), or of the files of a folder and those below it.

    What cannot be read stands in its place as `Unreadable`, with the reason. One history at a time is in memory.
    """
    return load(items(path))


def read_store(store: Path) -> Iterator[History | Unreadable]:
    """The executions of an engine's store, the oldest first. One history at a time is in memory."""
    return load(in_store(store))


def in_store(store: Path) -> Iterator[InStore]:
    """Where the executions of a store are, the oldest first. None is read.

    Raises:
        StoreError: It is no store, or cannot be read.
    """
    with Engine(store, read_only=True) as engine:
        for record in executions_of(engine):
            yield InStore(str(store), record.arn, record.name, record.operations)


def executions_of(engine: Engine) -> Iterator[ExecutionRecord]:
    """All that `Engine.list` lists, the oldest first, a page at a time."""
    passed = 0
    while page := engine.service.executions(Selection(kind=DURABLE, top_level=True, after=passed, limit=_PAGE)):
        yield from page
        passed += len(page)


def items(path: Path) -> Iterator[Item]:
    """Where the histories of a file are, or of the files of a folder and those below it, by name. None is read."""
    name = str(path)
    if os.path.isdir(name):  # which raises nothing, unlike that of a path
        yield from _in_folder(name)
    elif path.suffix == ".jsonl":
        yield from _on_lines(name)
    else:
        try:
            about = path.stat()
        except OSError as error:
            yield _unread(name, error)
            return
        file = InFile(name, about.st_size)
        # What only this process has, such as standard input or a pipe of the shell, it reads itself.
        is_own = name.startswith(("/dev/", "/proc/")) or not stat.S_ISREG(about.st_mode)
        yield _from_file(file) if is_own else file


def _in_folder(folder: str) -> Iterator[Item]:
    try:
        with os.scandir(folder) as entries:
            found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    except OSError as error:
        yield _unread(folder, error)
        return
    for name, is_folder in found:
        path = os.path.join(folder, name)
        if is_folder:
            yield from _in_folder(path)
        elif name.endswith(".jsonl"):
            yield from _on_lines(path)
        elif name.endswith(".json"):
            yield _file(path)


def _file(path: str) -> Item:
    """A file of a folder; whoever reads a pipe or a device there may wait without end."""
    try:
        about = os.stat(path)
    except OSError as error:
        return _unread(path, error)
    if stat.S_ISDIR(about.st_mode):
        return Unreadable(path, "it is a link to a folder, and those are not followed: name that folder too")
    if not stat.S_ISREG(about.st_mode):
        return Unreadable(path, "it is no regular file")
    return InFile(path, about.st_size)


def _on_lines(path: str) -> Iterator[Item]:
    whole = _file(path)
    if isinstance(whole, Unreadable):
        yield whole
        return
    offset, is_empty = 0, True
    try:
        with open(path, "rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.isspace():
                    is_empty = False
                    yield OnLine(path, number, offset, len(line))
                offset += len(line)
    except OSError as error:
        yield _unread(path, error)
        return
    if is_empty:
        yield Unreadable(path, "it is empty")


def _unread(name: str, error: OSError) -> Unreadable:
    return Unreadable(name, f"it cannot be read: {error.strerror or error}")


def bytes_in(path: Path) -> int:
    """The size of a file, or of the history files in a folder, as far as they can be looked at."""
    if not os.path.isdir(path):
        return _size(str(path))
    total = 0
    for folder, _, names in os.walk(path):
        total += sum(_size(os.path.join(folder, name)) for name in names if name.endswith((".json", ".jsonl")))
    return total


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def load(wanted: Iterable[Item]) -> Iterator[History | Unreadable]:
    """Read histories, one at a time, each when it is asked for; what cannot be read stands in its place."""
    with _Stores() as stores:
        for item in wanted:
            if isinstance(item, History | Unreadable):
                yield item
            elif isinstance(item, InStore):
                yield stores.read(item)
            else:
                yield _from_file(item)


def _from_file(item: InFile | OnLine) -> History | Unreadable:
    name = name_of(item)
    try:
        with open(item.path, "rb", buffering=0) as file:
            if isinstance(item, InFile):
                return parse(name, file.read())
            file.seek(item.offset)
            return parse(name, file.read(item.size_bytes).rstrip())
    except OSError as error:
        return _unread(name, error)


class _Stores(ExitStack):
    """Stores that are open while histories are read from them."""

    def __init__(self) -> None:
        super().__init__()
        self._open: dict[str, Engine] = {}

    def read(self, item: InStore) -> History | Unreadable:
        try:
            if item.store not in self._open:
                self._open[item.store] = self.enter_context(Engine(item.store, read_only=True))
            text = self._open[item.store].history_text(item.arn)
        except (EngineError, sqlite3.Error) as error:
            return Unreadable(item.name, f"it cannot be read: {error}")
        return parse(item.name, text.encode("ascii"))


__all__ = [
    "InFile",
    "InStore",
    "Item",
    "OnLine",
    "bytes_in",
    "executions_of",
    "in_store",
    "items",
    "load",
    "name_of",
    "read",
    "read_store",
    "size_of",
]
