"""Making programs up, from a source of random numbers."""

from __future__ import annotations

from random import Random
from typing import Any, get_args

from tests.support.timed_programs.nodes import (
    Batch,
    Body,
    Cancelled,
    Child,
    Combined,
    Launched,
    Limited,
    Locked,
    Node,
    Pause,
    Program,
    Promises,
    Queued,
    Step,
    Tasks,
    Wait,
)

LEAVES = ("step", "step", "step", "wait", "pause")
BRANCHES = (
    "tasks", "tasks", "tasks", "promises", "promises", "child", "batch", "combined", "limited", "locked", "queued",
    "cancelled", "launched",
)  # fmt: skip # the weights are easier to read in rows


def _choices(kind: type, field: str) -> tuple[Any, ...]:
    """The values that a field of a node may have."""
    import typing

    return get_args(typing.get_type_hints(kind)[field])


class Maker:
    """Makes one program up."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._left = random.randint(4, 14)
        self._value = 0

    def program(self) -> Program:
        """A program and what befalls it."""
        faults = {}
        for _ in range(self._random.choice([0, 1, 1, 2, 3])):
            faults[self._random.randint(1, 9)] = self._random.choice(["before", "after", "revoked"])
        body = tuple(node for _ in range(self._random.randint(1, 3)) for node in self._body(3))
        return Program(
            body,
            eager=self._random.random() < 0.25,
            second_us=self._random.choice([100, 500, 2_000]),
            faults=tuple(sorted(faults.items())),
        )

    def _body(self, depth: int, *, pauses: bool = True) -> Body:
        nodes = [self._node(depth, pauses) for _ in range(self._random.choice([1, 1, 2, 3]))]
        if isinstance(nodes[-1], Pause):  # who ends first would depend on it
            nodes.append(self._step())
        return tuple(nodes)

    def _node(self, depth: int, pauses: bool) -> Node:
        self._left -= 1
        kinds = LEAVES if depth == 0 or self._left <= 0 else LEAVES + BRANCHES
        kind = self._random.choice(kinds)
        if kind == "pause" and not pauses:
            kind = "step"
        made: Node = getattr(self, f"_{kind}")(depth - 1, pauses)
        return made

    def _some(self, depth: int, pauses: bool, most: int = 4) -> tuple[Body, ...]:
        return tuple(self._body(depth, pauses=pauses) for _ in range(self._random.randint(1, most)))

    def _step(self, depth: int = 0, pauses: bool = True) -> Step:
        self._value += 1
        failing = self._random.random() < 0.2
        return Step(
            self._value,
            moments=self._random.choice([0, 0, 0, 1, 2, 5]),
            colour="def" if self._random.random() < 0.25 else "async",
            failures=self._random.randint(1, 2) if failing else 0,
            for_good=failing and self._random.random() < 0.5,
        )

    def _wait(self, depth: int = 0, pauses: bool = True) -> Wait:
        return Wait(self._random.randint(1, 6))

    def _pause(self, depth: int, pauses: bool) -> Pause:
        return Pause(self._random.choice([0, 1, 2, 4]))

    def _child(self, depth: int = 1, pauses: bool = True) -> Child:
        return Child(self._body(depth, pauses=pauses), large=self._random.random() < 0.2)

    def _member(self, depth: int, pauses: bool) -> Step | Wait | Child:
        kind = self._random.choice(["step", "step", "wait", "child"])
        member: Step | Wait | Child = getattr(self, f"_{kind}")(max(0, depth), pauses)
        return member

    def _members(self, depth: int, pauses: bool) -> tuple[Step | Wait | Child, ...]:
        return tuple(self._member(depth, pauses) for _ in range(self._random.randint(1, 4)))

    def _batch(self, depth: int, pauses: bool) -> Batch:
        return Batch(
            self._some(depth, pauses),
            kind=self._random.choice(_choices(Batch, "kind")),
            at_once=self._random.choice([None, None, 1, 2]),
            flat=self._random.random() < 0.3,
        )

    def _tasks(self, depth: int, pauses: bool) -> Tasks:
        how = self._random.choice(_choices(Tasks, "how"))
        return Tasks(self._some(depth, pauses and how != "group"), how)

    def _promises(self, depth: int, pauses: bool) -> Promises:
        return Promises(self._members(depth, pauses), self._random.choice(_choices(Promises, "how")))

    def _combined(self, depth: int, pauses: bool) -> Combined:
        return Combined(self._members(depth, pauses), self._random.choice(_choices(Combined, "how")))

    def _limited(self, depth: int, pauses: bool) -> Limited:
        return Limited(self._body(depth, pauses=False), self._random.randint(1, 4))

    # Who gets a lock first, who puts first, and where a cancellation strikes would depend on plain sleeps, and a
    # workflow must not depend on those.

    def _locked(self, depth: int, pauses: bool) -> Locked:
        return Locked(self._some(depth, pauses=False), self._random.choice([1, 1, 2]))

    def _queued(self, depth: int, pauses: bool) -> Queued:
        return Queued(self._some(depth, pauses=False))

    def _cancelled(self, depth: int, pauses: bool) -> Cancelled:
        what = self._random.choice(_choices(Cancelled, "what"))
        return Cancelled(self._body(depth, pauses=False), self._body(0, pauses=False), what)

    def _launched(self, depth: int, pauses: bool) -> Launched:
        branches = self._some(depth, pauses)
        return Launched(branches, self._random.choice(_choices(Launched, "how")), moments=1 if pauses else 0)


def make(seed: int) -> Program:
    """The program of that number."""
    return Maker(Random(seed)).program()
