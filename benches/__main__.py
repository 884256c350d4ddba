"""`python -m benches`: both sides take turns over every case, and a table of ratios comes out.

Only ratios within one run count: the machine is shared, and absolute figures wander. Each figure is the median of its
rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benches.cases import CASES, Case
from benches.sides import ROOT, BenchError, Side

OFFICIAL_MODULE = "aws_durable_execution_sdk_python"
OUR_MODULE = "durable_execution_sdk"


@dataclass(frozen=True)
class Row:
    """What one case came to."""

    case: Case
    official: float | None
    ours: float
    floor: float | None

    @property
    def ratio(self) -> float | None:
        """The official figure over ours."""
        return self.official / self.ours if self.official is not None and self.ours > 0 else None

    @property
    def met(self) -> bool | None:
        """Whether the budget is met; None without one."""
        if self.case.budget is None or self.ratio is None:
            return None
        return self.ratio >= self.case.budget


def compare(case: Case, official: Side | None, ours: Side, rounds: int | None) -> Row:
    """Let the sides take turns."""
    theirs, mine, floors = [], [], []
    for _ in range(rounds or case.rounds):
        if case.rival is not None:
            theirs.append(ours.ask(case.question, case.rival))
        elif official is not None:
            theirs.append(official.ask(case.question, case.arguments))
        mine.append(ours.ask(case.question, case.arguments))
        if case.floor:
            floors.append(ours.ask("floor", case.arguments))
    return Row(
        case,
        statistics.median(theirs) if theirs else None,
        statistics.median(mine),
        statistics.median(floors) if floors else None,
    )


def figure(value: float | None, unit: str = "") -> str:
    """Three significant digits and the unit."""
    if value is None:
        return ""
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{text} {unit}".rstrip()


def table(rows: Iterable[Row]) -> str:
    """The rows in Markdown."""
    lines = [
        "| what | official 3.0.0 | ours | ratio | budget | floor |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        unit = row.case.unit
        verdict = {None: "", True: " ✓", False: " ✗"}[row.met]
        cells = [
            row.case.label,
            figure(row.official, unit),
            figure(row.ours, unit),
            f"**{figure(row.ratio)}**" if row.ratio is not None else "",
            f"{row.case.budget:g}{verdict}" if row.case.budget is not None else "",
            figure(row.floor, unit),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def growth(rows: list[Row]) -> str | None:
    """How our cost per replayed operation grows over the histories measured."""
    costs = {row.case.arguments["steps"]: row.ours for row in rows if row.case.question == "replay" and row.case.floor}
    if len(costs) < 2:
        return None
    least, most = min(costs), max(costs)
    factor = costs[most] / costs[least]
    return f"Replay cost per operation, {least:,} -> {most:,} steps: {factor:.2f} times (budget 1.2)"


def machine() -> str:
    """One line that says where the figures come from."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    today = datetime.now(UTC).date()
    return f"{model}, {os.cpu_count()} cores, CPython {platform.python_version()}, {platform.system()}, {today}"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", default="", help="run the cases whose label contains this")
    parser.add_argument("--rounds", type=int, help="rounds per case instead of each case's own number")
    parser.add_argument("--ours-only", action="store_true", help="leave the official SDK out")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a budget is missed")
    options = parser.parse_args()

    python = os.environ.get("DURABLE_OFFICIAL_PYTHON", str(ROOT / ".cache/official/3.0.0/bin/python"))
    if not options.ours_only and not Path(python).exists():
        parser.error(f"no official SDK at {python}: `make official` makes its environment")
    print(machine())
    rows: list[Row] = []
    with Side("ours", sys.executable, OUR_MODULE) as ours:
        official = None if options.ours_only else Side("official", python, OFFICIAL_MODULE)
        try:
            for case in CASES:
                if options.only in case.label:
                    rows.append(compare(case, official, ours, options.rounds))
                    print(f"  {case.label}: {figure(rows[-1].ratio)}", file=sys.stderr, flush=True)
        except BenchError as error:
            print(error, file=sys.stderr)
            return 2
        finally:
            if official is not None:
                official.__exit__(None, None, None)
    print(table(rows))
    if (grown := growth(rows)) is not None:
        print(f"\n{grown}")
    if options.json is not None:
        figures = {row.case.label: {"official": row.official, "ours": row.ours, "floor": row.floor} for row in rows}
        options.json.write_text(json.dumps({"machine": machine(), "rows": figures}, indent=1) + "\n")
    return 1 if options.check and any(row.met is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
