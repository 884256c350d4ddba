"""What the user sees while an execution runs: one living line on a terminal, plain lines elsewhere. All on stderr."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import datetime

from rich.console import Console
from rich.logging import RichHandler
from rich.status import Status

from durable_execution_sdk.engine import Progress

LINE_EVERY_SECONDS = 1.0
"""Without a terminal, a line is printed this often at most, and whenever the execution starts to wait."""


def sentence(progress: Progress) -> str:
    """A progress report as text."""
    parts = [f"{progress.name}: {progress.finished} of {progress.operations} operations done"]
    if progress.status not in {"RUNNING", "PAUSED"}:
        parts.append(progress.status)
    elif progress.running:
        if progress.current:
            parts.append(f"running {progress.current}")
    elif progress.waiting_until_ms is not None:
        until = datetime.fromtimestamp(progress.waiting_until_ms / 1000).astimezone()
        parts.append(f"waiting until {until:%Y-%m-%d %H:%M:%S}")
    else:
        parts.append("waiting for an event from outside" if progress.status == "RUNNING" else "paused")
    return ", ".join(parts)


class Reporter:
    """Receives progress and shows it."""

    def __init__(self, console: Console, status: Status | None) -> None:
        self._console = console
        self._status = status
        self._last_line = ""
        self._last_time = 0.0

    def __call__(self, progress: Progress) -> None:
        """Take note of a change."""
        text = sentence(progress)
        if text == self._last_line:
            return
        if self._status is not None:
            self._status.update(text)
            self._last_line = text
            return
        now = time.monotonic()
        if now - self._last_time >= LINE_EVERY_SECONDS or not progress.running:
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)
            self._last_line, self._last_time = text, now


@contextmanager
def reporting(*, quiet: bool) -> Iterator[Reporter | None]:
    """Show progress and the handler's own logs while the block runs; what it prints goes to stderr.

    Standard output is left to the result.
    """
    console = Console(stderr=True)
    terminal = console.is_terminal and not quiet
    handler: logging.Handler = (
        RichHandler(console=console, show_path=False) if terminal else logging.StreamHandler(sys.stderr)
    )
    if not terminal:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(min(level, logging.INFO) if level else logging.INFO)
    try:
        with redirect_stdout(sys.stderr):
            if quiet:
                yield None
            elif terminal:
                with console.status("starting") as status:
                    yield Reporter(console, status)
            else:
                yield Reporter(console, None)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
