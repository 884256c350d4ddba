"""Renders what `make bench` has kept: `python -m benches.table FILE` prints it in Markdown.

With `--write` it also replaces what stands between the marks in README.md (rows with a budget) and in
docs/performance.md (every row).
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from benches.results import Row, Run, read
from benches.sides import ROOT

NAMES = {"official": "", "javascript": " (JavaScript)", "ours": " (ours)", "bare": " (no SDK)"}
MARKED = re.compile(r"(<!-- measured -->\n).*?(<!-- /measured -->)", re.DOTALL)


def figure(value: float | None, unit: str = "") -> str:
    """Three significant digits and the unit."""
    if value is None:
        return ""
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{text} {unit}".rstrip()


def table(rows: Iterable[Row]) -> str:
    """The rows in Markdown."""
    lines = [
        "| what | compared with | ours | ratio | budget | floor | ours over floor |",
        "|---|---:|---:|---:|---|---:|---:|",
    ]
    for row in rows:
        cells = [
            row.label,
            figure(row.other, row.unit) + (NAMES[row.against] if row.other is not None else ""),
            figure(row.ours, row.unit),
            figure(row.ratio),
            row.owed,
            figure(row.floor, row.unit),
            figure(row.ours / row.floor) if row.floor else "",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def page(run: Run, rows: Iterable[Row]) -> str:
    """Where the figures come from, and the table."""
    return f"{run.machine}; {run.versions}; {run.date}.\n\n{table(rows)}\n"


def rewrite(path: Path, text: str) -> None:
    """Put the text between the page's marks."""
    before = path.read_text(encoding="utf-8")
    after, times = MARKED.subn(lambda match: f"{match[1]}\n{text}\n{match[2]}", before)
    if times != 1:
        raise SystemExit(f"{path} has {times} places between <!-- measured --> and <!-- /measured -->, not one")
    path.write_text(after, encoding="utf-8")


def main() -> int:
    """Print, and rewrite the pages if asked."""
    parser = argparse.ArgumentParser(prog="python -m benches.table", description=__doc__)
    parser.add_argument("file", type=Path, help="what `make bench ARGS='--json FILE'` wrote")
    parser.add_argument("--write", action="store_true", help="put the table into README.md and docs/performance.md")
    options = parser.parse_args()
    run = read(options.file)
    print(page(run, run.rows))
    if options.write:
        rewrite(ROOT / "README.md", page(run, [row for row in run.rows if row.budget is not None]))
        rewrite(ROOT / "docs/performance.md", page(run, run.rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
