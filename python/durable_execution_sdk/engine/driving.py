"""What drives executions asks here: what is next, the input of an invocation, and what its end means."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any, TypeAlias

from durable_execution_sdk.engine import transitions, wire
from durable_execution_sdk.engine.commits import Commits, StoredView
from durable_execution_sdk.engine.drafts import error_of
from durable_execution_sdk.engine.records import PLAIN, Abandoned, ExecutionRecord, InvocationOutcome
from durable_execution_sdk.engine.service import cut_page, token_of
from durable_execution_sdk.engine.store import Transaction


@dataclass(frozen=True, slots=True)
class Done:
    """The execution has ended."""

    execution: ExecutionRecord


@dataclass(frozen=True, slots=True)
class Invoke:
    """The handler is to be invoked now."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before that time, or before something changes."""

    execution: ExecutionRecord
    due_ms: int | None


Action: TypeAlias = Done | Invoke | Wait


@dataclass(frozen=True, slots=True)
class Begun:
    """An invocation that has begun: what the handler gets."""

    execution: ExecutionRecord
    event: dict[str, Any]
    request_id: str
    plain_input: str | None = None
    """The input of a function that is not durable, which gets that and no event."""


class Driving:
    """The life of executions between their invocations. Whoever calls it holds the execution's lock."""

    def __init__(self, commits: Commits) -> None:
        self._commits = commits

    def next_action(self, execution_id: str) -> Action:
        """What is to be done for an execution now; timers that are due are fired on the way."""
        now_ms = self._commits.clock.now_ms()
        with self._commits.store.read() as transaction:
            execution = self._commits.existing(transaction, execution_id)
            due_ms = _next_due(transaction, execution)
        if due_ms is not None and due_ms <= now_ms:
            with self._commits.writing() as transaction:
                execution = self._commits.fire(transaction, execution_id, now_ms)
                due_ms = _next_due(transaction, execution)
        if execution.is_terminal:
            return Done(execution)
        if execution.is_paused:
            return Wait(execution, due_ms)
        if execution.invoke_at_ms is None:
            return Wait(execution, due_ms)
        if execution.invoke_at_ms <= now_ms:
            return Invoke()
        return Wait(execution, min(execution.invoke_at_ms, due_ms) if due_ms is not None else execution.invoke_at_ms)

    def take_over(self, execution_id: str) -> ExecutionRecord:
        """Become the driver: an invocation that the last driver left open is given up, which is no failure of it."""
        now_ms = self._commits.clock.now_ms()
        with self._commits.writing() as transaction:
            execution = self._commits.existing(transaction, execution_id)
            if execution.in_flight and not execution.is_terminal:
                error = Abandoned(error_of("Runtime.ExitError", "The engine stopped during the invocation."))
                view = StoredView(transaction, execution_id)
                change = transitions.end_invocation(execution, view, error, now_ms)
                self._commits.apply(transaction, change)
                execution = change.execution
            return execution

    def begin(self, execution_id: str) -> Begun:
        """Begin an invocation; what its handler is to be given.

        Raises:
            ResourceConflict: One is in flight, or the execution has ended or is paused.
        """
        now_ms = self._commits.clock.now_ms()
        request_id = str(uuid.uuid4())
        with self._commits.writing() as transaction:
            execution = self._commits.existing(transaction, execution_id)
            updated = [
                record.operation_id
                for record in transaction.served(execution_id, execution.delivered)
                if not record.hidden
            ]
            view = StoredView(transaction, execution_id)
            change = transitions.begin_invocation(execution, view, request_id, now_ms)
            self._commits.apply(transaction, change)
            records = transaction.operations(execution_id, -1, hidden=False)
            page, marker = cut_page(records, "o", None)
            state: dict[str, Any] = {"Operations": [wire.operation_dict(record) for record in page]}
            if marker is not None:
                state["NextMarker"] = marker
        event = {
            "DurableExecutionArn": execution.arn,
            "CheckpointToken": token_of(change.execution),
            "InitialExecutionState": state,
            "UpdatedOperationIds": updated,
        }
        plain_input = page[0].payload if execution.kind == PLAIN else None
        return Begun(change.execution, event, request_id, plain_input)

    def finish(self, execution_id: str, outcome: InvocationOutcome) -> ExecutionRecord:
        """End an invocation, in whatever way it came out."""
        now_ms = self._commits.clock.now_ms()
        with self._commits.writing() as transaction:
            execution = self._commits.fire(transaction, execution_id, now_ms)
            change = transitions.end_invocation(execution, StoredView(transaction, execution_id), outcome, now_ms)
            self._commits.apply(transaction, change)
            self._commits.release_children(transaction, execution_id, now_ms)
            return change.execution


def _next_due(transaction: Transaction, execution: ExecutionRecord) -> int | None:
    if execution.is_terminal:
        return None
    due = [] if (first := transaction.next_due_ms(execution.execution_id)) is None else [first]
    frozen = execution.is_paused and execution.pause_stops_timeout
    if execution.timeout_due_ms is not None and not frozen:
        due.append(execution.timeout_due_ms)
    return min(due, default=None)
