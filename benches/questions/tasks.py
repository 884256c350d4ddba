"""What do `async def` handlers cost: many promises at once, and a map whose branches are coroutines?"""

from __future__ import annotations

import asyncio
import importlib
import json
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any, Literal

from benches import stand_in
from benches.events import NAME, Client, LambdaContext, event_text
from benches.questions import maps, shapes
from benches.questions.memory import resident_bytes

What = Literal["gather", "map", "threads", "memory"]
TASKS = "tasks alone"
"""In the place of an SDK."""


def measure(sdk: str, what: What, steps: int) -> float:
    """Microseconds per operation or item; threads that ran user code; or bytes per item at the peak."""
    if what == "gather":
        return gather(sdk, steps)
    if what == "memory":
        return memory(sdk, steps)
    elapsed, threads = fresh_map(sdk, steps)
    return float(threads) if what == "threads" else elapsed / steps * 1e6


def floor(what: What, steps: int) -> float:
    """The same without an SDK: futures that are done; a task per item, and a client that answers for their updates."""
    if what == "memory":
        return memory(TASKS, steps)
    if what == "map":
        elapsed, _ = bare_map(steps)
        return elapsed / steps * 1e6
    assert what == "gather", what
    futures = [stand_in.future(stand_in.PREBUILT) for _ in range(steps)]
    given = stand_in.Context(None)
    given.step = stand_in.returning_each(iter(futures))
    started = time.perf_counter()
    stand_in.loop().run_until_complete(gathering(steps)(None, given))
    return (time.perf_counter() - started) / steps * 1e6


def gathering(steps: int) -> Any:
    """A handler that awaits all its steps together."""

    async def handler(_: object, context: Any) -> int:
        results = await asyncio.gather(*(context.step(shapes.never, NAME) for _ in range(steps)))
        return sum(result["lines"] >= 0 for result in results)

    return handler


def gather(sdk: str, steps: int) -> float:
    """Microseconds per finished step when all are awaited together."""
    module = importlib.import_module(sdk)
    durable = module.durable_execution(gathering(steps), boto3_client=Client())
    invocation, lambda_context = json.loads(shapes.event(sdk, "steps", steps)), LambdaContext()
    started = time.perf_counter()
    output = durable(invocation, lambda_context)
    elapsed = time.perf_counter() - started
    assert output == {"Status": "SUCCEEDED", "Result": str(steps)}, output
    return elapsed / steps * 1e6


def mapping(items: int, threads: set[int]) -> Any:
    """A handler with a map over so many items, each a step that awaits; it notes the threads that ran its code."""

    async def body(_: object) -> int:
        threads.add(threading.get_ident())
        await asyncio.sleep(0)
        return 1

    async def item(branch: Any, value: int, index: int, inputs: Any) -> int:
        threads.add(threading.get_ident())
        return int(await branch.step(body))

    async def handler(_: object, context: Any) -> int:
        return int((await context.map(range(items), item)).success_count)

    return handler


def fresh_map(sdk: str, items: int) -> tuple[float, int]:
    """Seconds of such a map, and the threads that ran its code."""
    module = importlib.import_module(sdk)
    threads: set[int] = set()
    durable = module.durable_execution(mapping(items, threads), boto3_client=Client())
    started = time.perf_counter()
    output = durable(json.loads(event_text([])), LambdaContext())
    elapsed = time.perf_counter() - started
    assert output == {"Status": "SUCCEEDED", "Result": str(items)}, output
    return elapsed, len(threads)


def bare_map(items: int) -> tuple[float, int]:
    """The same without an SDK."""
    threads: set[int] = set()
    given = stand_in.Context(None)
    given.map = maps.in_tasks(Client(), items)
    started = time.perf_counter()
    ended = stand_in.loop().run_until_complete(mapping(items, threads)(None, given))
    elapsed = time.perf_counter() - started
    assert ended == items, ended
    return elapsed, len(threads)


def memory(sdk: str, items: int) -> float:
    """Bytes per item at the peak, in a process of its own so that no earlier run has left room to reuse."""
    command = [sys.executable, "-m", "benches.questions.tasks", sdk, str(items)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def peak_bytes() -> int:
    """The most that the process has held in memory since the mark was reset."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the kernel does not tell")


def peak(sdk: str, items: int) -> float:
    """Bytes per item between what the process holds before the map and the peak during it."""
    run = bare_map if sdk == TASKS else partial(fresh_map, sdk)
    run(10)
    before = resident_bytes()
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    run(items)
    return (peak_bytes() - before) / items


if __name__ == "__main__":
    print(peak(sys.argv[1], int(sys.argv[2])))
