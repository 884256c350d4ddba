"""How many threads run the `def` bodies of an async handler."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from durable_execution_sdk._drivers.aio import colours
from durable_execution_sdk._drivers.aio.colours import FIRST_THREADS, WATCH_SECONDS, Workers
from tests.unit.drivers.scenario import first

BODIES = 3 * FIRST_THREADS
PATIENCE = 30
"""Seconds until a test that would hang fails."""


def test_there_are_more_threads_where_none_of_the_bodies_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(colours, "time", SimpleNamespace(monotonic=lambda: now))
    threads: list[threading.Thread] = []
    turnstile = threading.Semaphore(0)

    async def bodies() -> None:
        nonlocal now
        loop: Any = asyncio.get_running_loop()
        workers = Workers(loop, threads.append)
        assert workers.watch() is None
        calls = {asyncio.ensure_future(workers.call(turnstile.acquire)) for _ in range(BODIES)}
        await asyncio.sleep(0)
        assert len(threads) == FIRST_THREADS
        assert workers.watch() == WATCH_SECONDS
        now = WATCH_SECONDS / 4
        assert workers.watch() == WATCH_SECONDS * 3 / 4
        turnstile.release()
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        now = WATCH_SECONDS
        assert workers.watch() == WATCH_SECONDS
        assert len(threads) == FIRST_THREADS
        now = 2 * WATCH_SECONDS
        assert workers.watch() == WATCH_SECONDS
        assert len(threads) == 2 * FIRST_THREADS
        now = 3 * WATCH_SECONDS
        workers.watch()
        assert len(threads) == BODIES - 1
        assert workers.watch() is None
        turnstile.release(BODIES - 1)
        await asyncio.wait(calls)
        workers.close(abandon=False)

    asyncio.run(bodies())


@pytest.mark.parametrize("polling", [False, True])
def test_bodies_may_wait_for_each_other(polling: bool) -> None:
    together, met = threading.Barrier(BODIES), threading.Event()

    def body(step: Any) -> int:
        together.wait(PATIENCE)
        met.set()
        return 1

    async def handler(event: Any, ctx: Any) -> Any:
        begun = ctx.step(lambda step: 0)
        steps = [ctx.step(body) for _ in range(BODIES)]
        await begun
        while polling and not met.is_set():  # noqa: ASYNC110 # a loop that never rests
            await asyncio.sleep(0)
        return sum(await asyncio.gather(*steps))

    assert first(handler)[0] == {"Status": "SUCCEEDED", "Result": str(BODIES)}
