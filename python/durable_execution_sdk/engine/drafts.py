"""The working copy of one transition, and the steps that several transitions share."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final, Protocol

from durable_execution_sdk.engine.records import (
    CALLBACK,
    CANCELLED,
    CHAINED_INVOKE,
    CONTEXT,
    EXECUTION,
    FAILED,
    STEP,
    STOPPED,
    SUCCEEDED,
    TIMED_OUT,
    WAIT,
    Change,
    Command,
    Ended,
    EventRecord,
    ExecutionRecord,
    OperationRecord,
    TellParent,
)

_EVENT_PREFIX: Final = {
    CONTEXT: "Context",
    STEP: "Step",
    WAIT: "Wait",
    CALLBACK: "Callback",
    CHAINED_INVOKE: "ChainedInvoke",
    EXECUTION: "Execution",
}
_EVENT_SUFFIX: Final = {
    SUCCEEDED: "Succeeded",
    FAILED: "Failed",
    TIMED_OUT: "TimedOut",
    STOPPED: "Stopped",
    CANCELLED: "Cancelled",
}


class View(Protocol):
    """Reads the operations of one execution as they were before the transition."""

    def operation(self, operation_id: str) -> OperationRecord | None:
        """The operation of that id."""

    def due(self, now_ms: int) -> Iterable[OperationRecord]:
        """Operations whose timer has come, in order of (due time, position)."""


class Draft:
    """The working copy of one transition: reads through to the view, collects what changes."""

    def __init__(self, execution: ExecutionRecord, view: View, now_ms: int) -> None:
        self.execution = execution
        self.now_ms = now_ms
        self._view = view
        self._operations: dict[str, OperationRecord] = {}
        self._events: list[EventRecord] = []
        self._commands: list[Command] = []
        self._hidden: list[str] = []
        self._version = execution.version
        self._served_version = execution.served_version
        self._created = execution.operations
        self._finished = execution.finished
        self._pending = execution.pending
        self._last_end_ms = execution.last_end_ms

    def operation(self, operation_id: str) -> OperationRecord | None:
        changed = self._operations.get(operation_id)
        return changed if changed is not None else self._view.operation(operation_id)

    def next_position(self) -> int:
        self._created += 1
        return self._created

    def end_stamp(self) -> int:
        self._last_end_ms = max(self.now_ms, self._last_end_ms + 1)
        return self._last_end_ms

    def put(self, record: OperationRecord, *, served: bool = False) -> OperationRecord:
        """Keep a new or changed record; `served` if the change is not the handler's own."""
        before = self.operation(record.operation_id)
        self._version += 1
        if served:
            self._served_version = self._version
            record = replace(record, changed=self._version, served=self._version)
        else:
            record = replace(record, changed=self._version)
        if record.operation_type != EXECUTION:
            self._pending += record.is_pending - (before is not None and before.is_pending)
            self._finished += record.is_terminal - (before is not None and before.is_terminal)
        self._operations[record.operation_id] = record
        return record

    def hide_below(self, context_id: str) -> None:
        """What lies below a finished context is no longer sent to handlers; the store marks it."""
        self._hidden.append(context_id)

    def event(
        self,
        event_type: str,
        operation_id: str,
        details: dict[str, object] | None = None,
        *,
        payload: str | None = None,
        error: str | None = None,
        recorded: bool = False,
    ) -> None:
        event_id = self.execution.events + len(self._events) + 1
        self._events.append(
            EventRecord(event_id, event_type, self.now_ms, operation_id, details or {}, payload, error, recorded)
        )

    def command(self, command: Command) -> None:
        self._commands.append(command)

    def set(self, **changes: Any) -> None:
        self.execution = replace(self.execution, **changes)

    def wake(self) -> None:
        """Something happened that a handler may be waiting for."""
        if not self.execution.in_flight:
            self.set(invoke_at_ms=self.now_ms)

    @property
    def version(self) -> int:
        return self._version

    @property
    def pending(self) -> int:
        return self._pending

    @property
    def served_version(self) -> int:
        return self._served_version

    def change(self) -> Change:
        execution = replace(
            self.execution,
            version=self._version,
            served_version=self._served_version,
            operations=self._created,
            finished=self._finished,
            pending=self._pending,
            last_end_ms=self._last_end_ms,
            events=self.execution.events + len(self._events),
            updated_ms=max(self.now_ms, self.execution.updated_ms),
        )
        return Change(
            execution,
            tuple(self._operations.values()),
            tuple(self._events),
            tuple(self._commands),
            tuple(self._hidden),
        )


def finish(
    draft: Draft,
    record: OperationRecord,
    status: str,
    result: str | None,
    error: str | None,
    retry: dict[str, object] | None = None,
    *,
    served: bool = False,
) -> None:
    details: dict[str, object] = {} if retry is None else {"RetryDetails": retry}
    if record.operation_type == WAIT and record.scheduled_end_ms is not None:
        details["Duration"] = in_seconds(record.scheduled_end_ms - record.start_ms)
    draft.put(
        replace(record, status=status, end_ms=draft.end_stamp(), due_ms=None, result=result, error=error),
        served=served,
    )
    event_type = _EVENT_PREFIX[record.operation_type] + _EVENT_SUFFIX[status]
    draft.event(event_type, record.operation_id, details, error=error, recorded=result is not None)


def end(draft: Draft, outcome: Ended) -> None:
    """End the execution: no invocation, timer or callback changes it any more."""
    execution = draft.execution
    record = draft.operation(execution.execution_id)
    if record is not None:
        finish(draft, record, outcome.status, outcome.result, outcome.error)
    draft.set(status=outcome.status, end_ms=draft.now_ms, invoke_at_ms=None, pause_ms=None)
    if execution.parent_execution_id is not None and execution.parent_operation_id is not None:
        draft.command(TellParent(execution.parent_execution_id, execution.parent_operation_id, outcome))


def callback_due(timeout_due_ms: int | None, heartbeat_ms: int, now_ms: int) -> int | None:
    due = [at for at in (timeout_due_ms, now_ms + heartbeat_ms if heartbeat_ms else None) if at is not None]
    return min(due) if due else None


def in_seconds(duration_ms: int) -> int | float:
    return duration_ms // 1000 if duration_ms % 1000 == 0 else duration_ms / 1000


def error_of(error_type: str, message: str) -> str:
    return json.dumps({"ErrorMessage": message, "ErrorType": error_type}, separators=(",", ":"))
