"""An execution's history in one JSON file: written from a store, read back for replays and comparisons.

The file is one JSON object: `formatVersion`, `producer {name, version}`, `payloads`, `execution {...}`, `operations`
(records as the invocation event carries them, timestamps in epoch milliseconds, so that they can be replayed as they
are) and `events` (as GetDurableExecutionHistory lists them, timestamps likewise). It is ASCII: any payload survives.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from durable_execution_sdk import _core
from durable_execution_sdk._model.homes import public
from durable_execution_sdk.engine import wire
from durable_execution_sdk.engine.errors import EngineError
from durable_execution_sdk.engine.files import whole_file
from durable_execution_sdk.engine.records import ExecutionRecord
from durable_execution_sdk.engine.store import Transaction

FORMAT_VERSION: Final = 1
PRODUCER: Final = "durable-execution-sdk"


@public("engine")
class HistoryFileError(EngineError):
    """A file is no history, or one of a newer format."""


@public("engine")
@dataclass(frozen=True, slots=True)
class HistoryFile:
    """The contents of a history file.

    Attributes:
        producer: Name and version of what wrote it.
        execution: `DurableExecutionArn`, `DurableExecutionName`, `FunctionName`, `Status`, `StartTimestamp`,
            `EndTimestamp`, `InputPayload`, `Result`, `Error`: those that there are.
        operations: Operation records, the EXECUTION first, timestamps in epoch milliseconds.
        events: History events, timestamps in epoch milliseconds.
        payloads: Whether inputs, results and error texts are in the file.
    """

    producer: str
    execution: Mapping[str, Any]
    operations: Sequence[Mapping[str, Any]]
    events: Sequence[Mapping[str, Any]]
    payloads: bool = True


def write_history(path: Path, execution: ExecutionRecord, transaction: Transaction, *, payloads: bool) -> None:
    """Write a history, piece by piece, to a file that only its owner can read."""
    with whole_file(path) as file:
        for piece in _pieces(execution, transaction, payloads):
            file.write(piece)


def history_text(execution: ExecutionRecord, transaction: Transaction, *, payloads: bool) -> str:
    """What `write_history` would write."""
    return "".join(_pieces(execution, transaction, payloads))


def _pieces(execution: ExecutionRecord, transaction: Transaction, payloads: bool) -> Iterator[str]:
    execution_id = execution.execution_id
    first = transaction.operation(execution_id, execution_id)
    about: dict[str, Any] = {
        "DurableExecutionArn": execution.arn,
        "DurableExecutionName": execution.name,
        "FunctionName": execution.function_name,
        "Status": execution.status,
        "StartTimestamp": execution.start_ms,
    }
    if execution.end_ms is not None:
        about["EndTimestamp"] = execution.end_ms
    if first is not None and payloads:
        about["InputPayload"] = first.payload
        if first.result is not None:
            about["Result"] = first.result
    if first is not None and first.error is not None:
        about["Error"] = wire.error_dict(first.error, payloads=payloads)
    head = {
        "formatVersion": FORMAT_VERSION,
        "producer": {"name": PRODUCER, "version": _core.__version__},
        "payloads": payloads,
        "execution": about,
    }
    yield json.dumps(head)[:-1]
    yield ',\n"operations": ['
    mark = "\n"
    for record in transaction.operations(execution_id, -1, hidden=True):
        yield mark + json.dumps(wire.operation_dict(record, payloads=payloads))
        mark = ",\n"
    yield '\n],\n"events": ['
    mark = "\n"
    for logged in transaction.events(execution_id, 0):
        yield mark + json.dumps(wire.event_dict(logged, payloads=payloads))
        mark = ",\n"
    yield "\n]}\n"


@public("engine")
def read_history(path: str | os.PathLike[str]) -> HistoryFile:
    """Read a history file.

    Raises:
        HistoryFileError: It is no history file, or one of a newer format.
        OSError: It cannot be read.
    """
    try:
        found = json.loads(Path(path).read_bytes())
    except ValueError as error:
        raise HistoryFileError(f"{path} is no history file: {error}.") from None
    return history_of(str(path), found)


def history_of(path: str, found: Any) -> HistoryFile:
    """The contents of a history file from its JSON; `path` names it in errors.

    Raises:
        HistoryFileError: It is no history file, or one of a newer format.
    """
    version = found.get("formatVersion") if isinstance(found, dict) else None
    if not isinstance(version, int):
        raise HistoryFileError(f"{path} is no history file: it has no formatVersion.")
    if version > FORMAT_VERSION:
        raise HistoryFileError(
            f"{path} has format version {version}; this version of {PRODUCER} reads up to {FORMAT_VERSION}: upgrade it."
        )
    producer = found.get("producer")
    if not isinstance(producer, dict):
        producer = {}
    try:
        return HistoryFile(
            producer=f"{producer.get('name', 'unknown')} {producer.get('version', '')}".strip(),
            execution=found["execution"],
            operations=found["operations"],
            events=found["events"],
            payloads=found.get("payloads", True),
        )
    except KeyError as error:
        raise HistoryFileError(f"{path} is no complete history file: {error} is missing.") from None
