"""A first look at a history: clean beyond doubt, or worth a close look.

Most histories of a check are clean, and a close look costs many times what the invocation itself does, for it follows
every operation. A glance lets the replay lane answer and only counts: where the code asked for as many recorded
operations as there are to ask for, none of them another than recorded, and ended, nothing else can have happened. All
that is not that plain is left to the close look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from durable_execution_sdk._core import MISS, Record, Scope, operation_id
from durable_execution_sdk._drivers.hooks import InvocationFacts, Lane
from durable_execution_sdk._drivers.invocation import DurableFunction
from durable_execution_sdk._model.completion import CompletionReason
from durable_execution_sdk._model.enums import OperationType
from durable_execution_sdk._model.signals import Withheld
from durable_execution_sdk._model.updates import OperationIdentifier, OperationUpdate
from durable_execution_sdk._operations.batch import BatchOperation
from durable_execution_sdk.replay.comparing import batch_end
from durable_execution_sdk.replay.histories import History
from durable_execution_sdk.replay.offline import Nowhere, event_of, offline

_NOTHING: Final = nullcontext()
_ENDED: Final = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "CANCELLED", "STOPPED"})


@dataclass(frozen=True, slots=True)
class Clean:
    """Everything agrees: how many operations were asked for, and the id of the last."""

    agreed: int
    last: str


def glance(handler: Callable[..., Any], history: History) -> Clean | None:
    """Replay a history; None if it is not clean beyond doubt.

    Args:
        handler: The result of `@durable_execution`.
        history: Those of executions that have not ended, that failed, or that hold no payloads need a close look.
    """
    if not history.complete or history.failed or not history.payloads:
        return None
    durable: DurableFunction = handler.__durable__  # type: ignore[attr-defined]  # the decorator sets it
    seen = GlanceHooks(history.operations)
    probe = DurableFunction(durable.handler, seen.opened)
    with offline:
        try:
            status = probe.invoke(event_of(history), None, Nowhere())["Status"]
        except Exception:
            return None
    if status != "SUCCEEDED" or seen.withheld or seen.differs:
        return None
    agreed = len(seen.asked)
    return Clean(agreed, seen.last) if agreed == _to_ask_for(history.operations) else None


def _to_ask_for(records: Sequence[Mapping[str, Any]]) -> int:
    """How many operations a replay asks for: not those inside contexts that have ended and are not entered again."""
    shut: set[str | None] = set()
    count = -1  # the execution itself
    for record in records:
        if record.get("ParentId") in shut:
            if record["Type"] == "CONTEXT":
                shut.add(record["Id"])
            continue
        count += 1
        if record["Type"] == "CONTEXT" and record.get("Status") in _ENDED:
            details = record.get("ContextDetails")
            if not (details and details.get("ReplayChildren")):
                shut.add(record["Id"])
    return count


class _Lane:
    """The replay lane of one scope, which notes where it answered."""

    __slots__ = ("replay_child", "replay_condition", "replay_invoke", "replay_step", "replay_wait")

    def __init__(self, scope: Scope, note: Callable[[tuple[Scope, int]], None]) -> None:
        def noting(answer: Callable[[str | None], Any]) -> Callable[[str | None], Any]:
            def replay(name: str | None) -> Any:
                value = answer(name)
                if value is not MISS:
                    note((scope, scope.position))
                return value

            return replay

        self.replay_step = noting(scope.replay_step)
        self.replay_condition = noting(scope.replay_condition)
        self.replay_wait = noting(scope.replay_wait)
        self.replay_child = noting(scope.replay_child)
        self.replay_invoke = noting(scope.replay_invoke)


class GlanceHooks:
    """Hooks that count what is asked for, and let nothing begin."""

    def __init__(self, records: Sequence[Mapping[str, Any]]) -> None:
        self._records = records
        self._by_id: dict[str, Mapping[str, Any]] | None = None
        self._attempted: set[str] = set()
        self.asked: list[str | tuple[Scope, int]] = []
        """What is recorded and was asked for, each once: its id, or the scope whose lane answered, and its place."""
        self.differs = False
        self.withheld = False

    @property
    def last(self) -> str:
        """The id of what was asked for last; that of the execution if nothing was."""
        if not self.asked:
            return str(self._records[0]["Id"])
        at = self.asked[-1]
        return at if isinstance(at, str) else operation_id(at[0].prefix, at[1])

    def opened(self, _: InvocationFacts) -> GlanceHooks:
        """These are the hooks of the invocation."""
        return self

    def _known(self) -> Mapping[str, Mapping[str, Any]]:
        if self._by_id is None:
            self._by_id = {record["Id"]: record for record in self._records}
        return self._by_id

    def lane(self, scope: Scope) -> Lane | None:
        """The scope's own, counted."""
        return _Lane(scope, self.asked.append)

    def invocation_started(self) -> None:
        """Nothing to note."""

    def invocation_ended(self, output: Mapping[str, Any] | None, error: BaseException | None) -> None:
        """Nothing to note."""

    def around_invocation(self) -> AbstractContextManager[None]:
        """Nothing is around it."""
        return _NOTHING

    def operation_attempted(self, identity: OperationIdentifier, is_virtual: bool) -> None:
        """Compare it with what is recorded there, once."""
        here = identity.operation_id
        if here in self._attempted:
            return
        self._attempted.add(here)
        record = self._known().get(here)
        if record is None:
            return
        if (
            not is_virtual
            and record["Type"] == identity.operation_type.value
            and (record.get("SubType") or "") == (identity.sub_type or "")
            and (record.get("Name") or "") == (identity.name or "")
            and (record.get("ParentId") or "") == (identity.parent_id or "")
        ):
            self.asked.append(here)
        else:
            self.differs = True

    def batch_entered(self, batch: BatchOperation) -> None:
        """More branches than have run are worth a close look; fewer show, for fewer operations are asked for."""
        record = self._known().get(batch.identity.operation_id)
        end = None if record is None else batch_end(record)
        whole = end is not None and end.completion_reason is CompletionReason.ALL_COMPLETED
        if end is not None and whole and batch.total != end.started_total:
            self.differs = True

    def task_scope_opened(self, prefix: str, creator: str | None, qualname: str, ordinal: int) -> None:
        """Nothing to note."""

    def operation_met(self, record: Record) -> None:
        """It was attempted before."""

    def operation_starting(self, update: OperationUpdate) -> None:
        """Nothing may start."""
        self._withhold()

    def operation_ended(self, operation_id: str) -> None:
        """Nothing to note."""

    def scope_ended(self, identity: OperationIdentifier, error: Exception | None, replayed: bool) -> None:
        """Nothing to note."""

    def around_body(
        self, identity: OperationIdentifier, attempt: int | None, reconstruct: bool
    ) -> AbstractContextManager[None]:
        """Contexts are entered, bodies of operations are not."""
        if identity.operation_type is not OperationType.CONTEXT:
            self._withhold()
        return _NOTHING

    def records_changed(self, operation_ids: Sequence[str]) -> None:
        """Nothing to note."""

    def trace_header(self, identity: OperationIdentifier, function_name: str) -> str | None:
        """None: nothing is invoked."""
        return None

    def log_fields(self) -> Mapping[str, object]:
        """None: nothing is logged."""
        return {}

    def branch_context(self) -> AbstractContextManager[None]:
        """Nothing is around a branch."""
        return _NOTHING

    def _withhold(self) -> NoReturn:
        self.withheld = True
        raise Withheld("the history ends here")


__all__ = ["Clean", "GlanceHooks", "glance"]
