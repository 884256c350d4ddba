"""Records this Python's file in tests/histories/asyncio/: `.venv/bin/python -m tests.support.timed_programs.record`.

Needed again only where programs are made differently, or where what is recorded changes on purpose.
"""

from __future__ import annotations

import asyncio
import itertools
import sys

from tests.support.timed_programs.recording import FOLDER, record

PLAIN = 220
EAGER = 60
LARGEST = 4000
"""Bytes of a line; programs that come to more are left out, for the sake of the repository's size."""


def is_modest(line: str) -> bool:
    """Whether it is kept."""
    return len(line) <= LARGEST


def main() -> None:
    """Write it."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    FOLDER.mkdir(parents=True, exist_ok=True)
    kinds = [(False, PLAIN), *([(True, EAGER)] if hasattr(asyncio, "eager_task_factory") else [])]
    with (FOLDER / f"python-{version}.jsonl").open("w", encoding="utf-8") as file:
        for eager, wanted in kinds:
            lines = (record(number, version, eager=eager).line() for number in itertools.count())
            file.writelines(line + "\n" for line in itertools.islice(filter(is_modest, lines), wanted))


if __name__ == "__main__":
    main()
