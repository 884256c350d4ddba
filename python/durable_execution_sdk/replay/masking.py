"""Taking payloads out of a recording. Pure.

What is masked of an operation: its result or error, its input (of an invoke), in its record and in its events; of an
execution: input, result, error. Type names of errors stay, and so does `null`: that there was nothing is no secret, and
code tells nothing from something by `is`, which a check cannot notice.

What a batch records instead of a result that was too large stays too, without the user's summary in it: it tells how
the batch ended, which a replay needs.

An operation that matches takes what may hold its payload with it: everything inside it, if it is a context, and the
results and errors of the contexts around it and of the execution.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, Final

from durable_execution_sdk._model.homes import public
from durable_execution_sdk.replay.events import MASKED, is_no_result
from durable_execution_sdk.replay.recordings import Recording

_NULL: Final = "null"
_PAYLOADS: Final = frozenset({"Input", "Result", "Error", "Reason"})


def matches(recording: Recording, pattern: str) -> bool:
    """Whether a pattern matches anything of a recording."""
    return pattern == "*" or any(fnmatchcase(record.get("Name") or "", pattern) for record in recording.operations[1:])


@public("replay")
def masked(recording: Recording, patterns: Sequence[str], *, keep_input: bool = False) -> Recording:
    """The recording without the payloads of the operations whose names match.

    Args:
        recording: What was recorded.
        patterns: Names of operations, with `*`, `?` and `[...]`; case counts. `*` alone also matches those without a
            name, and the input of the execution.
        keep_input: Whether the input of the execution stays although `*` is among the patterns.
    """
    execution_id = recording.operations[0]["Id"]
    everything = "*" in patterns
    hidden = (
        {execution_id, *(record["Id"] for record in recording.operations)}
        if everything
        else _matching(recording.operations, patterns)
    )
    if not hidden:
        return recording
    hide_input = everything and not keep_input
    absent = dict(recording.unreadable)
    operations = []
    for record in recording.operations:
        if record["Id"] == execution_id:
            operations.append(_without(record, absent, "InputPayload") if hide_input else record)
        else:
            operations.append(_without(record, absent, "Result", "Error") if record["Id"] in hidden else record)
    events = [
        _event_without(event, hide_input=hide_input, everything=everything)
        if event.get("Id") in hidden or event.get("EventType", "").startswith(("Execution", "Invocation"))
        else event
        for event in recording.events
    ]
    execution = {key: value for key, value in recording.execution.items() if key != "Result" or value == _NULL}
    if "Error" in execution:
        execution["Error"] = _error_without(execution["Error"])
    if hide_input and execution.get("InputPayload") != _NULL:
        execution.pop("InputPayload", None)
    return replace(recording, execution=execution, operations=operations, events=events, unreadable=absent)


def _matching(operations: Sequence[Mapping[str, Any]], patterns: Sequence[str]) -> Collection[str]:
    parents = {record["Id"]: record.get("ParentId") for record in operations}
    named = {
        record["Id"]
        for record in operations[1:]
        if any(fnmatchcase(record.get("Name") or "", pattern) for pattern in patterns if record.get("Name"))
    }
    hidden = set(named)
    for operation_id in parents:
        around: str | None = operation_id
        while around is not None and around not in named:
            around = parents.get(around)
        if around is not None:
            hidden.add(operation_id)  # it is, or is inside, one that matches
    for operation_id in named:
        around = parents.get(operation_id)
        while around is not None:
            hidden.add(around)
            around = parents.get(around)
    return hidden


def _without(record: Mapping[str, Any], absent: dict[str, str], *keys: str) -> Mapping[str, Any]:
    """The record without these payloads; notes that they are absent, if there were any."""
    details_key = next((key for key in record if key.endswith("Details")), None)
    if details_key is None:
        return record
    details = dict(record[details_key])
    if details_key == "ContextDetails" and is_no_result(details.get("Result")):
        return {**record, details_key: {**details, "Result": _summary_without(details["Result"])}}
    taken = [key for key in keys if key in details and details[key] != _NULL]
    if not taken:
        return record
    for key in taken:
        value = details.pop(key)
        if key == "Error":
            details[key] = _error_without(value)
    absent[record["Id"]] = MASKED
    return {**record, details_key: details}


def _summary_without(payload: str) -> str:
    found = json.loads(payload or "{}")
    if "summary" not in found:
        return payload
    return json.dumps({key: value for key, value in found.items() if key != "summary"})


def _error_without(error: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in error.items() if key == "ErrorType"}


def _event_without(event: Mapping[str, Any], *, hide_input: bool, everything: bool) -> Mapping[str, Any]:
    key = f"{event.get('EventType')}Details"
    details = dict(event.get(key) or {})
    for member in _PAYLOADS & details.keys():
        if event["EventType"] == "ExecutionStarted" and not hide_input:
            continue
        if member == "Reason":
            if everything:
                del details[member]
            continue
        carried = details[member] or {}
        payload = carried.get("Payload")
        if payload is None or payload == _NULL:
            continue
        if event["EventType"] == "ContextSucceeded" and is_no_result(payload):
            details[member] = {**carried, "Payload": _summary_without(payload)}
            continue
        shown = {"Payload": _error_without(payload)} if isinstance(payload, Mapping) else {}
        details[member] = {**shown, "Truncated": True}
    return {**event, key: details}


__all__ = ["masked", "matches"]
