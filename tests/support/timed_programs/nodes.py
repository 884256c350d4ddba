"""What a program is made of: plain data, so that a failing one can be pasted into a test."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Body: TypeAlias = "tuple[Node, ...]"


@dataclass(frozen=True)
class Step:
    """A step that takes a moment of real time; it fails `failures` times before it gives `value`, or for good."""

    value: int
    moments: int = 0
    colour: Literal["def", "async"] = "async"
    failures: int = 0
    for_good: bool = False


@dataclass(frozen=True)
class Wait:
    """A durable wait."""

    seconds: int


@dataclass(frozen=True)
class Pause:
    """A plain `asyncio.sleep`: work from outside, not recorded."""

    moments: int


@dataclass(frozen=True)
class Child:
    """A child context; a large one is made again from its operations at every replay."""

    body: Body
    large: bool = False


@dataclass(frozen=True)
class Batch:
    """A map (of one body per item) or a parallel, at most `at_once` branches at a time."""

    branches: tuple[Body, ...]
    kind: Literal["map", "parallel"] = "map"
    at_once: int | None = None
    flat: bool = False
    colour: Literal["def", "async"] = "async"


@dataclass(frozen=True)
class Tasks:
    """Several tasks of one context, joined in one of asyncio's ways."""

    branches: tuple[Body, ...]
    how: Literal["gather", "group", "in order", "in reverse", "first", "all", "as completed", "shield"] = "gather"


@dataclass(frozen=True)
class Promises:
    """Operations that are started together and awaited together, without tasks of the user's."""

    members: tuple[Step | Wait | Child, ...]
    how: Literal["gather", "wait first", "as completed", "in reverse"] = "gather"


@dataclass(frozen=True)
class Combined:
    """A recorded combination of operations."""

    members: tuple[Step | Wait | Child, ...]
    how: Literal["all", "all_settled", "any", "race"] = "all"


@dataclass(frozen=True)
class Limited:
    """A body as a child context, under a durable time limit."""

    body: Body
    seconds: int


@dataclass(frozen=True)
class Locked:
    """Tasks that each run their body under one lock (or a semaphore of two)."""

    branches: tuple[Body, ...]
    places: int = 1


@dataclass(frozen=True)
class Queued:
    """Producers put what they have done into a queue, one consumer runs a step for each."""

    branches: tuple[Body, ...]


@dataclass(frozen=True)
class Cancelled:
    """A task, or a promise, that is cancelled after some other body has run."""

    body: Body
    after: Body
    what: Literal["task", "promise"] = "task"


@dataclass(frozen=True)
class Launched:
    """Tasks that are started by plain code under a deadline of asyncio's, and awaited after it."""

    branches: tuple[Body, ...]
    how: Literal["wait_for", "timeout"] = "wait_for"
    moments: int = 1
    """What the plain code takes before it starts them."""


Node: TypeAlias = (
    Step | Wait | Pause | Child | Batch | Tasks | Promises | Combined | Limited | Locked | Queued | Cancelled | Launched
)


@dataclass(frozen=True)
class Program:
    """A handler.

    Attributes:
        eager: Tasks start eagerly (Python 3.12 and later).
        second_us: How much real time a second of the execution's clock takes.
        faults: What happens to requests, by their number: the process dies before or after it is carried out, or the
            service takes no more from this invocation.
    """

    body: Body
    eager: bool = False
    second_us: int = 500
    faults: tuple[tuple[int, Literal["before", "after", "revoked"]], ...] = field(default=())


@dataclass(frozen=True)
class Seen:
    """Something that user code got to see.

    Attributes:
        contexts: The names of the child contexts it was seen in, outermost first.
        where: The node.
        what: What it gave.
    """

    contexts: tuple[str, ...]
    where: str
    what: Any

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


Trace: TypeAlias = "list[Seen]"
