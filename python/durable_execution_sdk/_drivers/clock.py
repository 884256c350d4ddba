"""The clock on the wall."""

from __future__ import annotations

import time


class SystemClock:
    """The time of this machine."""

    __slots__ = ()

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000


SYSTEM_CLOCK = SystemClock()
