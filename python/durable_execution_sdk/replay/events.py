"""From the events of an execution (GetDurableExecutionHistory) to the operations that a replay needs. Pure.

An operation is what its events add up to: its first event says when it began and who it is, its last one how it stands.
What the events do not say stays open: whether the result of a finished context was too large to be recorded, so that it
is entered again for its children (`ReplayChildren`), and what a truncated payload was.

| events of an operation | its record |
|---|---|
| `...Started` | STARTED |
| `StepFailed` or `StepSucceeded` with `NextAttemptDelaySeconds` | PENDING until then (an attempt to be repeated) |
| `...Succeeded`, `...Failed`, `...TimedOut`, `...Stopped`, `...Cancelled` | SUCCEEDED, FAILED, ... |

That a repeated step is READY is in no event: it stays PENDING, which suspends a replay in the same place.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

TRUNCATED: Final = "truncated"
LEFT_OUT: Final = "left out"
MASKED: Final = "masked"
"""Why a payload is not in a history. What was left out may have been null; what was truncated or masked was not."""

_SHOWN_DETAILS: Final = {
    "EXECUTION": "ExecutionDetails",
    "CONTEXT": "ContextDetails",
    "STEP": "StepDetails",
    "WAIT": "WaitDetails",
    "CALLBACK": "CallbackDetails",
    "CHAINED_INVOKE": "ChainedInvokeDetails",
}
_CARRYING: Final = frozenset({"CONTEXT", "STEP", "CALLBACK", "CHAINED_INVOKE"})
_KINDS: Final = {
    "Execution": "EXECUTION",
    "Context": "CONTEXT",
    "Step": "STEP",
    "Wait": "WAIT",
    "Callback": "CALLBACK",
    "ChainedInvoke": "CHAINED_INVOKE",
}
_STATUSES: Final = {
    "Started": "STARTED",
    "Succeeded": "SUCCEEDED",
    "Failed": "FAILED",
    "TimedOut": "TIMED_OUT",
    "Stopped": "STOPPED",
    "Cancelled": "CANCELLED",
}
_MEANINGS: Final = {
    f"{kind}{word}": (_KINDS[kind], _STATUSES[word])
    for kind, words in {
        "Execution": ("Started", "Succeeded", "Failed", "TimedOut", "Stopped"),
        "Context": ("Started", "Succeeded", "Failed"),
        "Step": ("Started", "Succeeded", "Failed"),
        "Wait": ("Started", "Succeeded", "Cancelled"),
        "Callback": ("Started", "Succeeded", "Failed", "TimedOut"),
        "ChainedInvoke": ("Started", "Succeeded", "Failed", "TimedOut", "Stopped"),
    }.items()
    for word in words
}
_NO_OPERATION: Final = frozenset({"InvocationCompleted", "ExecutionPaused", "ExecutionResumed"})
_SUMMARIES: Final = frozenset({"MapResult", "ParallelResult"})


@dataclass(frozen=True, slots=True)
class Derived:
    """What the events of one execution add up to.

    Attributes:
        operations: Records as the invocation event carries them, the EXECUTION first, times in epoch milliseconds.
        status: Of the execution: RUNNING, or how it ended.
        unreadable: Operations whose payload or error is not there, and why: `truncated` or `left out`.
        uncertain: Finished contexts of which it is open whether a replay enters them again.
        problem: Why these events cannot be the whole history, if they cannot.
    """

    operations: Sequence[Mapping[str, Any]]
    status: str
    unreadable: Mapping[str, str]
    uncertain: Sequence[str]
    problem: str | None = None


def operations_of(
    arn: str, events: Iterable[Mapping[str, Any]], *, input_payload: str | None = None, missing: str = TRUNCATED
) -> Derived:
    """Add up the events of an execution.

    Args:
        arn: The execution; its last segment is the id of the EXECUTION operation.
        events: In any order, as boto3 gives them or with times in epoch milliseconds; repeated ones count once.
        input_payload: The input of the execution, where it is known better than from the first event.
        missing: Why payloads that the events mark as truncated are not there.
    """
    ordered = in_order(events)
    building = _Building(arn.rpartition("/")[2], input_payload, missing)
    problem = gap_in(ordered)
    for event in ordered:
        kind = event.get("EventType")
        if kind in _NO_OPERATION:
            continue
        if kind not in _MEANINGS:
            problem = problem or f"event {event.get('EventId')} is of the type {kind!r}, which this version cannot read"
            continue
        building.add(event, *_MEANINGS[kind])
    return building.done(problem)


def in_order(events: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The events by their ids, each once."""
    by_id = {event.get("EventId") or 0: event for event in events}
    return [by_id[event_id] for event_id in sorted(by_id)]


def gap_in(ordered: Sequence[Mapping[str, Any]]) -> str | None:
    """What is missing of a history; ids count from 1 without a gap."""
    if not ordered:
        return "it has no events"
    for expected, event in enumerate(ordered, 1):
        if event.get("EventId") != expected:
            return f"event {expected} of it is missing"
    return None


def milliseconds(moment: Any) -> int | None:
    """A time as boto3 gives it, or in epoch milliseconds already."""
    if isinstance(moment, datetime):
        return round(moment.timestamp() * 1000)
    return round(moment) if isinstance(moment, int | float) else None


