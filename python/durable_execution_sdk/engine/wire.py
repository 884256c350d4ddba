"""Records as the wire shows them: operations and events as JSON or as plain dictionaries.

Two clocks' forms exist: API answers carry epoch seconds, invocation events and history files epoch milliseconds.
JSON is ASCII, written piece by piece, so that payloads of any text (lone surrogates too) pass unharmed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from json.encoder import encode_basestring_ascii as quote
from typing import Any, Final

from durable_execution_sdk.engine.records import (
    CALLBACK,
    CHAINED_INVOKE,
    CONTEXT,
    EXECUTION,
    STEP,
    WAIT,
    LoggedEvent,
    OperationRecord,
)

Stamp = Callable[[int], int | float]


def milliseconds(at_ms: int) -> int:
    """The form of invocation events and history files."""
    return at_ms


def seconds(at_ms: int) -> float:
    """The form of API answers."""
    return at_ms / 1000


def operation_dict(record: OperationRecord, stamp: Stamp = milliseconds, *, payloads: bool = True) -> dict[str, Any]:
    """An operation as the service shows it; without `payloads`, results, inputs and error texts are left out."""
    shown: dict[str, Any] = {"Id": record.operation_id}
    if record.parent_id is not None:
        shown["ParentId"] = record.parent_id
    if record.name is not None:
        shown["Name"] = record.name
    shown["Type"] = record.operation_type
    if record.sub_type is not None:
        shown["SubType"] = record.sub_type
    shown["StartTimestamp"] = stamp(record.start_ms)
    if record.end_ms is not None:
        shown["EndTimestamp"] = stamp(record.end_ms)
    shown["Status"] = record.status
    details: dict[str, Any] = {}
    kind = record.operation_type
    if kind == EXECUTION:
        if payloads and record.payload is not None:
            details["InputPayload"] = record.payload
        shown["ExecutionDetails"] = details
        return shown
    if kind == STEP:
        details["Attempt"] = record.attempt
        if record.due_ms is not None:
            details["NextAttemptTimestamp"] = stamp(record.due_ms)
    elif kind == WAIT:
        if record.scheduled_end_ms is not None:
            details["ScheduledEndTimestamp"] = stamp(record.scheduled_end_ms)
    elif kind == CALLBACK:
        details["CallbackId"] = record.callback_id
    elif kind == CONTEXT and record.replay_children:
        details["ReplayChildren"] = True
    if payloads and record.result is not None:
        details["Result"] = record.result
    if record.error is not None:
        details["Error"] = error_dict(record.error, payloads=payloads)
    if details:
        shown[_DETAILS[kind]] = details
    return shown


_DETAILS: Final = {
    STEP: "StepDetails",
    WAIT: "WaitDetails",
    CALLBACK: "CallbackDetails",
    CONTEXT: "ContextDetails",
    CHAINED_INVOKE: "ChainedInvokeDetails",
}


def error_dict(error: str, *, payloads: bool = True) -> dict[str, Any]:
    """A recorded error as an object; without `payloads` only its type."""
    shown: dict[str, Any] = json.loads(error)
    return shown if payloads else {key: value for key, value in shown.items() if key == "ErrorType"}


def operation_json(record: OperationRecord) -> str:
    """An operation as JSON with epoch seconds: the piece that answers are made of."""
    parts = [f'{{"Id":"{record.operation_id}"']
    if record.parent_id is not None:
        parts.append(f'"ParentId":"{record.parent_id}"')
    if record.name is not None:
        parts.append(f'"Name":{quote(record.name)}')
    parts.append(f'"Type":"{record.operation_type}"')
    if record.sub_type is not None:
        parts.append(f'"SubType":"{record.sub_type}"')
    parts.append(f'"StartTimestamp":{record.start_ms / 1000!r}')
    if record.end_ms is not None:
        parts.append(f'"EndTimestamp":{record.end_ms / 1000!r}')
    parts.append(f'"Status":"{record.status}"')
    kind = record.operation_type
    details: list[str] = []
    if kind == EXECUTION:
        if record.payload is not None:
            details.append(f'"InputPayload":{quote(record.payload)}')
        parts.append(f'"ExecutionDetails":{{{",".join(details)}}}')
        return ",".join(parts) + "}"
    if kind == STEP:
        details.append(f'"Attempt":{record.attempt}')
        if record.due_ms is not None:
            details.append(f'"NextAttemptTimestamp":{record.due_ms / 1000!r}')
    elif kind == WAIT:
        if record.scheduled_end_ms is not None:
            details.append(f'"ScheduledEndTimestamp":{record.scheduled_end_ms / 1000!r}')
    elif kind == CALLBACK:
        details.append(f'"CallbackId":"{record.callback_id}"')
    elif kind == CONTEXT and record.replay_children:
        details.append('"ReplayChildren":true')
    if record.result is not None:
        details.append(f'"Result":{quote(record.result)}')
    if record.error is not None:
        details.append(f'"Error":{record.error}')
    if details:
        parts.append(f'"{_DETAILS[kind]}":{{{",".join(details)}}}')
    return ",".join(parts) + "}"


def checkpoint_answer(token: str | None, operations: Iterable[str], marker: str | None) -> bytes:
    """The body that answers a checkpoint; without a token it was the last one."""
    head = "" if token is None else f'"CheckpointToken":"{token}",'
    return f'{{{head}"NewExecutionState":{{{_page(operations, marker)}}}}}'.encode("ascii")


def state_answer(operations: Iterable[str], marker: str | None) -> bytes:
    """The body of a page of operations."""
    return f"{{{_page(operations, marker)}}}".encode("ascii")


def _page(operations: Iterable[str], marker: str | None) -> str:
    tail = "" if marker is None else f',"NextMarker":"{marker}"'
    return f'"Operations":[{",".join(operations)}]{tail}'


_RESULTS: Final = frozenset({"Step", "Context", "Callback", "ChainedInvoke", "Execution"})
_STAMPS: Final = frozenset(
    {
        "StartTimestamp",
        "EndTimestamp",
        "ScheduledEndTimestamp",
        "PauseRequestTimestamp",
        "ResumeRequestTimestamp",
    }
)


def event_dict(logged: LoggedEvent, stamp: Stamp = milliseconds, *, payloads: bool = True) -> dict[str, Any]:
    """A history event as the service shows it; payloads that are left out are marked `Truncated`."""
    event = logged.event
    shown: dict[str, Any] = {
        "EventType": event.event_type,
        "EventId": event.event_id,
        "EventTimestamp": stamp(event.at_ms),
        "Id": event.operation_id,
    }
    about = {"Name": logged.name, "SubType": logged.sub_type, "ParentId": logged.parent_id}
    shown |= {member: value for member, value in about.items() if value is not None}
    details: dict[str, Any] = {
        key: stamp(value) if key in _STAMPS and isinstance(value, int) else value
        for key, value in event.details.items()
    }
    if event.event_type in {"ExecutionStarted", "ChainedInvokeStarted"}:
        if logged.payload is not None:
            details["Input"] = _carried(logged.payload, payloads)
    elif event.error is not None:
        error = error_dict(event.error, payloads=payloads)
        details["Error"] = {"Payload": error} if payloads else {"Payload": error, "Truncated": True}
    elif event.event_type.endswith("Succeeded") and event.event_type.removesuffix("Succeeded") in _RESULTS:
        details["Result"] = {} if logged.payload is None else _carried(logged.payload, payloads)
    shown[f"{event.event_type}Details"] = details
    return shown


def _carried(payload: str, payloads: bool) -> dict[str, Any]:
    return {"Payload": payload, "Truncated": False} if payloads else {"Truncated": True}
