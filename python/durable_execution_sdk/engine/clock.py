"""The engine's clocks: real time, scaled time, and a virtual time that jumps when nothing else can happen."""

from __future__ import annotations

import os
import threading
import time
import warnings
from typing import Final, Protocol

SCALE_VARIABLE: Final = "DURABLE_EXECUTION_TIME_SCALE"


class EngineClock(Protocol):
    """The time that timers, retries and timestamps of an engine go by."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""

    def catch_up(self, at_ms: int) -> None:
        """Time has been there already, in an earlier process: never go back behind it."""

    def real_seconds_until(self, due_ms: int) -> float:
        """How long that takes in real time; infinite for a clock that stands still."""

    @property
    def jumps(self) -> bool:
        """Whether, when all is idle, the engine moves the clock to the next timer instead of waiting for it."""


class RealClock:
    """The wall clock."""

    __module__ = "durable_execution_sdk.engine"

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000

    def catch_up(self, at_ms: int) -> None:
        """Do nothing: the wall clock is what it is."""

    def real_seconds_until(self, due_ms: int) -> float:
        """The seconds until `due_ms`."""
        return max(0.0, (due_ms - self.now_ms()) / 1000)

    @property
    def jumps(self) -> bool:
        """Never."""
        return False


class ScaledClock:
    """Time that passes faster: with a scale of 60, a minute of waiting takes a second.

    Args:
        scale: How many seconds pass in one real second; above 0.
    """

    __module__ = "durable_execution_sdk.engine"

    def __init__(self, scale: float) -> None:
        if not 0 < scale < float("inf"):
            raise ValueError(f"A clock scale must be a number above 0, not {scale!r}.")
        self.scale = scale
        self._origin_ms = time.time_ns() // 1_000_000
        self._started = time.monotonic()

    def now_ms(self) -> int:
        """Milliseconds since the epoch, in scaled time."""
        return self._origin_ms + int((time.monotonic() - self._started) * 1000 * self.scale)

    def catch_up(self, at_ms: int) -> None:
        """Go on from `at_ms` if an earlier run was already there."""
        self._origin_ms += max(0, at_ms - self.now_ms())

    def real_seconds_until(self, due_ms: int) -> float:
        """The real seconds until `due_ms`."""
        return max(0.0, (due_ms - self.now_ms()) / 1000 / self.scale)

    @property
    def jumps(self) -> bool:
        """Never."""
        return False


class VirtualClock:
    """Time that stands still while anything runs, and jumps to the next timer when all is idle.

    Args:
        start_ms: Where it starts, in milliseconds since the epoch.
    """

    __module__ = "durable_execution_sdk.engine"

    def __init__(self, start_ms: int = 1_767_225_600_000) -> None:
        self._lock = threading.Lock()
        self._now_ms = start_ms

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        with self._lock:
            return self._now_ms

    def advance(self, milliseconds: int) -> None:
        """Let time pass, as a test may want to."""
        self.catch_up(self.now_ms() + milliseconds)

    def catch_up(self, at_ms: int) -> None:
        """Jump there, never back."""
        with self._lock:
            self._now_ms = max(self._now_ms, at_ms)

    def real_seconds_until(self, due_ms: int) -> float:
        """0 if `due_ms` has come, else infinite: it stands still until it is moved."""
        return 0.0 if due_ms <= self.now_ms() else float("inf")

    @property
    def jumps(self) -> bool:
        """Always."""
        return True


def clock_for(scale: float | None) -> EngineClock:
    """The clock for a scale: 1 is real time, 0 a virtual clock (waits are over at once).

    None takes the environment variable `DURABLE_EXECUTION_TIME_SCALE`, a factor on waits (0.1 makes them ten times
    shorter, 0 ends them at once); an invalid one is ignored with a warning.
    """
    if scale is None:
        scale = _scale_from_environment()
    if scale == 1:
        return RealClock()
    if scale == 0:
        return VirtualClock(time.time_ns() // 1_000_000)
    return ScaledClock(scale)


def _scale_from_environment() -> float:
    text = os.environ.get(SCALE_VARIABLE)
    if not text:
        return 1
    try:
        factor = float(text)
        if not 0 <= factor < float("inf"):
            raise ValueError(text)
    except ValueError:
        warnings.warn(f"{SCALE_VARIABLE}={text!r} is no factor of 0 or more; waits take their time.", stacklevel=3)
        return 1
    return 0 if factor == 0 else 1 / factor
