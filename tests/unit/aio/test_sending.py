"""Which thread sends a request while an async handler runs, and how the loop rests and is woken."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import pytest

from durable_execution_sdk._drivers.aio.loop import DurableEventLoop, loop_of_thread
from tests.support.fake_service import FakeService
from tests.unit.drivers.scenario import first

PATIENCE = 30
"""Seconds until a test that would hang fails."""


class Watching(FakeService):
    """Knows who sent, and does something meanwhile."""

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self.senders: list[str] = []
        self.meanwhile = meanwhile

    def checkpoint(self, arn: str, request: Any) -> Any:
        self.senders.append(threading.current_thread().name)
        self.meanwhile()
        return super().checkpoint(arn, request)


async def body(step: Any) -> int:
    return 7


def blocking(step: Any) -> int:
    return 7


def result(output: Any) -> str:
    assert output["Status"] == "SUCCEEDED", output
    return str(output["Result"])


@pytest.fixture
def posters(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the threads that have handed something to a loop."""
    names: list[str] = []
    call = DurableEventLoop.call_soon_threadsafe

    def counted(self: Any, callback: Any, *args: Any, **options: Any) -> Any:
        names.append(threading.current_thread().name)
        return call(self, callback, *args, **options)

    monkeypatch.setattr(DurableEventLoop, "call_soon_threadsafe", counted)
    return names


def test_steps_in_turn_are_sent_by_the_loop_s_thread(posters: list[str]) -> None:
    async def child(inner: Any) -> Any:
        return await inner.step(body)

    async def handler(event: Any, ctx: Any) -> Any:
        return [await ctx.step(body), await ctx.step(blocking), await ctx.run_in_child_context(child)]

    service = Watching()
    assert result(first(handler, service)[0]) == "[7, 7, 7]"
    assert set(service.senders) == {threading.current_thread().name}
    assert posters == ["durable-body"]


def test_a_request_beside_other_work_wakes_the_loop_once(posters: list[str]) -> None:
    async def handler(event: Any, ctx: Any) -> None:
        asyncio.get_running_loop().call_later(3600, int)
        for _ in range(3):
            await ctx.step(body)

    service = Watching()
    result(first(handler, service)[0])
    assert service.senders == ["durable-sender"] * 3
    assert posters == ["durable-sender"] * 3


@pytest.mark.parametrize("where", ["task", "body"])
def test_sockets_do_not_starve_while_a_request_is_on_its_way(where: str) -> None:
    near, far = socket.socketpair()
    near.setblocking(False)
    far.settimeout(PATIENCE)
    asked = []

    def ask() -> None:
        if not asked:
            asked.append(far.send(b"?"))
            assert far.recv(1) == b"!"

    async def answer(*_: Any) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_recv(near, 1)
        await loop.sock_sendall(near, b"!")

    async def handler(event: Any, ctx: Any) -> Any:
        answering = asyncio.create_task(answer()) if where == "task" else ctx.step(answer, name="answer")
        value = await ctx.step(body)
        await answering
        return value

    with near, far:
        assert result(first(handler, Watching(ask))[0]) == "7"


def test_threads_do_not_wait_while_a_request_is_on_its_way() -> None:
    begun, gate = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        assert gate.wait(PATIENCE)

    def child(inner: Any) -> None:
        assert begun.wait(PATIENCE)
        inner.step(lambda step: gate.set())  # the loop starts it

    async def handler(event: Any, ctx: Any) -> Any:
        value, _ = await asyncio.gather(ctx.step(body), ctx.run_in_child_context(child))
        return value

    assert result(first(handler, Watching(hold))[0]) == "7"


def test_a_transport_may_run_a_loop_of_its_own() -> None:
    found = []

    async def outside() -> None:
        await asyncio.sleep(0)
        found.append(asyncio.get_running_loop())

    async def handler(event: Any, ctx: Any) -> Any:
        value = await ctx.step(body)
        return [value, asyncio.get_running_loop() is loop_of_thread()]

    service = Watching(lambda: asyncio.run(outside()))
    assert result(first(handler, service)[0]) == "[7, true]"
    assert service.senders == [threading.current_thread().name]
    assert loop_of_thread() not in found


def test_a_service_may_run_another_handler_before_it_answers() -> None:
    async def inner(event: Any, ctx: Any) -> Any:
        return await ctx.step(body)

    found = []

    async def handler(event: Any, ctx: Any) -> Any:
        return await ctx.step(body)

    service = Watching(lambda: found.append(first(inner)[0]))
    assert result(first(handler, service)[0]) == "7"
    assert [result(output) for output in found] == ["7"]


def test_ctrl_c_in_a_request_ends_the_invocation() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    ended = []

    async def handler(event: Any, ctx: Any) -> None:
        try:
            await ctx.step(body)
        finally:
            ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        first(handler, Watching(interrupt))
    assert ended == []

    async def another(event: Any, ctx: Any) -> Any:
        return await ctx.step(body)

    assert result(first(another)[0]) == "7"


@pytest.mark.parametrize("signals", ["python", "asyncio"])
def test_signals_reach_a_loop_that_rests(signals: str) -> None:
    came = threading.Event()

    def kill(step: Any) -> bool:
        os.kill(os.getpid(), signal.SIGUSR1)
        return came.wait(PATIENCE)

    async def handler(event: Any, ctx: Any) -> Any:
        loop = asyncio.get_running_loop()
        if signals == "asyncio":
            loop.add_signal_handler(signal.SIGUSR1, came.set)
        try:
            return await ctx.step(kill)
        finally:
            if signals == "asyncio":
                loop.remove_signal_handler(signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, lambda *_: came.set())
    try:
        assert result(first(handler)[0]) == "true"
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("polled", ["nothing", "a socket"])
def test_threads_wake_a_loop_that_rests(polled: str) -> None:
    posts, count = SimpleQueue[Any](), 200

    def post() -> None:
        while (future := posts.get()) is not None:
            future.get_loop().call_soon_threadsafe(future.set_result, 1)

    async def handler(event: Any, ctx: Any) -> Any:
        loop = asyncio.get_running_loop()
        total = await ctx.step(body)
        if polled == "a socket":
            loop.add_reader(near, int)
        for _ in range(count):
            future = loop.create_future()
            posts.put(future)
            total += await future
        loop.remove_reader(near)
        return total

    near, far = socket.socketpair()
    with near, far:
        thread = threading.Thread(target=post)
        thread.start()
        try:
            assert result(first(handler)[0]) == str(count + 7)
        finally:
            posts.put(None)
            thread.join()
