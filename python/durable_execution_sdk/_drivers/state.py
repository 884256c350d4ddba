"""What all contexts of one invocation share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from durable_execution_sdk._core import Journal, Record
from durable_execution_sdk._drivers.commit import GroupCommit
from durable_execution_sdk._drivers.hooks import Hooks
from durable_execution_sdk._drivers.pool import BRANCH_THREADS, BranchPool
from durable_execution_sdk._drivers.ports import Clock
from durable_execution_sdk._model.homes import public
from durable_execution_sdk._model.signals import SuspendExecution, TimedSuspendExecution
from durable_execution_sdk._model.updates import OperationIdentifier, OperationUpdate
from durable_execution_sdk._operations.child import ChildOperation, KeptChildren
from durable_execution_sdk._operations.identity import require_same

GUARD_BAND_MS = 2_000
"""No user code starts when the Lambda deadline is nearer than this, or than a tenth of the time given if less."""


@public("state")
class ExecutionState:
    """One invocation's history, outbox, clock and plugins. Shared by all its contexts and threads."""

    __slots__ = (
        "_band_ms",
        "_remaining_ms",
        "branch_pool",
        "clock",
        "commit",
        "durable_execution_arn",
        "hooks",
        "journal",
        "kept_children",
        "out_of_time",
    )

    def __init__(
        self,
        arn: str,
        journal: Journal,
        commit: GroupCommit,
        clock: Clock,
        hooks: Hooks | None,
        lambda_context: Any,
        branch_threads: int = BRANCH_THREADS,
        kept_children: KeptChildren | None = None,
    ) -> None:
        self.durable_execution_arn = arn
        self.journal = journal
        self.commit = commit
        self.clock = clock
        self.hooks = hooks
        self.kept_children = kept_children
        self.out_of_time = False
        self.branch_pool = BranchPool(branch_threads)
        self._remaining_ms: Callable[[], Any] | None = getattr(lambda_context, "get_remaining_time_in_millis", None)
        self._band_ms = 0.0
        given = self._time_left_ms()
        if given is None or given <= 0:
            self._remaining_ms = None
        else:
            self._band_ms = min(GUARD_BAND_MS, given / 10)

    # --- records ---

    def recall(
        self, identity: OperationIdentifier, position: int | None = None, *, is_virtual: bool = False
    ) -> Record | None:
        """What is recorded at this place, after checking that the code attempts the same."""
        hooks = self.hooks
        if hooks is not None:
            hooks.operation_attempted(identity, is_virtual)
        record = self.journal.find(identity.operation_id)
        if record is not None:
            require_same(identity, record, position)
            if hooks is not None:
                hooks.operation_met(record)
        return record

    def seek(self, identity: OperationIdentifier, *, is_virtual: bool = False) -> Record | None:
        """What is recorded at this place, whatever that is."""
        if self.hooks is not None:
            self.hooks.operation_attempted(identity, is_virtual)
        return self.journal.find(identity.operation_id)

    def child_operation(self, identity: OperationIdentifier, *, is_virtual: bool = False) -> ChildOperation:
        """A context, which keeps its children if those of its level do."""
        kept = self.kept_children
        return ChildOperation(identity, is_virtual, kept is not None and not is_virtual and kept.keeps(identity))

    def announce(self, update: OperationUpdate, *, confirm: bool) -> None:
        """Queue a START; `confirm`: until it is acknowledged."""
        if self.hooks is not None:
            self.hooks.operation_starting(update)
        if confirm:
            self.commit.commit(update)
        else:
            self.commit.submit(update)

    # --- the deadline ---

    def require_time(self) -> None:
        """Called before user code starts.

        Raises:
            SuspendExecution: The Lambda deadline is too near.
        """
        if self._remaining_ms is not None and (left := self._time_left_ms()) is not None and left <= self._band_ms:
            self.out_of_time = True
            raise SuspendExecution(f"{left} ms before the Lambda deadline: no user code is started any more")

    def seconds_to_guard_band(self) -> float | None:
        """How long an invocation may stay alive for what is outside; None without a deadline."""
        left_ms = self._time_left_ms()
        return None if left_ms is None else (left_ms - min(GUARD_BAND_MS, left_ms / 10)) / 1000

    def _time_left_ms(self) -> float | None:
        if self._remaining_ms is None:
            return None
        try:
            left = self._remaining_ms()
        except Exception:  # a context object that cannot tell the time has no deadline
            return None
        return left if isinstance(left, int | float) and not isinstance(left, bool) else None

    # --- the end ---

    def is_something_pending(self) -> bool:
        """Whether the service will have news for this execution by itself."""
        return self.journal.has_pending_operations


def park(due_ms: int | None, what: str) -> NoReturn:
    """Suspend until `due_ms`, or until the service has news."""
    if due_ms is None:
        raise SuspendExecution(f"{what} is waiting")
    raise TimedSuspendExecution(f"{what} is waiting until {due_ms} ms since the epoch", due_ms / 1000)
