"""The two things of the outside world that official signatures leave no parameter for: chance, and the time.

`JitterStrategy.apply_jitter(delay)`, `TimedSuspendExecution.from_delay(...)` and
`OperationUpdate.create_execution_succeed(...)` draw by themselves in the official SDK 3.0.0, so ours must too. The pure
rooms call these two functions, and the package's `__init__` connects them to `_edges/ambient.py`, the one place that
imports `random` and `time` for them. Everything of our own takes time and chance as arguments instead.
"""

from __future__ import annotations

from collections.abc import Callable


class _Sources:
    random: Callable[[], float]
    now_s: Callable[[], float]


def connect(*, random: Callable[[], float], now_s: Callable[[], float]) -> None:
    """Say where chance (a float from [0, 1)) and time (seconds since the epoch) come from."""
    _Sources.random = staticmethod(random)
    _Sources.now_s = staticmethod(now_s)


def draw() -> float:
    """A random number from [0, 1)."""
    return _Sources.random()


def now_s() -> float:
    """Seconds since the epoch."""
    return _Sources.now_s()
