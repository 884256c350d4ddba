"""What one comparison is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Who = Literal["official", "javascript", "ours", "bare", "nobody"]
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
    """Whose figure is the other one; `bare`: the same without any SDK."""
    other: tuple[str, dict[str, Any]] | None = None
    """The question that the other side is asked, where it is not the same one."""
    floor_is_other: bool = False
    """The other figure is what no SDK comes below; else the question's own `floor` is asked, with these arguments."""
    no_floor: str = ""
    """Why there is none."""
    heavy: bool = False
    """Left out by `--quick`."""


def steps(count: int, **more: Any) -> dict[str, Any]:
    """The arguments of a row about so many operations."""
    return {"steps": count, **more}
