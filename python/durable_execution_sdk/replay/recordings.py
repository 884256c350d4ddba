"""Executions as `durable record` keeps them: from a store, from AWS, into files that only their owner can read."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from durable_execution_sdk import _core
from durable_execution_sdk._edges.aws_histories import HistorySourceError, RecordedExecutions
from durable_execution_sdk._model.homes import public
from durable_execution_sdk.engine import Engine
from durable_execution_sdk.engine.export import FORMAT_VERSION, PRODUCER
from durable_execution_sdk.engine.files import whole_file
from durable_execution_sdk.replay.events import (
    LEFT_OUT,
    TRUNCATED,
    in_order,
    milliseconds,
    operations_of,
    plain_event,
)
from durable_execution_sdk.replay.histories import History, history_of
from durable_execution_sdk.replay.portions import executions_of


@public("replay")
@dataclass(frozen=True, slots=True)
class Recording:
    """One execution with its history.

    Attributes:
        execution: `DurableExecutionArn`, `DurableExecutionName`, `FunctionName`, `Status`, times in epoch milliseconds,
            `InputPayload`, `Result`, `Error`: those that there are.
        operations: Operation records, the EXECUTION first, times in epoch milliseconds.
        events: History events in their order, times likewise.
        payloads: Whether inputs, results and error texts were asked for.
        unreadable: Ids of operations whose payload is not there, and why: `truncated`, `left out` or `masked`.
        uncertain: Ids of finished contexts of which it is not known whether a replay enters them again.
        problem: Why it cannot be checked at all, if it cannot.
    """

    execution: Mapping[str, Any]
    operations: Sequence[Mapping[str, Any]]
    events: Sequence[Mapping[str, Any]]
    payloads: bool = True
    unreadable: Mapping[str, str] = field(default_factory=dict)
    uncertain: Sequence[str] = ()
    problem: str | None = None

    @property
    def arn(self) -> str:
        """The execution."""
        return str(self.execution["DurableExecutionArn"])

    @property
    def name(self) -> str:
        """The name of the execution."""
        return str(self.execution.get("DurableExecutionName") or self.arn.rpartition("/")[2])

    def to_dict(self) -> dict[str, Any]:
        """The contents of a history file."""
        shown: dict[str, Any] = {
            "formatVersion": FORMAT_VERSION,
            "producer": {"name": PRODUCER, "version": _core.__version__},
            "payloads": self.payloads,
            "execution": dict(self.execution),
        }
        if self.unreadable or not self.payloads:
            shown["unreadable"] = dict(self.unreadable)
        if self.uncertain:
            shown["uncertain"] = [*self.uncertain]
        if self.problem is not None:
            shown["problem"] = self.problem
        return shown | {"operations": [*self.operations], "events": [*self.events]}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Recording:
        """Back from the contents of a history file."""
        return cls(
            execution=found["execution"],
            operations=found["operations"],
            events=found["events"],
            payloads=found.get("payloads", True),
            unreadable=found.get("unreadable") or {},
            uncertain=tuple(found.get("uncertain") or ()),
            problem=found.get("problem"),
        )


def record_store(store: Path, execution: str | None = None, *, payloads: bool = True) -> Iterator[Recording]:
    """One execution of an engine's store, by name, id or ARN; without one all of them, the oldest first."""
    with Engine(store, read_only=True) as engine:
        chosen = [execution] if execution is not None else (record.arn for record in executions_of(engine))
        for one in chosen:
            yield Recording.from_dict(json.loads(engine.history_text(one, payloads=payloads)))


