"""What identifies an operation, and how its record says that a replay is to go through it again. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from durable_execution_sdk._core import CodecError, decode
from durable_execution_sdk._model.batch import BatchResult
from durable_execution_sdk._operations.batch_record import CompletionRecord

BATCHES: Final = frozenset({"Map", "Parallel"})
Record: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """What identifies an operation apart from its place."""

    kind: str
    sub_type: str
    name: str

    def __str__(self) -> str:
        return f"{self.sub_type or self.kind} {self.name!r}" if self.name else f"{self.sub_type or self.kind} (unnamed)"


def shape_of(record: Record) -> Shape:
    """The shape of a record."""
    return Shape(record["Type"], record.get("SubType") or "", record.get("Name") or "")


def batch_end(record: Record) -> CompletionRecord | None:
    """How a map or parallel ended, from its summary or its result; None if neither can be read."""
    text = (record.get("ContextDetails") or {}).get("Result")
    if not isinstance(text, str):
        return None
    end = CompletionRecord.from_summary_payload(text)
    if end is not None:
        return end
    try:
        result = decode(text)
    except CodecError:  # a serdes of the user's
        return None
    if not isinstance(result, BatchResult):
        return None
    return CompletionRecord.from_summary_payload(CompletionRecord.summary_envelope(result, "", None))


def entered_again(record: Record, end: CompletionRecord | None = None) -> dict[str, Any]:
    """The record of a context that has ended, so that a replay runs over what is in it.

    `end`: how a map or parallel ended; default: as it is recorded.
    """
    details = record.get("ContextDetails") or {}
    changed = {**details, "ReplayChildren": True}
    if end is None and record.get("SubType") in BATCHES and not details.get("ReplayChildren"):
        end = batch_end(record)
    if end is not None:
        changed["Result"] = json.dumps(
            {
                "totalCount": end.started_total,
                "completionReason": end.completion_reason.value,
                "startedIndexes": sorted(end.started_indexes),
            }
        )
    return {**record, "Status": "SUCCEEDED", "ContextDetails": changed}


def had_failed(record: Record) -> bool:
    """Whether `reopened` has made this record of one of a context that failed."""
    return record.get("Status") == "SUCCEEDED" and bool((record.get("ContextDetails") or {}).get("Error"))


def reopened(records: Sequence[Record], shut: Collection[str] = ()) -> list[Record] | None:
    """The history in which every context that has ended is entered again for its children; None if there is none.

    The record of one that failed keeps its error, which the body is to raise once more.

    Args:
        records: The history.
        shut: Ids of failed contexts that are not entered.
    """
    parents = {record.get("ParentId") for record in records}
    changed = False
    result: list[Record] = []
    for record in records:
        if record["Type"] == "CONTEXT" and record["Id"] in parents and _may_be_entered(record, shut):
            result.append(entered_again(record))
            changed = True
        else:
            result.append(record)
    return result if changed else None


def _may_be_entered(record: Record, shut: Collection[str]) -> bool:
    details = record.get("ContextDetails") or {}
    if record.get("Status") == "FAILED":
        # How a batch ended is told by its result, which one that failed has not.
        return bool(details.get("Error")) and record["Id"] not in shut and record.get("SubType") not in BATCHES
    return record.get("Status") == "SUCCEEDED" and not details.get("ReplayChildren")
