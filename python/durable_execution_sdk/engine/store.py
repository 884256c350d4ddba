"""Where executions are kept: the interface of a store. `sqlite` implements it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from durable_execution_sdk.engine.records import Change, ExecutionRecord, LoggedEvent, OperationRecord


@dataclass(frozen=True, slots=True)
class Selection:
    """Which executions a listing wants, oldest first unless reversed."""

    function_name: str | None = None
    name: str | None = None
    statuses: frozenset[str] | None = None
    started_after_ms: int | None = None
    started_before_ms: int | None = None
    kind: str | None = None
    parent_execution_id: str | None = None
    top_level: bool = False
    """Only executions that no chained invoke made."""
    newest_first: bool = False
    after: int = 0
    """How many to pass over."""
    limit: int = 1000


class Transaction(Protocol):
    """Reads of one moment, and the writes that go with them."""

    def execution(self, execution_id: str) -> ExecutionRecord | None:
        """The execution of that id."""

    def executions(self, selection: Selection) -> list[ExecutionRecord]:
        """The executions of a selection."""

    def operation(self, execution_id: str, operation_id: str) -> OperationRecord | None:
        """One operation."""

    def operations(self, execution_id: str, after: int, *, hidden: bool) -> Iterator[OperationRecord]:
        """Operations with a position above `after`, in that order; `hidden` ones too, or not."""

    def changes(self, execution_id: str, after: int) -> Iterator[OperationRecord]:
        """Operations changed after that version, in order of change."""

    def served(self, execution_id: str, after: int) -> Iterator[OperationRecord]:
        """Operations that the service itself changed after that version, in order of change."""

    def due(self, execution_id: str, now_ms: int) -> list[OperationRecord]:
        """Operations whose timer has come, in order of (time, position)."""

    def next_due_ms(self, execution_id: str) -> int | None:
        """When the next timer of an operation comes."""

    def events(self, execution_id: str, after: int, *, newest_first: bool = False) -> Iterator[LoggedEvent]:
        """History events with an id above `after` (below, if reversed; 0 = from the newest)."""

    def apply(self, change: Change) -> None:
        """Write what a transition changed, the execution itself too if it is new."""


class Store(Protocol):
    """Keeps executions. One writer at a time; threads may share it."""

    def read(self) -> AbstractContextManager[Transaction]:
        """A transaction that only reads."""

    def write(self) -> AbstractContextManager[Transaction]:
        """A transaction; it is durable when the block is left, and undone if the block raises."""

    def changed_elsewhere(self) -> bool:
        """Whether another process (or another store object) has written since the last call."""

    def latest_ms(self) -> int:
        """The newest time at which anything changed; 0 for an empty store."""

    def close(self) -> None:
        """Release the file."""
