"""Where each history of a check lies, so that whoever checks it can read it: in files as large as you like."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from durable_execution_sdk.replay.histories import History, parse

_BYTES_PER_OPERATION = 400
"""About what an operation takes in a file."""


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


Item: TypeAlias = InFile | OnLine | History


def size_of(item: Item) -> int:
    """How long its text is, about."""
    return len(item.operations) * _BYTES_PER_OPERATION if isinstance(item, History) else item.size_bytes


def items(path: Path) -> Iterator[Item]:
    """The histories of a file, or of the files of a folder and those below it, by name. No history is kept in memory.

    Raises:
        OSError: A file or folder cannot be looked at.
    """
    if path.is_dir():
        yield from _in_folder(str(path))
    elif path.suffix == ".jsonl":
        yield from _on_lines(str(path))
    else:
        yield InFile(str(path), path.stat().st_size)


def _in_folder(folder: str) -> Iterator[Item]:
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            yield from _in_folder(entry.path)
        elif entry.name.endswith(".jsonl"):
            yield from _on_lines(entry.path)
        elif entry.name.endswith(".json"):
            yield InFile(entry.path, entry.stat().st_size)


def _on_lines(path: str) -> Iterator[Item]:
    offset = 0
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.isspace():
                yield OnLine(path, number, offset, len(line))
            offset += len(line)


def bytes_in(path: Path) -> int:
    """The size of a file, or of the history files in a folder."""
    if not path.is_dir():
        return path.stat().st_size
    total = 0
    for folder, _, names in os.walk(path):
        total += sum(
            os.stat(os.path.join(folder, name)).st_size for name in names if name.endswith((".json", ".jsonl"))
        )
    return total


def load(wanted: Iterable[Item]) -> Iterator[History]:
    """Read histories, one at a time.

    Raises:
        HistoryFileError: One is no history.
        OSError: A file cannot be read.
    """
    for item in wanted:
        if isinstance(item, History):
            yield item
            continue
        with open(item.path, "rb", buffering=0) as file:
            if isinstance(item, InFile):
                yield parse(item.path, file.read())
            else:
                file.seek(item.offset)
                yield parse(f"{item.path}:{item.number}", file.read(item.size_bytes))


__all__ = ["InFile", "Item", "OnLine", "bytes_in", "items", "load", "size_of"]
