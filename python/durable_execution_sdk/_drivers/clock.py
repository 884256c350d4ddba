"""The clock on the wall."""

from __future__ import annotations

import time
from typing import Any

from durable_execution_sdk._drivers.ports import Clock


class SystemClock:
    """The time of this machine."""

    __slots__ = ()

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000


SYSTEM_CLOCK = SystemClock()


def real_seconds_until(clock: Clock, due_ms: int | None) -> float | None:
    """How long to wait for a time in reality; None if there is none, or if waiting does not bring it nearer.

    A clock may pass faster than the one on the wall, or stand still while anything runs; it says so with a method
    `real_seconds_until(due_ms)` (infinite: it stands still), as the clocks of the embedded engine do.
    """
    if due_ms is None:
        return None
    ask: Any = getattr(clock, "real_seconds_until", None)
    if ask is None:
        return max(0, due_ms - clock.now_ms()) / 1000
    seconds: float = ask(due_ms)
    return None if seconds == float("inf") else seconds