def plain_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event of boto3 as a history file holds it: times in epoch milliseconds."""
    plain: dict[str, Any] = _plain(event)
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(member) for key, member in value.items()}
    return milliseconds(value) if isinstance(value, datetime) else value


class _Building:
    """The records while their events are added."""

    def __init__(self, execution_id: str, input_payload: str | None, missing: str) -> None:
        self._execution_id = execution_id
        self._input = input_payload
        self._missing = missing
        self._records: dict[str, dict[str, Any]] = {}
        self._details: dict[str, dict[str, Any]] = {}
        self._unreadable: dict[str, str] = {}
        self._of_execution("STARTED", None)

    def add(self, event: Mapping[str, Any], kind: str, status: str) -> None:
        at_ms = milliseconds(event.get("EventTimestamp"))
        said = event.get(f"{event['EventType']}Details") or {}
        if kind == "EXECUTION":
            self._of_execution(status, at_ms, event.get("Name"))
            if status == "STARTED":
                self._take_input(said.get("Input") or {})
            return
        operation_id = event.get("Id") or ""
        record = self._records.get(operation_id)
        if record is None:
            about = {key: event[key] for key in ("ParentId", "Name") if event.get(key)}
            record = {"Id": operation_id, **about, "Type": kind}
            if event.get("SubType"):
                record["SubType"] = event["SubType"]
            record |= {"StartTimestamp": at_ms, "Status": status}
            self._records[operation_id] = record
            self._details[operation_id] = {"Attempt": 0} if kind == "STEP" else {}
        details = self._details[operation_id]
        record["Status"] = status
        if status == "STARTED":
            details.pop("NextAttemptTimestamp", None)
            if "ScheduledEndTimestamp" in said:
                details["ScheduledEndTimestamp"] = milliseconds(said["ScheduledEndTimestamp"])
            if "CallbackId" in said:
                details["CallbackId"] = said["CallbackId"]
            return
        retry = said.get("RetryDetails") or {}
        if "CurrentAttempt" in retry:
            details["Attempt"] = retry["CurrentAttempt"]
        self._take_outcome(operation_id, details, said)
        delay = retry.get("NextAttemptDelaySeconds")
        if delay:
            record["Status"] = "PENDING"
            details["NextAttemptTimestamp"] = (at_ms or 0) + round(delay * 1000)
        else:
            record["EndTimestamp"] = at_ms

    def done(self, problem: str | None) -> Derived:
        """All events are added."""
        parents = {record.get("ParentId") for record in self._records.values()}
        uncertain: list[str] = []
        operations: list[dict[str, Any]] = []
        for operation_id, record in self._records.items():
            details = self._details[operation_id]
            if record["Type"] == "CONTEXT" and record["Status"] == "SUCCEEDED":
                if operation_id not in self._unreadable and is_no_result(details.get("Result")):
                    details = {"ReplayChildren": True, **details}
                elif operation_id in parents:
                    uncertain.append(operation_id)
            if details or record["Type"] == "EXECUTION":
                record[_SHOWN_DETAILS[record["Type"]]] = details
            operations.append(record)
        status = operations[0]["Status"]
        return Derived(operations, "RUNNING" if status == "STARTED" else status, self._unreadable, uncertain, problem)

    def _of_execution(self, status: str, at_ms: int | None, name: str | None = None) -> None:
        record = self._records.setdefault(
            self._execution_id, {"Id": self._execution_id, "Type": "EXECUTION", "Status": status}
        )
        details = self._details.setdefault(self._execution_id, {})
        if self._input is not None:
            details["InputPayload"] = self._input
        if name:
            record["Name"] = name
        record["Status"] = status
        if at_ms is not None:
            record["StartTimestamp" if status == "STARTED" else "EndTimestamp"] = at_ms

    def _take_input(self, given: Mapping[str, Any]) -> None:
        if self._input is not None:
            return
        if given.get("Truncated"):
            self._unreadable[self._execution_id] = self._missing
        elif given.get("Payload") is not None:
            self._details[self._execution_id]["InputPayload"] = given["Payload"]

    def _take_outcome(self, operation_id: str, details: dict[str, Any], said: Mapping[str, Any]) -> None:
        for key in ("Result", "Error"):
            details.pop(key, None)
        self._unreadable.pop(operation_id, None)
        for key in ("Result", "Error"):
            carried = said.get(key) or {}
            if carried.get("Truncated"):
                self._unreadable[operation_id] = self._missing
            if carried.get("Payload") is not None and not (key == "Result" and carried.get("Truncated")):
                details[key] = carried["Payload"]


def is_no_result(payload: str | None) -> bool:
    """Whether the payload of a context stands in for one that was too large: nothing, or the summary of a batch."""
    if payload == "":
        return True
    if not payload or not payload.startswith("{") or '"totalCount"' not in payload:
        return False
    try:
        found = json.loads(payload)
    except ValueError:
        return False
    return isinstance(found, dict) and found.get("type") in _SUMMARIES and isinstance(found.get("totalCount"), int)


def without_payloads(operations: Sequence[Mapping[str, Any]]) -> Mapping[str, str]:
    """What is unreadable in a history that was recorded without payloads, and does not say what it left out."""
    first, *rest = operations
    absent = {first["Id"]: LEFT_OUT}
    for record in rest:
        details = record.get(_SHOWN_DETAILS.get(record["Type"], "")) or {}
        again = details.get("ReplayChildren")
        if record["Type"] in _CARRYING and not again and "Result" not in details and record.get("Status") != "STARTED":
            absent[record["Id"]] = LEFT_OUT
    return absent


__all__ = [
    "LEFT_OUT",
    "MASKED",
    "TRUNCATED",
    "Derived",
    "gap_in",
    "in_order",
    "is_no_result",
    "milliseconds",
    "operations_of",
    "plain_event",
    "without_payloads",
]
