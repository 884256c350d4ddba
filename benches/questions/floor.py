"""What would a replayed step cost if the SDK did nothing at all?

The same loop as in `replay`, over a method of an extension type that takes the same arguments and returns a prebuilt
object: `dict.get` with its default. No Python SDK can be faster than that. Under asyncio, the loop awaits a future
that is done. For fresh steps it is a request without an SDK: by a boto3 client, or as prepared bytes.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Literal

from benches.questions import wire

PREBUILT = {"order": "A-1", "amount": 0.25, "paid": True, "lines": 1}


Way = Literal["called", "awaited", "gathered", "boto3 alone", "socket alone"]


def measure(sdk: str, steps: int, way: Way = "called", latency_ms: int = 0, **_: Any) -> float:
    """In the unit of its row, per turn of the loop; what else the row measures is no matter here."""
    if way == "called":
        return called(steps)
    if way == "awaited":
        return asyncio.run(awaited(steps))
    if way == "gathered":
        return asyncio.run(gathered(steps))
    return wire.measure(sdk, way, steps, latency_ms)


def never(_: object) -> dict[str, object]:
    """What the loops pass along."""
    raise AssertionError("the floor calls nothing")


def called(steps: int) -> float:
    """A loop of calls."""
    nothing: dict[object, Any] = {}
    started = time.perf_counter()
    total = 0.0
    step = nothing.get
    for _ in range(steps):
        total += step(never, PREBUILT)["amount"]
    return (time.perf_counter() - started) / steps * 1e6


async def awaited(steps: int) -> float:
    """A loop that awaits one after another."""
    nothing: dict[object, Any] = {}
    done = asyncio.get_running_loop().create_future()
    done.set_result(PREBUILT)
    started = time.perf_counter()
    total = 0.0
    step = nothing.get
    for _ in range(steps):
        total += (await step(never, done))["amount"]
    return (time.perf_counter() - started) / steps * 1e6


async def gathered(steps: int) -> float:
    """One gather over as many futures, all done."""
    loop = asyncio.get_running_loop()
    futures = [loop.create_future() for _ in range(steps)]
    for future in futures:
        future.set_result(PREBUILT)
    started = time.perf_counter()
    results = await asyncio.gather(*futures)
    sum(result["lines"] >= 0 for result in results)
    return (time.perf_counter() - started) / steps * 1e6
