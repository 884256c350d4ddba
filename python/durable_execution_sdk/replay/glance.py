"""A first look at a history: clean beyond doubt, or worth a close look.

Most histories of a check are clean, and a close look costs many times what the invocation itself does, for it follows
every operation. A glance lets the replay lane answer and only counts: where the code asked for as many recorded
operations as there are to ask for, none of them another than recorded, and ended, nothing else can have happened. All
that is not that plain is left to the close look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from durable_execution_sdk._core import MISS, Scope, operation_id
from durable_execution_sdk._drivers.hooks import InvocationFacts, Lane
from durable_execution_sdk._drivers.invocation import DurableFunction
from durable_execution_sdk._model.completion import CompletionReason
from durable_execution_sdk._model.updates import OperationIdentifier
from durable_execution_sdk._operations.batch import BatchOperation
from durable_execution_sdk.replay.comparing import batch_end
from durable_execution_sdk.replay.histories import History
from durable_execution_sdk.replay.offline import Nowhere, Watch, event_of, offline

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
        except KeyboardInterrupt:
            raise
        except BaseException:  # whatever it is, the close look tells
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


class GlanceHooks(Watch):
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

    def stop_at(self, operation_id: str) -> NoReturn:
        self.withheld = True
        super().stop_at(operation_id)


__all__ = ["Clean", "GlanceHooks", "glance"]
