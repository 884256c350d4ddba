"""`python -m benches`: the sides take turns over every case, and a table of ratios comes out.

Only ratios within one run count: the machine is shared, and absolute figures wander. Each figure is the median of its
rounds. With words as arguments, only the cases whose labels contain one of them run: `make bench ARGS="replay"`.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from benches.case import Case
from benches.cases import CASES, COLOURS
from benches.results import Row, Run
from benches.sides import ROOT, BenchError, Side
from benches.table import figure, page

OFFICIAL_MODULE = "aws_durable_execution_sdk_python"
OUR_MODULE = "durable_execution_sdk"
JAVASCRIPT = ROOT / ".cache/official/javascript-2.4.0"


def compare(case: Case, other: Side | None, ours: Side, rounds: int) -> Row:
    """Let the sides take turns."""
    theirs, mine, floors = [], [], []
    question, arguments = case.other or (case.question, case.arguments)
    for _ in range(rounds):
        if other is not None:
            theirs.append(other.ask(question, arguments))
        mine.append(ours.ask(case.question, case.arguments))
        if not case.no_floor and not case.floor_is_other:
            floors.append(ours.ask(case.question, case.arguments, floor=True))
    if case.floor_is_other:
        floors = theirs
    return Row(
        case.label,
        case.unit,
        case.rule,
        case.budget,
        case.against,
        statistics.median(mine),
        statistics.median(theirs) if theirs else None,
        statistics.median(floors) if floors else None,
    )


def machine() -> str:
    """What the figures were measured on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return f"{model}, {os.cpu_count()} cores, {platform.system()}"


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("words", nargs="*", help="run the cases whose label contains one of these")
    parser.add_argument("--rounds", type=int, help="rounds per case instead of each case's own number")
    parser.add_argument("--quick", action="store_true", help="one round each, without the rows that take longest")
    parser.add_argument("--ours-only", action="store_true", help="leave the official SDKs out")
    parser.add_argument("--json", type=Path, help="also keep the figures in this file")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a budget is missed")
    return parser.parse_args()


def main() -> int:
    """Measure and print."""
    options = arguments()
    python = os.environ.get("DURABLE_OFFICIAL_PYTHON", str(ROOT / ".cache/official/3.0.0/bin/python"))
    if not options.ours_only and not Path(python).exists():
        print(f"no official SDK at {python}: `make official` makes its environment", file=sys.stderr)
        return 2
    words = options.words or [""]
    chosen = [
        case for case in CASES if any(word in case.label for word in words) and not (options.quick and case.heavy)
    ]
    versions = [f"CPython {platform.python_version()}"]
    rows: list[Row] = []
    failed = False
    with ExitStack() as stack:
        ours = stack.enter_context(Side("ours", [sys.executable, "-m", "benches.worker", OUR_MODULE]))
        for colour in COLOURS:  # what an invocation of that colour loads is no row's
            ours.ask("fixed", {"ending": "suspending", "colour": colour})
        sides: dict[str, Side] = {"ours": ours, "bare": ours}
        if not options.ours_only:
            command = [python, "-m", "benches.worker", OFFICIAL_MODULE]
            sides["official"] = stack.enter_context(Side("official", command))
            versions.append("official Python SDK 3.0.0")
            node = shutil.which("node")
            if node is not None and (JAVASCRIPT / "node_modules").is_dir():
                command = [node, str(ROOT / "benches/javascript/worker.mjs"), str(JAVASCRIPT), sys.executable]
                sides["javascript"] = stack.enter_context(Side("javascript", command))
                asked = subprocess.run([node, "--version"], check=True, capture_output=True, text=True)
                versions.append(f"official JavaScript SDK 2.4.0 on node {asked.stdout.strip()}")
            else:
                print("node or the JavaScript SDK is missing: its rows show our figures only", file=sys.stderr)
        for number, case in enumerate(chosen, 1):
            started = time.perf_counter()
            print(f"[{number}/{len(chosen)}] {case.label}", end="", file=sys.stderr, flush=True)
            rounds = options.rounds or (1 if options.quick else case.rounds)
            try:
                row = compare(case, sides.get(case.against), ours, rounds)
            except BenchError as error:
                failed = True
                print(f": no figure\n{error}", file=sys.stderr, flush=True)
                continue
            rows.append(row)
            told = [figure(row.ours, row.unit), figure(row.ratio) and f"ratio {figure(row.ratio)}", row.owed]
            spent = time.perf_counter() - started
            print(f": {', '.join(filter(None, told))} [{spent:.1f} s]", file=sys.stderr, flush=True)
    run = Run(machine(), ", ".join(versions), datetime.now(UTC).date().isoformat(), tuple(rows))
    print(page(run, run.rows))
    missed = [row.label for row in rows if row.met is False]
    if missed:
        print(f"Missed: {'; '.join(missed)}")
    if options.json is not None:
        run.write(options.json)
    if failed:
        return 2
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
