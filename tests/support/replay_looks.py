"""Handlers that look at some results, over histories without payloads: what comes first, the look or the change?

A check runs the code twice: as a replay does, past contexts that have ended, and then through them. Within a run, what
comes first in the code is met first, but for branches and tasks, which run beside each other.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.support.replay_changes import Laid, Mutation, departure, laid_out
from tests.support.replay_corpus import HANDLERS, Plan, Writer, within
from tests.support.replay_cuts import relabelled

MOST_LOOKS = 3
RAISING = {"failing", "failed"}
"""Operations that failed: their error is looked at as soon as it is raised."""


def looking(seed: str) -> Callable[[Plan], Plan]:
    """Makes of a plan the same one, in which the results of up to three steps are looked at."""

    def prepared(statements: Plan) -> Plan:
        chance = random.Random(seed)
        now = copy.deepcopy(statements)
        steps = [s for s in within(now) if s.kind == "step" and not _in_a_row(now, s)]
        for s in chance.sample(steps, chance.randint(0, MOST_LOOKS)):
            s.looks = True
        return now

    return prepared


def _in_a_row(statements: Plan, one: object) -> bool:
    return any(s.kind == "row" and any(inner is one for inner in s.body) for s in within(statements))


@dataclass(frozen=True)
class Place:
    """Where an operation is met: in which run, and after how many others; beside which others."""

    run: int
    index: int
    laid: Laid
    beside: tuple[object, ...]
    """The branches and tasks around it."""

    def comes_before(self, other: Place) -> bool:
        return (self.run, self.index) < (other.run, other.index)

    def may_come_before(self, other: Place) -> bool:
        """Also if it runs beside the other one."""
        shared = min(len(self.beside), len(other.beside))
        apart = self.beside[:shared] != other.beside[:shared]
        return self.comes_before(other) or (self.run == other.run and apart)


def places(statements: Plan) -> Iterator[Place]:
    """Every operation of a plan, in the order in which a run meets them."""
    index = 0
    top = laid_out(statements)
    tasks = [one for one in top if one.shape[0] == "task"]
    others = [one for one in top if one.shape[0] != "task"]
    ordered = [
        *(one for one in others if not one.comes_after_tasks),
        *tasks,
        *(one for one in others if one.comes_after_tasks),
    ]

    def walk(scope: Sequence[Laid], run: int, beside: tuple[object, ...]) -> Iterator[Place]:
        nonlocal index
        for one in scope:
            is_task = one.shape[0] == "task"
            around = (*beside, one) if is_task or one.is_branch else beside
            index += 1
            if not is_task:
                yield Place(run, index, one, around)
            # A result that is too large is not recorded, so a replay goes through the context.
            again = is_task or (one.statement.kind == "child" and one.statement.large)
            yield from walk(one.inside, run if again else 2, around)

    yield from walk(ordered, 1, ())


def looks_of(statements: Plan) -> list[Place]:
    """Where a plan looks at what is not there, the first one first."""
    found = [
        place
        for place in places(statements)
        if (place.laid.statement.looks and place.laid.shape[0] == "STEP") or place.laid.statement.kind in RAISING
    ]
    return sorted(found, key=lambda place: (place.run, place.index))


def may_be_said(mutation: Mutation) -> set[tuple[str, int | None]]:
    """Verdicts or causes, each with its line, that are right for a changed handler over a masked history."""
    is_async, statements = HANDLERS[mutation.handler]
    before = copy.deepcopy(statements)
    Writer(is_async).write(before)
    old, new = departure(laid_out(before), laid_out(mutation.now))
    looks = looks_of(mutation.now)
    found = {(mutation.cause, mutation.line)}
    if not looks:
        return found
    if new is None:
        return {("not checkable", look.laid.line) for look in looks} | found
    at = next(place for place in places(mutation.now) if place.laid.shape == new.shape and place.laid.line == new.line)
    first = [look for look in looks if look.may_come_before(at)]
    unseen = {("not checkable", look.laid.line) for look in first}
    if any(look.comes_before(at) and not at.may_come_before(look) for look in first):
        return unseen
    # What would tell one cause from another may come after the look.
    found |= {("removed", mutation.line), ("inserted", mutation.line)}
    if old is not None:
        found.add((relabelled(old.shape, new.shape), mutation.line))
    return unseen | found
