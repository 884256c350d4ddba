"""Does a handler still do what a history holds? What it does first that is not in it, and what probably changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from durable_execution_sdk._core import operation_id
from durable_execution_sdk._model.errors import NonDeterministicExecutionError
from durable_execution_sdk._model.updates import OperationIdentifier, OperationUpdate
from durable_execution_sdk.replay.absence import check_the_rest, is_whole
from durable_execution_sdk.replay.comparing import (
    Place,
    Record,
    Shape,
    places,
    renamed,
    reopened,
    shape_of,
    swapped,
    without,
)
from durable_execution_sdk.replay.glance import glance
from durable_execution_sdk.replay.histories import History
from durable_execution_sdk.replay.offline import Observed, divergence_in, observe, user_line

CLEAN: Final = "clean"
FRONTIER: Final = "frontier"
DIVERGED: Final = "diverged"
AMBIGUOUS: Final = "ambiguous"
FAILED: Final = "not checkable"


_OPEN: Final = frozenset({"STARTED", "PENDING", "READY"})
_BATCHES: Final = frozenset({"Map", "Parallel"})
_INSIDE: Final = "inside a context that has ended here: harms executions that are in the middle of it"


@dataclass(frozen=True, slots=True)
class Report:
    """What the check of one history found.

    Attributes:
        history: Its name.
        verdict: `clean`: replays to its end; `frontier`: agrees as far as it is recorded; `diverged`; `ambiguous`:
            recorded operations were not asked for, which a removed tail or an abandoned race both explain;
            `not checkable`.
        agreed: How many recorded operations the code asked for and agreed with.
        operations: How many are recorded.
        cause: renamed, inserted, removed, reordered or type changed, if it diverged.
        recorded: The recorded operation.
        attempted: What the code asked for instead.
        position: Its number in its scope, from 1.
        last_agreeing: The last operation before it that agreed.
        line: `file:line` of user code.
        note: More, in words; holds no payload.
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
    note: str | None = None

    @property
    def ok(self) -> bool:
        """Whether executions with this history go on unharmed."""
        return self.verdict in {CLEAN, FRONTIER}

    def to_dict(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {key: value for key, value in asdict(self).items() if value is not None}


def check(handler: Callable[..., Any], history: History) -> Report:
    """Replay one history and compare; runs no step, sends nothing, refuses sockets.

    Args:
        handler: The result of `@durable_execution`.
        history: From `read`, `read_store` or made by hand.

    Raises:
        TypeError: The handler is not decorated.

    Example:
        >>> for history in read(Path("histories")):  # doctest: +SKIP
        ...     assert check(handler, history).ok
    """
    if not hasattr(handler, "__durable__"):
        raise TypeError(f"{handler!r} is no durable handler: decorate it with @durable_execution.")
    if not is_whole(history):
        return check_the_rest(handler, history, _whole, _not_checkable)
    return _whole(handler, history)


def _whole(handler: Callable[..., Any], history: History) -> Report:
    return _clean(handler, history) or _closely(handler, history)


def _not_checkable(history: History, agreed: int, why: str, line: str | None) -> Report:
    return Report(history.name, FAILED, agreed, len(history.operations) - 1, note=why, line=line)


def _clean(handler: Callable[..., Any], history: History) -> Report | None:
    """The report, if a glance is enough: at the invocation, and into contexts that it need not enter again."""
    seen = glance(handler, history)
    if seen is None:
        return None
    records = history.operations
    inner = reopened(records)
    if inner is not None and glance(handler, replace(history, operations=inner)) is None:
        return None
    last = next((str(shape_of(record)) for record in reversed(records) if record["Id"] == seen.last), None)
    return Report(history.name, CLEAN, seen.agreed, len(records) - 1, last_agreeing=last if seen.agreed else None)


def _closely(handler: Callable[..., Any], history: History) -> Report:
    report = _check(handler, history)
    if not report.ok:
        return report
    inner = reopened(history.operations)
    if inner is None:
        return report
    # Entered again although it need not be, a context asks for less than is recorded wherever branches raced.
    deeper = _check(handler, replace(history, operations=inner), unasked=False)
    if deeper.verdict != DIVERGED:
        return report
    return replace(deeper, note=f"{deeper.note}; {_INSIDE}" if deeper.note else _INSIDE)


def _check(handler: Callable[..., Any], history: History, *, unasked: bool = True) -> Report:
    records = history.operations
    shapes = {record["Id"]: shape_of(record) for record in records}
    seen = observe(handler, history)
    met = [here for here in dict.fromkeys(seen.met) if here in shapes]
    last = str(shapes[met[-1]]) if met else None
    report = Report(history.name, CLEAN, len(met), len(records) - 1, last_agreeing=last)
    error = divergence_in(seen.error)
    if error is not None:
        return _diverged(handler, history, report, error)
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
        return _at_frontier(history, report, seen)
    if seen.status in {"SUCCEEDED", "FAILED"}:
        return _unasked(history, report, set(met)) if unasked else report
    return replace(report, verdict=FRONTIER)


def _at_frontier(history: History, report: Report, seen: Observed) -> Report:
    at = seen.frontier[0]
    attempted = str(_shape(at))
    known = {record["Id"]: record for record in history.operations}
    scope = known.get(at.parent_id) if at.parent_id else None
    ended = scope.get("Status") == "SUCCEEDED" if scope is not None else history.complete and not at.parent_id
    if ended and at.operation_id not in known:
        where = str(shape_of(scope)) if scope is not None else "the recorded execution"
        return replace(
            report, verdict=DIVERGED, cause="inserted", attempted=attempted, note=f"{where} ended before this operation"
        )
    return replace(report, verdict=FRONTIER, attempted=attempted)


def _shape(at: OperationIdentifier | OperationUpdate) -> Shape:
    return Shape(at.operation_type.value, str(at.sub_type or ""), at.name or "")


def _unasked(history: History, report: Report, met: set[str]) -> Report:
    entered = {
        record["Id"]
        for record in history.operations
        if record["Id"] in met
        and (record.get("ContextDetails") or {}).get("ReplayChildren")
        and record.get("SubType") not in _BATCHES
    }
    where = places(history.operations)
    for record in history.operations[1:]:
        parent = record.get("ParentId")
        if record["Id"] in met or (parent and (parent not in entered or record.get("Status") in _OPEN)):
            continue
        place = where.get(record["Id"])
        position = place.position if place is not None else None
        found = replace(report, cause="removed", recorded=str(shape_of(record)), position=position)
        later = [
            other
            for other in (where.get(here) for here in met)
            if place is not None and other is not None and other.prefix == place.prefix
        ]
        if place is not None and place.position and any(other.position > place.position for other in later):
            note = "the code went on after it, so the error of the divergence was raised there and swallowed"
            return replace(found, verdict=DIVERGED, note=note)
        note = "the code ended without asking for it: removed at the end, or left behind by a race"
        return replace(found, verdict=AMBIGUOUS, note=note)
    return report


def _diverged(
    handler: Callable[..., Any], history: History, report: Report, error: NonDeterministicExecutionError
) -> Report:
    at = error.step_id or ""
    records = history.operations
    place = places(records).get(at)
    report = replace(report, verdict=DIVERGED, line=user_line(error), position=place.position if place else None)
    if error.recorded is None or error.attempted is None or place is None:
        return replace(report, cause="type changed")
    old = Shape(error.recorded[0] or "", error.recorded[1] or "", error.recorded[2] or "")
    new = Shape(error.attempted[0] or "", error.attempted[1] or "", error.attempted[2] or "")
    cause = _cause(handler, history, at, place, old, new)
    return replace(report, cause=cause, recorded=str(old), attempted=str(new))


def _cause(handler: Callable[..., Any], history: History, at: str, place: Place, old: Shape, new: Shape) -> str:
    """Which change of the code explains most: each is tried on the history, and whichever replays further wins."""
    by_id = {record["Id"]: shape_of(record) for record in history.operations}
    later: list[Shape] = []
    position = place.position + 1
    while (here := operation_id(place.prefix, position)) in by_id:
        later.append(by_id[here])
        position += 1
    trials: list[tuple[str, list[Record]]] = []
    if new in later:
        records: list[Record] = list(history.operations)
        for _ in range(later.index(new) + 1):
            records = without(records, place)
        trials.append(("removed", records))
        if later[0] == new:
            trials.append(("reordered", swapped(list(history.operations), place)))
    same = (old.kind, old.sub_type) == (new.kind, new.sub_type)
    if same or old.name == new.name:
        trials.append(("renamed" if same else "type changed", renamed(history.operations, at, new)))
    best, reach = "inserted", _next_of_old(handler, history, at, place, old, new)
    for cause, changed in trials:
        got = _reach(handler, replace(history, operations=reopened(changed) or changed))
        if got > reach:
            best, reach = cause, got
    return best


def _next_of_old(handler: Callable[..., Any], history: History, at: str, place: Place, old: Shape, new: Shape) -> float:
    """How well an insertion explains it: wins over all if, given any result, the code asks for the old one next."""
    seen = observe(handler, replace(history, operations=renamed(history.operations, at, new)))
    error = divergence_in(seen.error)
    after = operation_id(place.prefix, place.position + 1)
    if error is not None and error.step_id == after and error.attempted is not None:
        asked = tuple(part or "" for part in error.attempted[:3])
        if asked == (old.kind, old.sub_type, old.name):
            return 0.5 + _place_reach(seen)
    if error is None and any(at.operation_id == after and _shape(at) == old for at in seen.frontier):
        return 2.5 + _place_reach(seen)
    return _place_reach(observe(handler, history)) + 0.5


def _place_reach(seen: Observed) -> float:
    return float(len(set(seen.met)))


def _reach(handler: Callable[..., Any], history: History) -> float:
    seen = observe(handler, history)
    agreed = _place_reach(seen)
    if divergence_in(seen.error) is not None:
        return agreed
    # A change that leaves something over explains less than one that does not.
    left_over = not seen.frontier and seen.status in {"SUCCEEDED", "FAILED"} and agreed < len(history.operations) - 1
    return agreed + (0.75 if left_over else 1)


def summary(reports: Iterable[Report]) -> dict[str, int]:
    """How many histories there are of each verdict and cause."""
    counts: dict[str, int] = {}
    for report in reports:
        key = f"{report.verdict}: {report.cause}" if report.cause else report.verdict
        counts[key] = counts.get(key, 0) + 1
    return dict(sorted(counts.items()))


def check_all(handler: Callable[..., Any], histories: Iterable[History]) -> Sequence[Report]:
    """Check several, one after the other."""
    return [check(handler, history) for history in histories]
