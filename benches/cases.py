"""What is compared, and the ratio that each comparison owes (official figure over ours)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    label: str
    question: str
    unit: str
    arguments: dict[str, Any] = field(default_factory=dict)
    budget: float | None = None
    """The official figure must be at least this many times ours; None where the row only informs."""
    rounds: int = 5
    floor: bool = False
    """Whether `questions.floor` is to say what the loop itself costs."""
    rival: dict[str, Any] | None = None
    """What the official SDK has no tool for: the arguments with which our side tells what to compare with instead."""


CASES = (
    Case("replay, 1,000 finished steps", "replay", "us/op", {"steps": 1_000}, 50, floor=True),
    Case("replay, 10,000 finished steps", "replay", "us/op", {"steps": 10_000}, 50, floor=True),
    Case("replay, 50,000 finished steps", "replay", "us/op", {"steps": 50_000}, 50, rounds=3, floor=True),
    Case("replay, 100,000 finished steps", "replay", "us/op", {"steps": 100_000}, 50, rounds=3, floor=True),
    Case("replay, 10,000 steps, fixed cost taken off", "replay", "us/op", {"steps": 10_000, "net": True}),
    Case("replay, 1,000 results of 10 KB: rows", "results", "us/op", {"steps": 1_000, "kind": "rows"}, 30, rounds=3),
    Case(
        "replay, 1,000 results of 10 KB: Decimal, UUID",
        "results",
        "us/op",
        {"steps": 1_000, "kind": "rich"},
        20,
        rounds=3,
    ),
    Case("serdes, read a small dict", "serdes", "us", {"kind": "small", "way": "read"}),
    Case("serdes, read 10 KB of rows", "serdes", "us", {"kind": "rows", "way": "read"}),
    Case("serdes, read 10 KB of Decimal, UUID", "serdes", "us", {"kind": "rich", "way": "read"}),
    Case("serdes, read 10 KB of words beyond ASCII", "serdes", "us", {"kind": "words", "way": "read"}),
    Case("serdes, write a small dict", "serdes", "us", {"kind": "small", "way": "write"}),
    Case("serdes, write 10 KB of rows", "serdes", "us", {"kind": "rows", "way": "write"}),
    Case("serdes, write 10 KB of Decimal, UUID", "serdes", "us", {"kind": "rich", "way": "write"}),
    Case("serdes, write 10 KB of words beyond ASCII", "serdes", "us", {"kind": "words", "way": "write"}),
    Case("invocation that does nothing", "fixed", "ms", {"ending": "empty"}, 50),
    Case("invocation that suspends", "fixed", "ms", {"ending": "suspending"}, 50),
    Case("fresh step, added to a latency of 0 ms", "fresh", "ms", {"latency_ms": 0}),
    Case("fresh step, added to a latency of 20 ms", "fresh", "ms", {"latency_ms": 20}, rounds=3),
    Case("map of 1,000 one-step items, latency 0 ms", "maps", "us/item", {"items": 1_000}, 5),
    Case("map of 1,000 one-step items, latency 20 ms", "maps", "us/item", {"items": 1_000, "latency_ms": 20}, rounds=3),
    Case("map of 1,000 items: threads at the peak", "maps", "", {"items": 1_000, "what": "threads"}, rounds=1),
    Case("map with 10,000 finished branches", "maps", "us/item", {"items": 10_000, "what": "replay"}, rounds=3),
    Case("requests per fresh step", "requests", "", {}, 1, rounds=1),
    Case("import, beyond bare Python", "imports", "ms", {}, 3),
    Case("memory per replayed operation", "memory", "bytes", {"steps": 50_000}, 4, rounds=3),
    Case(
        "durable replay over 10,000 histories of 100, against a bare loop",
        "checks",
        "us/history",
        {"what": "tool", "histories": 10_000},
        0.34,
        rounds=3,
        rival={"what": "bare", "histories": 10_000},
    ),
    Case(
        "durable replay: its gain from two workers, over that of a bare loop",
        "checks",
        "",
        {"what": "bare gain", "histories": 10_000},
        0.85,
        rounds=3,
        rival={"what": "tool gain", "histories": 10_000},
    ),
)
