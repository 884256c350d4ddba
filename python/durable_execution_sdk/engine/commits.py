"""Writing what transitions decided: one short transaction each, and word of it afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from durable_execution_sdk.engine import transitions
from durable_execution_sdk.engine.clock import EngineClock
from durable_execution_sdk.engine.errors import ExecutionNotFound
from durable_execution_sdk.engine.records import Change, ExecutionRecord, OperationRecord, StartChild
from durable_execution_sdk.engine.store import Store, Transaction

CALLER_SUSPENDS_MS: Final = 100
"""How long the target of a chained invoke waits for its caller to suspend.

On Lambda a caller is suspended long before its target has started, and histories look like that. Targets in the same
process would win that race; a caller that goes on with other work holds them up no longer than this.
"""

FindFunction: TypeAlias = Callable[[str], tuple[str, str, str | None] | None]
"""Function name or ARN -> (registered name, kind, target), or None if there is no such function."""
OnChange: TypeAlias = Callable[[frozenset[str], frozenset[str]], None]
"""(executions that a commit touched, those that it made for chained invokes)"""


@dataclass(frozen=True, slots=True)
class StoredView:
    """The operations of one execution, as transitions look at them."""

    transaction: Transaction
    execution_id: str

    def operation(self, operation_id: str) -> OperationRecord | None:
        return self.transaction.operation(self.execution_id, operation_id)

    def due(self, now_ms: int) -> Iterable[OperationRecord]:
        return self.transaction.due(self.execution_id, now_ms)


class Commits:
    """Transactions on a store, with all that one execution's change entails for others in the same commit.

    Args:
        store: Where they are kept.
        clock: The time they go by.
        find_function: Finds the target of a chained invoke.
        on_change: Told after each commit which executions it touched, and which it made for chained invokes.
    """

    def __init__(
        self,
        store: Store,
        clock: EngineClock,
        find_function: FindFunction = lambda name: None,
        on_change: OnChange = lambda touched, started: None,
    ) -> None:
        self.store = store
        self.clock = clock
        self.find_function = find_function
        self.on_change = on_change
        self._held: dict[str, list[str]] = {}
        """Caller -> targets that it asked for in the invocation that is in flight."""
        self.local = threading.local()

    def writing(self) -> Writing:
        return Writing(self)

    def existing(self, transaction: Transaction, execution_id: str) -> ExecutionRecord:
        execution = transaction.execution(execution_id)
        if execution is None:
            raise ExecutionNotFound(f"There is no execution {execution_id!r} in this store.")
        return execution

    def fire(self, transaction: Transaction, execution_id: str, now_ms: int) -> ExecutionRecord:
        execution = self.existing(transaction, execution_id)
        if execution.is_terminal:
            return execution
        change = transitions.fire_timers(execution, StoredView(transaction, execution_id), now_ms)
        if change is None:
            return execution
        self.apply(transaction, change)
        return change.execution

    def apply(self, transaction: Transaction, change: Change) -> None:
        """Write a change, and what follows from it for other executions, in the same commit."""
        execution = change.execution
        transaction.apply(change)
        self.local.touched.add(execution.execution_id)
        for command in change.commands:
            if isinstance(command, StartChild):
                self._start_child(transaction, execution, command)
                continue
            parent = transaction.execution(command.parent_execution_id)
            if parent is None:
                continue
            told = transitions.end_invoke(
                parent,
                StoredView(transaction, parent.execution_id),
                command.parent_operation_id,
                command.outcome,
                self.clock.now_ms(),
            )
            if told is not None:
                self.apply(transaction, told)

    def _start_child(self, transaction: Transaction, parent: ExecutionRecord, command: StartChild) -> None:
        target = command.target
        found = self.find_function(target.function_name)
        child = ExecutionRecord(
            execution_id=target.execution_id,
            arn=target.arn,
            function_name=target.function_name,
            name=target.execution_id,
            start_ms=self.clock.now_ms(),
            kind=target.kind,
            target=None if found is None else found[2],
            parent_execution_id=parent.execution_id,
            parent_operation_id=command.operation_id,
            tenant_id=command.tenant_id,
        )
        transaction.apply(transitions.create(child, command.payload, CALLER_SUSPENDS_MS))
        self.local.started.add(child.execution_id)
        self._held.setdefault(parent.execution_id, []).append(child.execution_id)

    def release_children(self, transaction: Transaction, parent_execution_id: str, now_ms: int) -> None:
        """Let the targets of chained invokes start now: the invocation that asked for them is over."""
        for execution_id in self._held.pop(parent_execution_id, ()):
            child = transaction.execution(execution_id)
            if child is not None and child.invocation == 0 and child.invoke_at_ms is not None:
                self.apply(transaction, Change(replace(child, invoke_at_ms=min(child.invoke_at_ms, now_ms))))


class Writing:
    """A write transaction that tells, once it is committed, which executions it touched."""

    def __init__(self, commits: Commits) -> None:
        self._commits = commits
        self._inner = commits.store.write()

    def __enter__(self) -> Transaction:
        transaction = self._inner.__enter__()
        local = self._commits.local
        local.touched, local.started = set(), set()
        return transaction

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        local = self._commits.local
        touched, started = frozenset(local.touched), frozenset(local.started)
        self._inner.__exit__(kind, error, trace)
        if kind is None and touched:
            self._commits.on_change(touched, started)
