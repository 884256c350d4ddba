"""Recorded histories, from files, folders and stores."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from durable_execution_sdk.engine import Engine, HistoryFileError
from durable_execution_sdk.engine.export import history_of as file_of
from durable_execution_sdk.replay.events import without_payloads

_WAY_OUT: Final = "`durable record` writes histories; leave out what is none."


@dataclass(frozen=True, slots=True)
class History:
    """One recorded execution.

    Attributes:
        name: How reports name it.
        arn: The execution.
        operations: Records as the invocation event carries them, the EXECUTION first.
        complete: Whether the execution has ended.
        failed: Whether it has ended without a result.
        payloads: Whether results are in it; without them a read of one says nothing.
        unreadable: Ids of operations whose payload is not there, and why: `truncated`, `left out` or `masked`.
        uncertain: Ids of finished contexts of which it is not known whether a replay enters them again.
        problem: Why it cannot be checked at all, if it cannot.
    """

    name: str
    arn: str
    operations: Sequence[Mapping[str, Any]]
    complete: bool
    payloads: bool = True
    failed: bool = False
    unreadable: Mapping[str, str] = field(default_factory=dict)
    uncertain: Sequence[str] = ()
    problem: str | None = None


def read(path: Path) -> Iterator[History]:
    """The histories of a file (`.jsonl`: one a line, read as a stream) or of the files of a folder.

    Raises:
        HistoryFileError: A file is no history.
        OSError: A file cannot be read.
    """
    if path.is_dir():
        for file in sorted([*path.rglob("*.json"), *path.rglob("*.jsonl")]):
            yield from read(file)
    elif path.suffix == ".jsonl":
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield parse(f"{path}:{number}", line)
    else:
        yield parse(str(path), path.read_bytes())


def _loaded(text: bytes) -> Any:
    # orjson rounds no number here, since payloads are text in this JSON; it refuses the lone surrogates of some.
    from orjson import JSONDecodeError, loads

    try:
        return loads(text)
    except JSONDecodeError:
        return json.loads(text)


def parse(name: str, text: bytes) -> History:
    """A history from its JSON text: a file of `durable record`, or an object with `arn` and `operations`."""
    try:
        found = _loaded(text)
    except ValueError as error:
        what = f"it is no JSON: {error}" if text.strip() else "it is empty"
        raise HistoryFileError(f"{name} is no history: {what}. {_WAY_OUT}") from None
    if not isinstance(found, dict):
        raise HistoryFileError(f"{name} is no history: it is no JSON object. {_WAY_OUT}")
    if "formatVersion" in found:
        file_of(name, found)  # its checks: version and completeness
    return history_of(name, found)


def history_of(name: str, found: Mapping[str, Any]) -> History:
    """A history from the contents of a file."""
    about = found.get("execution") or {}
    arn = found.get("arn") or about.get("DurableExecutionArn")
    operations = found.get("operations")
    if not isinstance(arn, str) or not isinstance(operations, list) or not operations:
        raise HistoryFileError(f"{name} is no history: it has no execution ARN, or no operations. {_WAY_OUT}")
    status = about.get("Status") or (found.get("outcome") or {}).get("output", {}).get("Status")
    complete = str(status or operations[0].get("Status")) not in {"STARTED", "RUNNING", "PAUSING", "PAUSED", "PENDING"}
    failed = complete and status != "SUCCEEDED"
    payloads = found.get("payloads", True)
    unreadable = found.get("unreadable")
    if unreadable is None:
        unreadable = {} if payloads else without_payloads(operations)
    return History(
        name,
        arn,
        operations,
        complete,
        payloads,
        failed,
        unreadable,
        tuple(found.get("uncertain") or ()),
        found.get("problem"),
    )


def read_store(store: Path) -> Iterator[History]:
    """The executions of an engine's store, the oldest first."""
    with Engine(store) as engine:
        for summary in engine.list(newest_first=False, limit=1_000_000):
            yield parse(summary.name, engine.history_text(summary.arn).encode("ascii"))
