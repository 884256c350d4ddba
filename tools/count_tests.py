"""Prints `N passed, N failed` over the JUnit files of a folder, and fails unless everything ran and passed.

Usage: count_tests.py FOLDER FAILED_STAGES
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from pathlib import Path


def main(folder: Path, failed_stages: int) -> int:
    """Count, print and judge; the exit code."""
    passed = failed = 0
    for report in folder.glob("*.xml"):
        for suite in ET.parse(report).getroot().iter("testsuite"):
            count = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
            bad = count["failures"] + count["errors"]
            failed += bad
            passed += count["tests"] - bad - count["skipped"]
            if count["skipped"]:
                print(f"{report.name}: {count['skipped']} skipped; nothing may be skipped here", file=sys.stderr)
                failed += count["skipped"]
    if failed_stages:
        print(f"{failed_stages} stages failed")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or failed_stages or not passed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
