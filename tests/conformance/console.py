"""Where handlers and plugins log to: one JSON object per line, on standard output, as Lambda collects it."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def emit(record: dict[str, Any]) -> None:
    """Write one record, in one piece: several threads and processes may do so."""
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        emit({"message": f"[{record.levelname}] {record.getMessage()}", "logger": record.name})


def listen() -> _Lines:
    """Have what is logged from level INFO on written to the console, as long as this process lives."""
    lines = _Lines()
    logging.getLogger().addHandler(lines)
    logging.getLogger().setLevel(logging.INFO)
    return lines


@contextmanager
def listening() -> Iterator[None]:
    """The same for a while."""
    root = logging.getLogger()
    level = root.level
    lines = listen()
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(lines)


def read(text: str) -> list[dict[str, Any]]:
    """The records among the lines of a console."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]
