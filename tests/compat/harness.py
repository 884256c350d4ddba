"""Runs a scenario to its end and says whether two runs are the same.

Two histories are identical when each operation has the same sequence of updates, and each parent starts before its
children's first update. Timestamps, what shares a request, and the interleaving of different operations do not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.compat import scenarios
from tests.compat.service import Script, Service
from tests.compat.sides import Side

Json = dict[str, Any]
MOST_INVOCATIONS = 60


@dataclass(frozen=True)
class Run:
    """What one execution came to."""

    scenario: str
    outcome: Json
    """The last invocation's output, or what it raised."""
    statuses: tuple[str, ...]
    """How each invocation ended."""
    updates: dict[str, list[Json]]
    """Operation id -> its updates in order."""
    service: Service

    @property
    def invocations(self) -> int:
        """How many invocations it took."""
        return len(self.statuses)


def run(scenario: str, sides: Sequence[Side], payload: str | None = None) -> Run:
    """Drive an execution to its end; invocation *n* runs on `sides[n]`, those after the last on the last."""
    case = scenarios.REGISTRY[scenario]
    service = Service(payload if payload is not None else case.payload, case.script or Script())
    statuses = []
    for number in range(MOST_INVOCATIONS):
        side = sides[min(number, len(sides) - 1)]
        outcome = side.invoke(scenario, service.event(), service)
        status = outcome["output"]["Status"] if "output" in outcome else "RAISED"
        statuses.append(status)
        if status != "PENDING":
            return Run(scenario, outcome, tuple(statuses), by_operation(service.stream), service)
        service.pass_time()
    raise AssertionError(f"{scenario} is not done after {MOST_INVOCATIONS} invocations")


def replay(history: Json, side: Side) -> Json:
    """One invocation over a finished history; the service refuses whatever it sends."""
    service = Service.of_history(history["arn"], history["operations"])
    return side.invoke(history["scenario"], service.event(), service)


def by_operation(stream: Sequence[Json]) -> dict[str, list[Json]]:
    """Each operation's updates; parents are checked to come first."""
    found: dict[str, list[Json]] = {}
    for update in stream:
        parent = update.get("ParentId")
        assert parent is None or parent in found, f"{update} precedes the START of its parent"
        key = "execution" if update["Type"] == "EXECUTION" else update["Id"]
        found.setdefault(key, []).append({name: value for name, value in update.items() if name != "Id"})
    return found


def assert_identical(ours: Run, theirs: Run) -> None:
    """Compare outcome and updates; the message shows the first operation that differs."""
    case = scenarios.REGISTRY[theirs.scenario]

    def comparable(value: Any) -> Any:
        return without_messages(value) if case.own_words else value

    assert comparable(ours.outcome) == comparable(theirs.outcome)
    for key, updates in theirs.updates.items():
        mine = ours.updates.get(key)
        assert comparable(mine) == comparable(updates), f"operation {key} ({updates[0].get('Name')!r}) differs"
    extra = {key: updates for key, updates in ours.updates.items() if key not in theirs.updates}
    if case.sends_queued:
        extra = {key: updates for key, updates in extra.items() if [u["Action"] for u in updates] != ["START"]}
    assert not extra, f"operations that only we have: {extra}"


def without_messages(value: Any) -> Any:
    """The same data without error messages."""
    if isinstance(value, dict):
        return {name: without_messages(member) for name, member in value.items() if name != "ErrorMessage"}
    if isinstance(value, list):
        return [without_messages(member) for member in value]
    return value
