"""`python -m examples.order_settlement`: run the settlement on the embedded engine and print its report.

It runs `durable run`, with hours that pass in seconds. Stop it with Ctrl-C, or kill it: the same command goes on where
it was. Remove `.durable/` to start anew.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from durable_execution_sdk.cli.app import cli

STORE = Path(".durable") / "demo.db"
REPORT = Path(".durable") / "settlement.md"
TIME_SCALE = 1200


def main() -> None:
    """Run, then show the report."""
    words = ["run", "examples.order_settlement.settlement:handler", "--name", "demo", "--store", str(STORE)]
    given = ["--input", json.dumps({"report": str(REPORT)}), "--time-scale", str(TIME_SCALE)]
    code = cli.main([*words, *given], prog_name="durable", standalone_mode=False)
    if code:
        sys.exit(code)
    sys.stdout.write(
        f"\n{REPORT.read_text(encoding='utf-8')}\nSee it in the store: durable show demo --store {STORE}\n"
    )


if __name__ == "__main__":
    main()
