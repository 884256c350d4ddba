"""What is recorded of a batch whose result is too large to be kept: how it ended, branch by branch.

The format is that of the official SDK 3.0.0, key order included:

    {"type": "MapResult", "totalCount": 3, "completionReason": "ALL_COMPLETED", "startedIndexes": [], "startedCount": 0,
     "successCount": 3, "failureCount": 0, "status": "SUCCEEDED", "summary": "..."}

Branches are admitted in index order, so those that were started are the indexes below `totalCount`. The shorter of
`startedIndexes` (had not ended) and `completedIndexes` is written. `summary` is the user's text, if there is one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from durable_execution_sdk._model.batch import BatchResult
from durable_execution_sdk._model.completion import BatchItemStatus, CompletionReason
from durable_execution_sdk._model.homes import public


@public("concurrency.models")
@dataclass(frozen=True)
class CompletionRecord:
    """How a batch ended, as far as its branches' own records do not tell.

    Attributes:
        completion_reason: Why it ended.
        started_total: How many branches were started: those with a lower index.
        started_indexes: Which of them had not ended.
    """

    completion_reason: CompletionReason
    started_total: int
    started_indexes: frozenset[int]

    @classmethod
    def from_summary_payload(cls, payload: str | None) -> CompletionRecord | None:
        """Read a recorded summary; None where it is missing or not of this form."""
        try:
            data = json.loads(payload or "null")
        except (ValueError, TypeError, RecursionError):
            return None
        if not isinstance(data, dict):
            return None
        total: Any = data.get("totalCount")
        if not _is_whole(total) or total < 0:
            return None
        try:
            reason = CompletionReason(data.get("completionReason"))
        except ValueError:
            return None
        started: Any = data.get("startedIndexes")
        completed: Any = data.get("completedIndexes")
        if _are_indexes(started, total):
            return cls(reason, total, frozenset(started))
        if not isinstance(started, list) and _are_indexes(completed, total):
            return cls(reason, total, frozenset(range(total)).difference(completed))
        return None

    @classmethod
    def from_result(cls, result: object) -> CompletionRecord | None:
        """Of a batch that is recorded with its whole result, and is gone through again for the sake of its children."""
        if not issubclass(type(result), BatchResult):  # asked of the type: what stands for a payload is not looked at
            return None
        batch: BatchResult[Any] = result  # type: ignore[assignment]  # see above
        started = frozenset(item.index for item in batch.all if item.status is BatchItemStatus.STARTED)
        return cls(batch.completion_reason, max((item.index + 1 for item in batch.all), default=0), started)

    @staticmethod
    def summary_envelope(result: BatchResult[Any], result_type: str, summary: str | None) -> str:
        """Write a summary."""
        started = [item.index for item in result.all if item.status is BatchItemStatus.STARTED]
        completed = [item.index for item in result.all if item.status is not BatchItemStatus.STARTED]
        shorter: dict[str, Any] = (
            {"startedIndexes": started} if len(started) <= len(completed) else {"completedIndexes": completed}
        )
        record = {
            "type": result_type,
            "totalCount": result.total_count,
            "completionReason": result.completion_reason.value,
            **shorter,
            "startedCount": result.started_count,
            "successCount": result.success_count,
            "failureCount": result.failure_count,
            "status": result.status.value,
        }
        if summary is not None:
            record["summary"] = str(summary)
        return json.dumps(record)


def summary_writer(sub_type: str, summarise: Callable[[Any], str] | None) -> Callable[[BatchResult[Any]], str]:
    """What a batch of that subtype records of a large result; `summarise` is the user's and may raise."""

    def write(result: BatchResult[Any]) -> str:
        summary = None if summarise is None else summarise(result)
        return CompletionRecord.summary_envelope(result, f"{sub_type}Result", summary)

    return write


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _are_indexes(value: Any, total: int) -> bool:
    return isinstance(value, list) and all(_is_whole(index) and 0 <= index < total for index in value)
