"""The figures of a run: rows, their verdicts, and the file that keeps them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """What one case came to."""

    label: str
    unit: str
    rule: str
    budget: float | None
    against: str
    ours: float
    other: float | None
    floor: float | None

    @property
    def ratio(self) -> float | None:
        """The other figure over ours; ours over the other where the rule is about that."""
        if self.other is None or not self.other or not self.ours:
            return None
        return self.ours / self.other if self.rule in ("most", "share") else self.other / self.ours

    @property
    def met(self) -> bool | None:
        """Whether the budget is met; None without one."""
        if self.budget is None:
            return None
        if self.rule == "limit":
            return self.ours <= self.budget
        if self.ratio is None:
            return None
        return self.ratio <= self.budget if self.rule == "most" else self.ratio >= self.budget

    @property
    def owed(self) -> str:
        """The budget and its verdict, in words."""
        if self.budget is None:
            return ""
        words = {
            "times": f"{self.budget:g} times",
            "most": f"at most {self.budget:g} times",
            "limit": f"at most {self.budget:g} {self.unit}".rstrip(),
            "share": f"at least {self.budget:g} times",
        }[self.rule]
        return f"{words}: {({True: 'met', False: '**missed**', None: 'not measured'})[self.met]}"


@dataclass(frozen=True)
class Run:
    """One interleaved run."""

    machine: str
    versions: str
    date: str
    rows: tuple[Row, ...]

    def write(self, path: Path) -> None:
        """Keep the figures in a file of JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def read(path: Path) -> Run:
    """The figures that a run has kept."""
    found = json.loads(path.read_text(encoding="utf-8"))
    return Run(found["machine"], found["versions"], found["date"], tuple(Row(**row) for row in found["rows"]))
