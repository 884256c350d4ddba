"""Ten thousand suspensions in one process: what is left of each handler is small, whatever it held.

`DURABLE_SUSPENSIONS` asks for another number.
"""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from durable_execution_sdk._drivers.invocation import DurableFunction
from durable_execution_sdk._model.duration import Duration
from tests.house.sources import ROOT
from tests.support.fake_service import FakeService

SUSPENSIONS = int(os.environ.get("DURABLE_SUSPENSIONS", "10000"))
WARM_UP = 500
HOUR = Duration(3600)
HELD_BYTES = 100_000
OF_ONE_TASK, OF_A_FURTHER_TASK, OF_A_BRANCH = 4096, 2048, 10_240
"""Most bytes that may be left. A branch is a task with the SDK's own coroutines around it."""


async def one_task(event: Any, ctx: Any) -> None:
    held = bytearray(HELD_BYTES)
    await ctx.wait(HOUR)
    print(len(held))


async def three_tasks(event: Any, ctx: Any) -> None:
    async def work() -> None:
        held = bytearray(HELD_BYTES)
        await ctx.wait(HOUR)
        print(len(held))

    held = bytearray(HELD_BYTES)
    await asyncio.gather(work(), work())
    print(len(held))


async def a_map_of_two(event: Any, ctx: Any) -> None:
    async def work(branch: Any, item: int, *_: Any) -> None:
        held = bytearray(HELD_BYTES)
        await branch.wait(HOUR)
        print(len(held))

    held = bytearray(HELD_BYTES)
    await ctx.map([1, 2], work)
    print(len(held))


HANDLERS: dict[str, tuple[Callable[[Any, Any], Any], int]] = {
    "one task": (one_task, OF_ONE_TASK),
    "three tasks": (three_tasks, OF_ONE_TASK + 2 * OF_A_FURTHER_TASK),
    "a map of two": (a_map_of_two, OF_ONE_TASK + 2 * OF_A_BRANCH),
}


def resident_bytes() -> int:
    gc.collect()
    with open("/proc/self/statm", encoding="ascii") as table:
        return int(table.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def suspend(handler: Callable[[Any, Any], Any], times: int) -> None:
    durable = DurableFunction(handler)
    for _ in range(times):
        assert FakeService().invoke(durable) == {"Status": "PENDING"}


def bytes_left(name: str, suspensions: int) -> float:
    """What a suspension leaves behind, in this process."""
    handler, _ = HANDLERS[name]
    suspend(handler, WARM_UP)
    before = resident_bytes()
    suspend(handler, suspensions)
    return (resident_bytes() - before) / suspensions


@pytest.mark.parametrize("name", HANDLERS)
def test_what_a_suspension_leaves_is_small(name: str) -> None:
    command = [sys.executable, "-W", "error", "-m", __name__, name, str(SUSPENSIONS)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    assert told.stderr == ""
    assert float(told.stdout) < HANDLERS[name][1]


if __name__ == "__main__":
    print(bytes_left(sys.argv[1], int(sys.argv[2])))
