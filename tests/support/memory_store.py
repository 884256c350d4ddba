"""A store of plain dictionaries, slow and obvious: the oracle that the SQLite store is compared with."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from durable_execution_sdk.engine.records import Change, EventRecord, ExecutionRecord, LoggedEvent, OperationRecord
from durable_execution_sdk.engine.store import Selection, Transaction

_INPUT_EVENTS = frozenset({"ExecutionStarted", "ChainedInvokeStarted"})


class MemoryStore:
    """Keeps executions in this process, as long as it lives. Same interface as `SqliteStore`."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._executions: dict[str, ExecutionRecord] = {}
        self._operations: dict[str, dict[str, OperationRecord]] = {}
        self._events: dict[str, list[EventRecord]] = {}

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        with self._lock:
            yield _MemoryTransaction(self._executions, self._operations, self._events)

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        with self._lock:
            before = (
                dict(self._executions),
                {key: dict(records) for key, records in self._operations.items()},
                {key: list(events) for key, events in self._events.items()},
            )
            try:
                yield _MemoryTransaction(self._executions, self._operations, self._events)
            except BaseException:
                self._executions, self._operations, self._events = before
                raise

    def changed_elsewhere(self) -> bool:
        return False

    def latest_ms(self) -> int:
        with self._lock:
            return max((execution.updated_ms for execution in self._executions.values()), default=0)

    def close(self) -> None:
        """Nothing to release."""


class _MemoryTransaction:
    def __init__(
        self,
        executions: dict[str, ExecutionRecord],
        operations: dict[str, dict[str, OperationRecord]],
        events: dict[str, list[EventRecord]],
    ) -> None:
        self._executions = executions
        self._operations = operations
        self._events = events

    def execution(self, execution_id: str) -> ExecutionRecord | None:
        return self._executions.get(execution_id)

    def executions(self, selection: Selection) -> list[ExecutionRecord]:
        def wanted(execution: ExecutionRecord) -> bool:
            return (
                selection.function_name in {None, execution.function_name}
                and selection.name in {None, execution.name}
                and selection.kind in {None, execution.kind}
                and selection.parent_execution_id in {None, execution.parent_execution_id}
                and (not selection.top_level or execution.parent_execution_id is None)
                and (selection.statuses is None or execution.status in selection.statuses)
                and (selection.started_after_ms is None or execution.start_ms > selection.started_after_ms)
                and (selection.started_before_ms is None or execution.start_ms < selection.started_before_ms)
            )

        found = [execution for execution in self._executions.values() if wanted(execution)]
        if selection.newest_first:
            found.reverse()
        return found[selection.after : selection.after + selection.limit]

    def _all(self, execution_id: str) -> list[OperationRecord]:
        return list(self._operations.get(execution_id, {}).values())

    def operation(self, execution_id: str, operation_id: str) -> OperationRecord | None:
        return self._operations.get(execution_id, {}).get(operation_id)

    def operations(self, execution_id: str, after: int, *, hidden: bool) -> Iterator[OperationRecord]:
        found = (r for r in self._all(execution_id) if r.position > after and (hidden or not r.hidden))
        return iter(sorted(found, key=lambda record: record.position))

    def changes(self, execution_id: str, after: int) -> Iterator[OperationRecord]:
        found = (r for r in self._all(execution_id) if r.changed > after)
        return iter(sorted(found, key=lambda record: record.changed))

    def served(self, execution_id: str, after: int) -> Iterator[OperationRecord]:
        found = (r for r in self._all(execution_id) if r.served > after)
        return iter(sorted(found, key=lambda record: record.served))

    def due(self, execution_id: str, now_ms: int) -> list[OperationRecord]:
        found = [(r.due_ms, r.position, r) for r in self._all(execution_id) if r.due_ms is not None]
        return [record for due_ms, _, record in sorted(found, key=lambda item: item[:2]) if due_ms <= now_ms]

    def next_due_ms(self, execution_id: str) -> int | None:
        return min((r.due_ms for r in self._all(execution_id) if r.due_ms is not None), default=None)

    def events(self, execution_id: str, after: int, *, newest_first: bool = False) -> Iterator[LoggedEvent]:
        events = self._events.get(execution_id, [])
        for event in reversed(events[: after - 1 if after else None]) if newest_first else events[after:]:
            record = self._operations[execution_id][event.operation_id]
            recorded = record.payload if event.event_type in _INPUT_EVENTS else record.result
            payload = recorded if event.recorded else event.payload
            yield LoggedEvent(event, payload, record.name, record.sub_type, record.parent_id)

    def apply(self, change: Change) -> None:
        execution_id = change.execution.execution_id
        self._executions[execution_id] = change.execution
        records = self._operations.setdefault(execution_id, {})
        records.update((record.operation_id, record) for record in change.operations)
        self._events.setdefault(execution_id, []).extend(change.events)
        for context_id in change.hide_below:
            parents = {context_id}
            while parents:
                below = [r for r in records.values() if r.parent_id in parents and not r.hidden]
                records.update((r.operation_id, replace(r, hidden=True)) for r in below)
                parents = {r.operation_id for r in below}