def record_aws(source: RecordedExecutions, arn: str, *, payloads: bool = True) -> Recording:
    """One execution from AWS.

    Args:
        source: Where from.
        arn: The execution.
        payloads: False: AWS is asked not to send inputs, results and errors at all.

    Raises:
        HistorySourceError: AWS does not give it.
    """
    about = source.describe(arn, payloads=payloads)
    sent = payloads and about.get("ExecutionDataIncluded", True)
    events = [plain_event(event) for event in in_order(source.events(arn, payloads=payloads))]
    derived = operations_of(
        arn, events, input_payload=about.get("InputPayload"), missing=TRUNCATED if sent else LEFT_OUT
    )
    execution: dict[str, Any] = {
        "DurableExecutionArn": arn,
        "DurableExecutionName": about.get("DurableExecutionName"),
        "FunctionName": function_of(about.get("FunctionArn") or arn),
        "FunctionArn": about.get("FunctionArn"),
        "Version": about.get("Version"),
        # Read before the events, so it may be behind them.
        "Status": about.get("Status") if derived.status == "RUNNING" else derived.status,
        "StartTimestamp": milliseconds(about.get("StartTimestamp")),
        "EndTimestamp": milliseconds(about.get("EndTimestamp")),
        "InputPayload": about.get("InputPayload"),
        "Result": about.get("Result"),
        "Error": about.get("Error"),
    }
    return Recording(
        {key: value for key, value in execution.items() if value is not None},
        derived.operations,
        events,
        bool(sent),
        derived.unreadable,
        derived.uncertain,
        derived.problem,
    )


def record_function(
    source: RecordedExecutions,
    summaries: Iterable[Mapping[str, Any]],
    *,
    payloads: bool = True,
    gone: Callable[[str], None] = lambda arn: None,
) -> Iterator[Recording]:
    """The executions that AWS lists; those that it has deleted meanwhile are left out, and `gone` is told."""
    for summary in summaries:
        arn = str(summary["DurableExecutionArn"])
        try:
            yield record_aws(source, arn, payloads=payloads)
        except HistorySourceError as error:
            if not error.not_found:
                raise
            gone(arn)


def function_of(arn: str) -> str:
    """The name of the function in an ARN of a function or an execution."""
    found = re.search(r":function:([^:/]+)", arn)
    return found[1] if found else arn


def history_from(recording: Recording) -> History:
    """A recording as checks take it, named as the execution is."""
    return history_of(recording.name, recording.to_dict())


# --- files ----------------------------------------------------------------------------------------------------------


def write_recording(path: Path, recording: Recording) -> None:
    """One JSON file, private to its owner, in place of what was there. Its folder is made if there is none."""
    with history_file(path) as add:
        add(recording)


@contextmanager
def history_file(path: Path) -> Iterator[Callable[[Recording], None]]:
    """What is yielded writes the recording. A file that cannot be there is noticed before."""
    _make_folder(path.parent)
    with whole_file(path) as file:
        yield lambda recording: _write(file.write, recording, "\n")


def write_folder(folder: Path, recordings: Iterable[Recording]) -> Iterator[Path]:
    """A file for each, `NAME-ID.json`; the folder is made, for its owner only, if there is none."""
    _make_folder(folder)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
    for recording in recordings:
        stem = f"{recording.name}-{recording.arn.rpartition('/')[2]}"
        path = folder / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', stem)}.json"
        write_recording(path, recording)
        yield path


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None


@contextmanager
def lines_file(path: Path) -> Iterator[Callable[[Recording], None]]:
    """A JSON Lines file, private to its owner: what is yielded adds a recording; the file appears when all are in."""
    _make_folder(path.parent)
    with whole_file(path) as file:

        def add(recording: Recording) -> None:
            _write(file.write, recording, " ")
            file.write("\n")

        yield add


def _write(write: Callable[[str], object], recording: Recording, gap: str) -> None:
    """As JSON in ASCII, piece by piece: the text of a whole history need not be in memory besides the history."""
    shown = recording.to_dict()
    lists = {key: shown.pop(key) for key in ("operations", "events")}
    write(json.dumps(shown)[:-1])
    for key, members in lists.items():
        write(f',{gap}"{key}": [')
        for number, member in enumerate(members):
            write(("," if number else "") + gap + json.dumps(member))
        write(f"{gap}]")
    write("}" if gap == " " else "}\n")


__all__ = [
    "Recording",
    "function_of",
    "history_from",
    "lines_file",
    "record_aws",
    "record_function",
    "record_store",
    "write_folder",
    "write_recording",
]
