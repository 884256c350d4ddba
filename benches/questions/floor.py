"""What would a replayed step cost if the SDK did nothing at all?

The same loop as in `replay`, over a method of an extension type that takes the same arguments and returns a prebuilt
object: `dict.get` with its default. No Python SDK can be faster than that.
"""

from __future__ import annotations

import time


def measure(sdk: str, steps: int) -> float:
    """Microseconds per turn of the loop."""
    del sdk
    prebuilt = {"order": "A-1", "amount": 0.25, "paid": True, "lines": 1}
    nothing: dict[object, dict[str, object]] = {}

    def never(_: object) -> dict[str, object]:
        raise AssertionError("the floor calls nothing")

    started = time.perf_counter()
    total = 0.0
    step = nothing.get
    for _ in range(steps):
        total += step(never, prebuilt)["amount"]  # type: ignore[operator]  # a float, as in the other loop
    return (time.perf_counter() - started) / steps * 1e6
