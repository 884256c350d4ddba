"""One line of sequential user code: the handler, or one branch of a map or parallel.

When an operation of a strand ends it with a signal (suspension, a dead sender, an ended ancestor), the signal unwinds
the strand's frames. Durable calls made meanwhile, in a `finally` or after a bare `except`, only raise the same signal
again.
"""

from __future__ import annotations

import logging
import threading
from typing import NoReturn

_logger = logging.getLogger("durable_execution_sdk")
_running = threading.local()


class Strand:
    """Whether the line of code may still do anything durable."""

    __slots__ = ("_warned", "signal")

    def __init__(self) -> None:
        self.signal: BaseException | None = None
        self._warned = False

    def running(self) -> _Running:
        """A context manager: this thread runs the strand meanwhile."""
        return _Running(self)

    def refuse(self, what: str) -> NoReturn:
        """Raise the signal that ended this strand again."""
        signal = self.signal
        if signal is None:
            raise AssertionError("only an ended strand refuses")
        if not self._warned:
            self._warned = True
            _logger.warning(
                "%s was called while the invocation is being suspended (in a finally block, or after an except that"
                " caught BaseException). It does nothing; it will run when the execution gets there again.",
                what,
            )
        raise signal


class _Running:
    __slots__ = ("_before", "_strand")

    def __init__(self, strand: Strand) -> None:
        self._strand = strand

    def __enter__(self) -> None:
        self._before: Strand | None = getattr(_running, "strand", None)
        _running.strand = self._strand

    def __exit__(self, *_: object) -> None:
        _running.strand = self._before


def running_strand(otherwise: Strand) -> Strand:
    """The strand that this thread runs; a thread of the user's own runs none."""
    strand: Strand | None = getattr(_running, "strand", None)
    return otherwise if strand is None else strand
