"""What is compared, and what each comparison owes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from benches.questions.floor import Way

Who = Literal["official", "javascript", "ours", "nobody"]
Rule = Literal["times", "most", "limit", "share"]


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    label: str
    question: str
    unit: str
    arguments: dict[str, Any] = field(default_factory=dict)
    budget: float | None = None
    """What `rule` speaks of; None where the row only informs."""
    rule: Rule = "times"
    """`times`: the other figure is at least so many times ours. `most`: ours is at most so many times the other figure.
    `share`: ours is at least so many times the other figure. `limit`: ours itself is at most so much."""
    rounds: int = 5
    against: Who = "official"
    """Whose figure is the other one."""
    other: tuple[str, dict[str, Any]] | None = None
    """The question that the other side is asked, where it is not the same one."""
    floor: Way | None = None
    """How `questions.floor` goes through its loop to say what that costs alone; needs `steps` among the arguments."""
    heavy: bool = False
    """Left out by `--quick`."""


def steps(count: int, **more: Any) -> dict[str, Any]:
    """The arguments of a row about so many operations."""
    return {"steps": count, **more}


COLOURS = ("def", "async def")

REPLAY = (
    Case("replay, 1,000 finished steps", "replay", "us/op", steps(1_000), 50, floor="called"),
    Case("replay, 10,000 finished steps", "replay", "us/op", steps(10_000), 50, floor="called"),
    Case("replay, 100,000 finished steps", "replay", "us/op", steps(100_000), 50, rounds=3, floor="called", heavy=True),
    Case("replay, 10,000 steps, fixed cost taken off", "replay", "us/op", steps(10_000, net=True)),
    Case(
        "replay, 10,000 finished steps, async def",
        "shapes",
        "us/op",
        steps(10_000, shape="steps", colour="async def"),
        floor="awaited",
    ),
    *(
        Case(
            f"replay, 10,000 steps in nested children, {colour}",
            "shapes",
            "us/op",
            steps(10_000, shape="children", colour=colour),
            floor="awaited" if "async" in colour else "called",
        )
        for colour in COLOURS
    ),
    *(
        Case(
            f"replay, 10,000 mixed operations, {colour}",
            "shapes",
            "us/op",
            steps(10_000, shape="mixed", colour=colour),
            floor="awaited" if "async" in colour else "called",
        )
        for colour in COLOURS
    ),
    *(
        Case(
            f"replay, 1,000 results of {size}: {words}, {colour}",
            "results",
            "us/op",
            steps(1_000, kind=kind, colour=colour),
            budget if colour == "def" else None,
            rounds=3,
            floor="awaited" if "async" in colour else "called",
        )
        for colour in COLOURS
        for size, words, kind, budget in (
            ("1 KB", "plain JSON", "rows_1k", None),
            ("10 KB", "plain JSON", "rows", 30),
            ("10 KB", "Decimal, UUID, datetime", "rich", 20),
        )
    ),
    Case("replay, 10,000 steps in pages over boto3", "wire", "us/op", steps(10_000, what="pages"), 20, floor="called"),
    Case(
        "replay, 10,000 steps in pages, light transport",
        "wire",
        "us/op",
        steps(10_000, what="pages", transport="light"),
        floor="called",
    ),
    Case(
        "growth of replay cost, 1,000 -> 100,000",
        "replay",
        "us/op",
        steps(100_000),
        1.2,
        "most",
        3,
        "ours",
        ("replay", steps(1_000)),
        heavy=True,
    ),
    Case(
        "growth of replay cost, 1,000 -> 1,000,000",
        "replay",
        "us/op",
        steps(1_000_000),
        1.2,
        "most",
        3,
        "ours",
        ("replay", steps(1_000)),
        heavy=True,
    ),
)

ASYNC = (
    Case(
        "async replay, 10,000 awaited in turn, against our def",
        "shapes",
        "us/op",
        steps(10_000, shape="steps", colour="async def"),
        2,
        "most",
        5,
        "ours",
        ("shapes", steps(10_000, shape="steps")),
        floor="awaited",
    ),
    Case(
        "async replay, gather over 10,000, against our def",
        "tasks",
        "us/op",
        steps(10_000, what="gather"),
        10,
        "most",
        5,
        "ours",
        ("shapes", steps(10_000, shape="steps")),
        floor="gathered",
    ),
    Case(
        "async map of 10,000 items, each a step that awaits",
        "tasks",
        "us/item",
        steps(10_000, what="map"),
        rounds=1,
        against="nobody",
    ),
    Case(
        "async map of 10,000 items: threads that ran its code",
        "tasks",
        "",
        steps(10_000, what="threads"),
        1,
        "limit",
        1,
        "nobody",
    ),
    Case(
        "async map of 10,000 items: peak memory",
        "tasks",
        "bytes/item",
        steps(10_000, what="memory"),
        rounds=1,
        against="nobody",
    ),
)

JAVASCRIPT = (
    *(
        Case(
            f"replay, {count:,} steps, {colour}, against JavaScript",
            "shapes",
            "us/op",
            steps(count, shape="steps", colour=colour),
            rounds=5,
            against="javascript",
            other=("replay", steps(count)),
            floor="awaited" if "async" in colour else "called",
        )
        for colour in COLOURS
        for count in (1_000, 10_000)
    ),
    Case(
        "replay, 10,000 steps together, async def, against JavaScript",
        "tasks",
        "us/op",
        steps(10_000, what="gather"),
        rounds=5,
        against="javascript",
        other=("replay", steps(10_000, what="gather")),
        floor="gathered",
    ),
)

SERDES = tuple(
    Case(f"serdes, {way} {words}", "serdes", "us", {"kind": kind, "way": way}, rounds=3)
    for way in ("read", "write")
    for words, kind in (
        ("a small dict", "small"),
        ("10 KB of rows", "rows"),
        ("10 KB of Decimal, UUID", "rich"),
        ("10 KB of words beyond ASCII", "words"),
    )
)

FIRST_RUNS = (
    Case("invocation that does nothing", "fixed", "ms", {"ending": "empty"}, 1, "limit"),
    Case("invocation that suspends", "fixed", "ms", {"ending": "suspending"}, 1, "limit"),
    Case("requests per fresh step", "requests", "", {}, 1, "limit", rounds=1),
    Case("fresh step, in-memory client, beyond 0 ms", "fresh", "ms", {"latency_ms": 0}),
    Case("fresh step, in-memory client, beyond 20 ms", "fresh", "ms", {"latency_ms": 20}, rounds=3),
    Case(
        "fresh step, boto3, beyond 20 ms",
        "wire",
        "ms",
        steps(50, what="fresh", latency_ms=20),
        2,
        floor="boto3 alone",
    ),
    Case(
        "fresh step, light transport, beyond 20 ms",
        "wire",
        "ms",
        steps(50, what="fresh", latency_ms=20, transport="light"),
        4,
        floor="socket alone",
    ),
    Case("import, beyond bare Python", "imports", "ms", {}, 3),
    Case("cold process to its first finished invocation, boto3", "wire", "ms", {"what": "cold"}, 1.5),
    Case(
        "cold process to its first finished invocation, light", "wire", "ms", {"what": "cold", "transport": "light"}, 2
    ),
    Case("memory per replayed operation", "memory", "bytes", steps(50_000), 4, rounds=3),
)

MAPS = (
    Case("map of 1,000 one-step items, latency 0 ms", "maps", "us/item", {"items": 1_000}, 5),
    Case("map of 1,000 one-step items, latency 20 ms", "maps", "us/item", {"items": 1_000, "latency_ms": 20}, rounds=3),
    Case("map of 1,000 items: threads at the peak", "maps", "", {"items": 1_000, "what": "threads"}, 64, "limit", 1),
    *(
        Case(
            f"map with 10,000 finished branches, {colour}",
            "maps",
            "us/item",
            {"items": 10_000, "what": "replay", "colour": colour},
            rounds=3,
        )
        for colour in COLOURS
    ),
    *(
        Case(
            f"map of 1,000, half of its branches finished, {colour}",
            "maps",
            "us/item",
            {"items": 500, "waiting": 500, "what": "replay", "colour": colour},
            rounds=3,
        )
        for colour in COLOURS
    ),
)

CHECKS = (
    Case(
        "durable replay over 10,000 histories of 100, against a bare loop",
        "checks",
        "us/history",
        {"what": "tool", "histories": 10_000},
        3,
        "most",
        3,
        "ours",
        ("checks", {"what": "bare", "histories": 10_000}),
        heavy=True,
    ),
    Case(
        "durable replay: its gain from two workers, next to a bare loop's",
        "checks",
        "",
        {"what": "tool gain", "histories": 10_000},
        0.85,
        "share",
        1,
        "ours",
        ("checks", {"what": "bare gain", "histories": 10_000}),
        heavy=True,
    ),
)

CASES = (*REPLAY, *ASYNC, *JAVASCRIPT, *SERDES, *FIRST_RUNS, *MAPS, *CHECKS)
