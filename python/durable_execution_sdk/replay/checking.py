"""Does a handler still do what a history holds? What it does first that is not in it, and what probably changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Final

from durable_execution_sdk._model.completion import CompletionReason
from durable_execution_sdk.replay.absence import check_the_rest, is_whole
from durable_execution_sdk.replay.aligning import Cause, relabelling
from durable_execution_sdk.replay.comparing import BATCHES, Record, batch_end, had_failed, reopened, shape_of
from durable_execution_sdk.replay.explaining import HINTS, TAIL, Finding, explain
from durable_execution_sdk.replay.glance import glance
from durable_execution_sdk.replay.histories import History, Unreadable
from durable_execution_sdk.replay.offline import Asked, Observed, divergence_in, observe, shape_asked, user_line
from durable_execution_sdk.replay.trees import RecordedTree

CLEAN: Final = "clean"
FRONTIER: Final = "frontier"
DIVERGED: Final = "diverged"
AMBIGUOUS: Final = "ambiguous"
FAILED: Final = "not checkable"
UNREADABLE: Final = "unreadable"

_OPEN: Final = frozenset({"STARTED", "PENDING", "READY"})
_INSIDE: Final = "inside a context that has ended here: harms executions that are in the middle of it"
_TAIL: Final = "the code ended without asking for it: removed at the end, or left behind by a race"


@dataclass(frozen=True, slots=True)
class Report:
    """What the check of one history found.

    Attributes:
        history: Its name.
        verdict: `clean`: replays to its end; `frontier`: agrees as far as it is recorded; `diverged`; `ambiguous`:
            recorded operations were not asked for, which a removed tail or an abandoned race both explain;
            `not checkable`; `unreadable`: what stands there is no history, and nothing was checked.
        agreed: How many recorded operations the code asked for and agreed with, inside
            contexts that have ended too, where the check has gone through those again.
        operations: How many are recorded.
        cause: renamed, inserted, removed, reordered, moved, type changed or subtype changed, if it diverged.
        recorded: The recorded operation.
        attempted: What the code asked for instead.
        position: Its number in its scope, from 1; of branches from 0.
        last_agreeing: The last operation before it that agreed.
        line: `file:line` of user code.
        frontier: What would have started or run, had the history not ended there: one for each task.
        hint: What that probably means, and the way out.
        note: More, in words; of what is unreadable the reason.
        payload: The recorded result of the operation, if it was asked for.
    """

    history: str
    verdict: str
    agreed: int
    operations: int
    cause: str | None = None
    recorded: str | None = None
    attempted: str | None = None
    position: int | None = None
    last_agreeing: str | None = None
    line: str | None = None
    frontier: tuple[str, ...] = ()
    hint: str | None = None
    note: str | None = None
    payload: str | None = None

    @property
    def ok(self) -> bool:
        """Whether executions with this history go on unharmed."""
        return self.verdict in {CLEAN, FRONTIER}

    def __str__(self) -> str:
        """As lines of text."""
        lines = [f"{self.history}: {self.verdict}" + (f" ({self.cause})" if self.cause else "")]
        rows = (
            ("agreed", f"{self.agreed} of {self.operations} recorded operations" if self.operations else None),
            ("recorded", self.recorded),
            ("attempted", self.attempted),
            ("position", self.position),
            ("agreed until", self.last_agreeing),
            ("at", self.line),
            ("frontier", "; ".join(self.frontier) or None),
            ("hint", self.hint),
            ("note", self.note),
            ("payload", self.payload),
        )
        return "\n".join([*lines, *(f"    {label}: {value}" for label, value in rows if value is not None)])

    def to_dict(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {key: value for key, value in asdict(self).items() if value is not None and value != ()}


def check(handler: Callable[..., Any], history: History | Unreadable, *, payloads: bool = False) -> Report:
    """Replay one history and compare; runs no step, sends nothing, refuses sockets.

    Args:
        handler: The result of `@durable_execution`.
        history: From `read`, `read_store` or made by hand.
        payloads: Whether the report holds the recorded result of the operation that diverged.

    Raises:
        TypeError: The handler is not decorated.

    Example:
        >>> for history in read(Path("histories")):  # doctest: +SKIP
        ...     assert check(handler, history).ok
    """
    if not hasattr(handler, "__durable__"):
        raise TypeError(f"{handler!r} is no durable handler: decorate it with @durable_execution.")
    if isinstance(history, Unreadable):
        return Report(history.name, UNREADABLE, 0, 0, note=history.why)
    if not is_whole(history):
        return check_the_rest(handler, history, partial(_whole, payloads=payloads), _not_checkable)
    return _whole(handler, history, payloads=payloads)


def _whole(handler: Callable[..., Any], history: History, *, payloads: bool = False) -> Report:
    return _clean(handler, history) or _closely(handler, history, payloads=payloads)


def _not_checkable(history: History, agreed: int, why: str, line: str | None) -> Report:
    return Report(history.name, FAILED, agreed, len(history.operations) - 1, note=why, line=line)


def _clean(handler: Callable[..., Any], history: History) -> Report | None:
    """The report, if a glance is enough: at the invocation, and into contexts that it need not enter again."""
    seen = glance(handler, history)
    if seen is None:
        return None
    records = history.operations
    inner = reopened(records)
    inside = seen if inner is None else glance(handler, replace(history, operations=inner))
    if inside is None:
        return None
    last = next((str(shape_of(record)) for record in reversed(records) if record["Id"] == seen.last), None)
    return Report(history.name, CLEAN, inside.agreed, len(records) - 1, last_agreeing=last if seen.agreed else None)


def _closely(handler: Callable[..., Any], history: History, *, payloads: bool = False) -> Report:
    seen = observe(handler, history)
    report = _judged(history, seen)
    if report.verdict == FAILED:
        return report
    if report.ok:
        found, agreed = _inside(handler, history)
        if found is None:
            return replace(report, agreed=max(report.agreed, agreed))
        note = f"{found.note}; {_INSIDE}" if found.note else _INSIDE
        report = replace(report, verdict=found.verdict, note=note, attempted=None, line=None, frontier=())
        if found.left is not None:
            return replace(report, cause="removed", recorded=str(shape_of(found.left)), hint=TAIL)
        return _with(report, explain(handler, history, found.failed), payloads=payloads)
    finding = explain(handler, history)
    if report.attempted is not None and (finding is None or finding.attempted is None):
        # Code that looked at what is not there, in a context that has ended, has shown nothing of what comes later.
        finding = explain(handler, history, again=False)
        finding = None if finding is None or finding.attempted is None else finding
    return _with(report, finding, payloads=payloads)


# --- what an invocation shows -----------------------------------------------------------------------------------------


def _judged(history: History, seen: Observed) -> Report:
    """The verdict, without what explains it."""
    shapes = {record["Id"]: shape_of(record) for record in history.operations}
    met = [here for here in dict.fromkeys(seen.met) if here in shapes]
    report = Report(
        history.name,
        CLEAN,
        len(met),
        len(history.operations) - 1,
        last_agreeing=str(shapes[met[-1]]) if met else None,
    )
    if seen.diverged:
        return _pointing_at(replace(report, verdict=DIVERGED), seen.diverged[0])
    error = divergence_in(seen.error)
    if error is not None:
        return replace(report, verdict=DIVERGED, line=user_line(error))
    if not history.payloads and seen.status in {"FAILED", "RAISED"}:
        return replace(report, verdict=FAILED, note="the history has no payloads, and the code reads one")
    if seen.error is not None and type(seen.error).__name__ == "SideEffectError":
        return replace(report, verdict=FAILED, note=str(seen.error), line=user_line(seen.error))
    if seen.status == "RAISED":
        return replace(report, verdict=FAILED, note=f"the invocation raises {type(seen.error).__name__}")
    if seen.status == "FAILED" and seen.error is not None and not history.failed:
        note = f"the handler raises {type(seen.error).__name__}, which the recorded execution did not"
        return replace(report, verdict=FAILED, note=note, line=user_line(seen.error))
    if seen.frontier:
        report = _at_frontier(history, report, seen)
    elif seen.status not in {"SUCCEEDED", "FAILED"}:
        report = replace(report, verdict=FRONTIER)
    return _unasked(history, report, seen) if report.ok else report


def _pointing_at(report: Report, at: Asked) -> Report:
    """What there is to say of it without any explanation."""
    now = shape_asked(at.identity)
    before = None if at.recorded is None else shape_of(at.recorded)
    cause = Cause.INSERTED if before is None or before == now else relabelling(before, now)
    recorded = None if before is None else str(before)
    return replace(report, recorded=recorded, attempted=str(now), line=at.line, cause=cause.value, hint=HINTS[cause])


def _at_frontier(history: History, report: Report, seen: Observed) -> Report:
    beyond = _beyond_the_end(history.operations, seen, complete=history.complete)
    if beyond is not None:
        at, where = beyond
        return _pointing_at(replace(report, verdict=DIVERGED, note=f"{where} ended before this operation"), at)
    reached = tuple(f"{shape_asked(at.identity)}{f' at {at.line}' if at.line else ''}" for at in seen.frontier)
    attempted = str(shape_asked(seen.frontier[0].identity))
    return replace(report, verdict=FRONTIER, attempted=attempted, frontier=reached, line=seen.frontier[0].line)


def _beyond_the_end(operations: Sequence[Record], seen: Observed, *, complete: bool) -> tuple[Asked, str] | None:
    """What was asked for in a scope that had ended without it."""
    known = {record["Id"]: record for record in operations}
    for at in seen.frontier:
        scope = known.get(at.identity.parent_id) if at.identity.parent_id else None
        if scope is not None:
            ended = scope.get("Status") == "SUCCEEDED" and not had_failed(scope)
        else:
            ended = complete and not at.identity.parent_id
        if ended and at.recorded is None:
            return at, str(shape_of(scope)) if scope is not None else "the recorded execution"
    return None


def _unasked(history: History, report: Report, seen: Observed) -> Report:
    """The report, unless what an invocation goes through holds operations that the code does not ask for.

    Also where the code waits: what is recorded was asked for before.
    """
    met = set(seen.met)
    entered = {
        record["Id"]
        for record in history.operations
        if record["Id"] in met and record.get("SubType") not in BATCHES and _is_gone_through(record)
    }
    left = (record for record in history.operations[1:] if record["Id"] not in met)
    lost = next((record for record in left if not record.get("ParentId") or record["ParentId"] in entered), None)
    lost = lost or _lost_branch(history.operations, seen)
    if lost is None:
        return report
    report = replace(report, attempted=None, line=None, frontier=())
    return replace(report, verdict=AMBIGUOUS, cause="removed", recorded=str(shape_of(lost)), note=_TAIL)


def _is_gone_through(context: Record) -> bool:
    return context.get("Status") in _OPEN or bool((context.get("ContextDetails") or {}).get("ReplayChildren"))


def _lost_branch(operations: Sequence[Record], seen: Observed) -> Record | None:
    """A recorded branch of an unfinished map or parallel that has fewer now."""
    known = {record["Id"]: record for record in operations}
    unfinished = {
        key: batch for key, batch in seen.branches.items() if key in known and known[key].get("Status") in _OPEN
    }
    for key, batch in unfinished.items():
        branches = {batch.branch_id(index) for index in range(batch.total)}
        for record in operations:
            if record.get("ParentId") == key and record["Id"] not in branches:
                return record
    return None


@dataclass(frozen=True, slots=True)
class _Inside:
    """What is wrong inside contexts that have ended.

    Attributes:
        verdict: On the history.
        note: More, in words.
        failed: Ids of contexts that failed and were gone through again.
        left: What is recorded in a context that failed, if the code does not fail there any more and asks for less.
    """

    verdict: str
    note: str = ""
    failed: Collection[str] = ()
    left: Record | None = None


def _inside(handler: Callable[..., Any], history: History) -> tuple[_Inside | None, int]:
    """What is wrong inside contexts that have ended, found by going through them again, and how many operations agreed.

    The code around a context that failed got its error. So one in which the code does not end in that error is left
    shut, and everything is gone through without it.
    """
    shut: set[str] = set()
    left: Record | None = None
    agreed = 0
    while (again := reopened(history.operations, shut)) is not None:
        seen = observe(handler, replace(history, operations=again))
        agreed = max(agreed, len(seen.agreed))
        if not seen.otherwise:
            found = _inside_as_recorded(history, again, seen)
            if found is not None:
                return found, agreed
            break
        returned = {key for key, by_returning in seen.otherwise.items() if by_returning}
        left = left or next(_unmet(again, seen, returned), None)
        shut |= seen.otherwise.keys()
    return (None if left is None else _Inside(AMBIGUOUS, _TAIL, left=left)), agreed


def _inside_as_recorded(history: History, again: Sequence[Record], seen: Observed) -> _Inside | None:
    failed = frozenset(record["Id"] for record in again if had_failed(record))
    if seen.diverged or divergence_in(seen.error) is not None:
        return _Inside(DIVERGED, failed=failed)
    beyond = _beyond_the_end(again, seen, complete=history.complete)
    if beyond is not None:
        return _Inside(DIVERGED, f"{beyond[1]} ended before this operation", failed)
    branches = _other_branches(again, seen)
    if branches is not None:
        return _Inside(DIVERGED, branches, failed)
    batches = {record["Id"] for record in again if record.get("SubType") in BATCHES}
    tail = next(_unmet(again, seen, seen.ended - batches), None)
    return None if tail is None else _Inside(AMBIGUOUS, _TAIL, failed)


def _unmet(operations: Sequence[Record], seen: Observed, scopes: Collection[str]) -> Iterator[Record]:
    """What has ended in these contexts and was not asked for."""
    met = set(seen.met)
    for record in operations:
        if record.get("ParentId") in scopes and record["Id"] not in met and record.get("Status") not in _OPEN:
            yield record


def _other_branches(operations: Sequence[Record], seen: Observed) -> str | None:
    """In words, how many branches a map or parallel that ended has now, if that is another number."""
    known = {record["Id"]: record for record in operations}
    tree = RecordedTree(operations)
    for key, batch in seen.branches.items():
        record, node = known.get(key), tree.nodes.get(key)
        if record is None or node is None or record.get("Status") != "SUCCEEDED":
            continue
        end = batch_end(record)
        before = end.started_total if end is not None else len(node.children)
        all_ran = end is not None and end.completion_reason is CompletionReason.ALL_COMPLETED
        if batch.total < before or (batch.total > before and all_ran):
            return f"it had {before} branches and has {batch.total}"
    return None


# --- what explains it -------------------------------------------------------------------------------------------------


def _with(report: Report, found: Finding | None, *, payloads: bool) -> Report:
    if found is None:
        return report
    if report.verdict == AMBIGUOUS and not found.is_tail:
        report = replace(report, verdict=DIVERGED, note=None)
    return replace(
        report,
        cause=found.cause,
        recorded=found.recorded,
        attempted=found.attempted,
        position=found.position,
        last_agreeing=found.last_agreeing,
        line=found.line or report.line,
        hint=found.hint,
        payload=found.payload if payloads else None,
    )


def summary(reports: Iterable[Report]) -> dict[str, int]:
    """How many histories there are of each verdict and cause."""
    return dict(sorted(Counter(map(group_of, reports)).items()))


def group_of(report: Report) -> str:
    """What a summary counts it as."""
    return f"{report.verdict}: {report.cause}" if report.cause else report.verdict


def check_all(handler: Callable[..., Any], histories: Iterable[History | Unreadable]) -> Sequence[Report]:
    """Check several, one after the other."""
    return [check(handler, history) for history in histories]
