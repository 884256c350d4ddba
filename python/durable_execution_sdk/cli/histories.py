"""Recorded histories as commands take them: files, folders, a store, executions on AWS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from durable_execution_sdk.cli.problems import NOT_FOUND, USAGE, Problem
from durable_execution_sdk.cli.sources import AwsChoice, aws_choice, aws_options
from durable_execution_sdk.replay import HistorySourceError, Unreadable, history_from
from durable_execution_sdk.replay.portions import Item, bytes_in, in_store, items

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class HistoryChoice:
    """Which histories are meant; false if none were named."""

    paths: tuple[Path, ...]
    store: Path | None
    aws: AwsChoice

    def __bool__(self) -> bool:
        return bool(self.paths or self.store or self.aws)

    def require_other(self, written: Path, option: str) -> None:
        """Refuse to write over what is read: its name has probably slipped behind an option."""
        if not written.is_file():
            return
        is_history = written.suffix in {".json", ".jsonl"}
        for path in (*self.paths, *([self.store] if self.store else [])):
            inside = is_history and path.resolve() in written.resolve().parents
            if inside or path.samefile(written):
                raise Problem(f"{option} {written} would replace a history that is read: name another file", USAGE)

    def items(self) -> Iterator[Item]:
        """Where each of them is. Those of AWS are read, one after the other."""
        for path in self.paths:
            yield from items(path)
        if self.store is not None:
            yield from in_store(self.store)
        if self.aws:
            yield from _as_far_as_given(self.aws)

    def size_bytes(self) -> int | None:
        """How much there is to read; None if that is not known beforehand."""
        return None if self.store is not None or self.aws else sum(map(bytes_in, self.paths))


def _as_far_as_given(aws: AwsChoice) -> Iterator[Item]:
    """What AWS gives. Where it gives no more, that stands there: what was read until then took its time."""
    is_first = True
    try:
        for recording in aws.recordings():
            yield history_from(recording)
            is_first = False
    except HistorySourceError as error:
        if is_first:
            raise
        yield Unreadable("AWS", f"nothing is read from here on: {error}")


def history_options(command: F) -> F:
    """Histories, `--store` and the options of AWS; `history_choice` takes them. The handler comes before."""
    command = aws_options(command)
    command = click.option(
        "--store", type=click.Path(path_type=Path, dir_okay=False), default=None, help="The executions of this store."
    )(command)
    return click.argument(
        "paths", nargs=-1, metavar="[HISTORY|FOLDER]...", type=click.Path(path_type=Path, readable=False)
    )(command)


def history_choice(*, paths: tuple[Path, ...], store: Path | None, **aws: Any) -> HistoryChoice:
    """What the options mean."""
    choice = HistoryChoice(paths, store, aws_choice(**aws))
    require_paths(*paths, *([store] if store else []))
    return choice


def require_paths(*paths: Path) -> None:
    """Refuse files and folders that are not there."""
    for path in paths:
        try:
            there = path.exists()
        except OSError:
            continue  # it may be there: whoever reads it says why that cannot be done
        if not there:
            hint = ": MODULE:HANDLER comes before the histories" if ":" in path.name else ""
            raise Problem(f"there is no file or folder {path}{hint}", NOT_FOUND)
