"""What identifies an operation, and how its record says that a replay is to go through it again. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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
    """The record of a context that succeeded, so that a replay runs over what is in it.

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
    return {**record, "ContextDetails": changed}


def reopened(records: Sequence[Record]) -> list[Record] | None:
    """The history in which every context that succeeded is entered again for its children; None if there is none."""
    parents = {record.get("ParentId") for record in records}
    changed = False
    result: list[Record] = []
    for record in records:
        details = record.get("ContextDetails") or {}
        inner = record["Type"] == "CONTEXT" and record.get("Status") == "SUCCEEDED" and record["Id"] in parents
        if inner and not details.get("ReplayChildren"):
            result.append(entered_again(record))
            changed = True
        else:
            result.append(record)
    return result if changed else None
