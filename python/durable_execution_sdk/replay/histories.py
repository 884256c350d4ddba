"""Recorded histories, and what is none."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from durable_execution_sdk.engine import HistoryFileError
from durable_execution_sdk.engine.export import history_of as file_of
from durable_execution_sdk.replay.events import without_payloads

_STORE: Final = b"SQLite format 3"
_WAY_OUT: Final = "`durable record` writes histories; leave out what is none."


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What stands where histories are, and cannot be read as one.

    Attributes:
        name: How reports name it: the file or folder; of a `.jsonl` file with the number of the line.
        why: The reason, and the way out.
    """

    name: str
    why: str


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


def _loaded(text: bytes) -> Any:
    # orjson rounds no number here, since payloads are text in this JSON; it refuses the lone surrogates of some.
    from orjson import JSONDecodeError, loads

    try:
        return loads(text)
    except JSONDecodeError:
        return json.loads(text)


def parse(name: str, text: bytes) -> History | Unreadable:
    """A history from its JSON text: a file of `durable record`, or an object with `arn` and `operations`."""
    try:
        found = _loaded(text)
    except (ValueError, RecursionError) as error:
        if text.startswith(_STORE):
            return Unreadable(name, "it is a store: name it with --store, or read it with `read_store`")
        return Unreadable(name, _none(f"it is no JSON: {_reason(error)}" if text.strip() else "it is empty"))
    flaw = _flaw_of(found)
    return _made(name, found) if flaw is None else Unreadable(name, flaw)


def _reason(error: Exception) -> str:
    """What is wrong with JSON. The line is left out where there is one: it would be taken for that of the file."""
    if isinstance(error, json.JSONDecodeError):
        line = f"line {error.lineno}, " if error.lineno > 1 else ""
        hint = " (one history a line makes a file that ends in .jsonl)" if error.msg == "Extra data" else ""
        return f"{error.msg.removesuffix(' at')} at {line}column {error.colno}{hint}"
    if isinstance(error, UnicodeDecodeError):
        return "its bytes are no UTF-8"
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def history_of(name: str, found: Mapping[str, Any]) -> History:
    """A history from the contents of a file.

    Raises:
        HistoryFileError: They are none of a history.
    """
    flaw = _flaw_of(found)
    if flaw is not None:
        raise HistoryFileError(f"{name} is no history: {flaw}")
    return _made(name, found)


def _made(name: str, found: Mapping[str, Any]) -> History:
    about = found.get("execution") or {}
    operations = found["operations"]
    status = about.get("Status") or ((found.get("outcome") or {}).get("output") or {}).get("Status")
    complete = str(status or operations[0].get("Status")) not in {"STARTED", "RUNNING", "PAUSING", "PAUSED", "PENDING"}
    failed = complete and status != "SUCCEEDED"
    payloads = bool(found.get("payloads", True))
    unreadable = found.get("unreadable")
    if unreadable is None:
        unreadable = {} if payloads else without_payloads(operations)
    return History(
        name,
        found.get("arn") or about["DurableExecutionArn"],
        operations,
        complete,
        payloads,
        failed,
        unreadable,
        tuple(found.get("uncertain") or ()),
        found.get("problem"),
    )


# --- what is no history -----------------------------------------------------------------------------------------------

_SHAPES: Final = (("execution", dict), ("outcome", dict), ("unreadable", dict), ("uncertain", list), ("problem", str))
_TEXTS: Final = ("SubType", "Name", "ParentId", "Status")
_DETAILS: Final = {
    "EXECUTION": "ExecutionDetails",
    "STEP": "StepDetails",
    "CONTEXT": "ContextDetails",
    "WAIT": "WaitDetails",
    "CALLBACK": "CallbackDetails",
    "CHAINED_INVOKE": "ChainedInvokeDetails",
}


def _none(flaw: str) -> str:
    return f"{flaw}. {_WAY_OUT}"


def _flaw_of(found: Any) -> str | None:
    """Why these contents of a file are no history, and the way out; or None."""
    if not isinstance(found, dict):
        return _none("it is no JSON object")
    if "formatVersion" in found:
        try:
            file_of("it", found)  # its checks: version and completeness
        except HistoryFileError as error:
            return str(error)
    for key, kind in _SHAPES:
        if found.get(key) is not None and not isinstance(found[key], kind):
            return _none(f"its {key!r} is {type(found[key]).__name__} and not {kind.__name__}")
    operations = found.get("operations")
    arn = found.get("arn") or (found.get("execution") or {}).get("DurableExecutionArn")
    if not isinstance(arn, str) or not isinstance(operations, list) or not operations:
        return _none("it has no execution ARN, or no operations")
    for number, record in enumerate(operations):
        flaw = _flaw_in(record)
        if flaw is not None:
            return _none(f"its operation {number} is none: {flaw}")
    first = operations[0]["Type"]
    return None if first == "EXECUTION" else _none(f"its operation 0 is no EXECUTION but {first}")


def _flaw_in(record: Any) -> str | None:
    if type(record) is not dict:
        return f"it is {type(record).__name__}"
    if type(record.get("Id")) is not str or type(record.get("Type")) is not str:
        return "it has no Id, or no Type"
    for key in _TEXTS:
        if key in record and type(record[key]) is not str and record[key] is not None:
            return f"its {key} is {type(record[key]).__name__}"
    details = record.get(_DETAILS.get(record["Type"], ""))
    if details is not None and type(details) is not dict:
        return f"its details are {type(details).__name__}"
    return None
