"""What sockets and threads do after a handler was parked reaches nothing of it, and the next invocation goes on."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import logging
import queue
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from durable_execution_sdk._drivers.aio import internals, parking
from durable_execution_sdk._drivers.aio.loop import DurableEventLoop, loop_of_thread
from durable_execution_sdk._drivers.invocation import DurableFunction
from durable_execution_sdk._model.duration import Duration
from tests.support.fake_service import FakeService
from tests.unit.drivers.scenario import first, whole

Log = list[str]


@pytest.fixture(params=["plain", "debug"])
def loop(request: pytest.FixtureRequest) -> Iterator[DurableEventLoop]:
    """The loop of the invocations, as it is and in asyncio's debug mode."""
    loop = loop_of_thread()
    loop.set_debug(request.param == "debug")
    loop.slow_callback_duration = 60  # a collection may take long
    yield loop
    loop.set_debug(False)


@pytest.fixture
def sockets(loop: DurableEventLoop) -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    near.setblocking(False)
    yield near, far
    near.close()
    far.close()


class Revoking(FakeService):
    """Takes no more from an invocation after its first request: the handler is parked whatever it is doing."""

    def __init__(self) -> None:
        super().__init__()
        self.revoke_at = 1


def park(task: Callable[[], Awaitable[Any]], log: Log) -> None:
    """Run a handler with a task that waits for something outside, and park it there."""

    async def noisy() -> None:
        try:
            await task()
        finally:
            log.append("the task went on")

    async def handler(event: Any, ctx: Any) -> None:
        waiting = asyncio.create_task(noisy())
        await asyncio.sleep(0)
        try:
            await ctx.wait(Duration(5))
        finally:
            log.append(f"the handler went on, {waiting}")

    assert Revoking().invoke(DurableFunction(handler)) == {"Status": "PENDING"}


def next_invocation(loop: DurableEventLoop, caplog: pytest.LogCaptureFixture) -> None:
    """It runs for many turns of the loop, undisturbed, and leaves nothing."""

    async def handler(event: Any, ctx: Any) -> int:
        for _ in range(20):
            await asyncio.sleep(0)
        gc.collect()
        found: int = await ctx.step(lambda step: 7)
        return found

    output, service = first(handler)
    assert output == {"Status": "SUCCEEDED", "Result": "7"}
    assert [update["Action"] for update in service.updates()] == ["START", "SUCCEED"]
    assert not internals.timers(loop)
    assert not internals.ready_handles(loop)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


# --- sockets ---


def test_data_for_a_parked_sock_recv_stays_in_the_socket(
    loop: DurableEventLoop, sockets: tuple[socket.socket, socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    near, far = sockets
    log: Log = []
    park(lambda: loop.sock_recv(near, 100), log)
    far.send(b"late")
    next_invocation(loop, caplog)
    assert log == []
    assert near.recv(100) == b"late"


def test_a_parked_sock_sendall_sends_no_more(
    loop: DurableEventLoop, sockets: tuple[socket.socket, socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    near, far = sockets
    far.setblocking(False)
    log: Log = []
    park(lambda: loop.sock_sendall(near, b"x" * 10_000_000), log)
    received = drained(far)
    assert received > 0
    next_invocation(loop, caplog)
    assert drained(far) == 0
    assert log == []


def drained(end: socket.socket) -> int:
    """How many bytes are there to be read."""
    received = 0
    try:
        while data := end.recv(1_000_000):
            received += len(data)
    except BlockingIOError:
        pass
    return received


def test_readers_that_a_parked_handler_registered_are_not_called(
    loop: DurableEventLoop, sockets: tuple[socket.socket, socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    near, far = sockets
    log: Log = []

    async def task() -> None:
        arrived, told = asyncio.Event(), loop.create_future()

        def on_data() -> None:
            log.append("the reader was called")
            arrived.set()

        loop.add_reader(near, on_data)
        loop.add_writer(far, told.add_done_callback, lambda _: None)
        loop.remove_writer(far)
        await arrived.wait()

    park(task, log)
    far.send(b"late")  # nobody reads it: a reader that is still registered would keep the loop busy for ever
    next_invocation(loop, caplog)
    assert log == []


def test_a_reader_that_would_complete_a_future_is_not_called(
    loop: DurableEventLoop, sockets: tuple[socket.socket, socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    near, far = sockets
    log: Log = []

    async def task() -> None:
        told = loop.create_future()
        loop.add_reader(near, told.set_result, None)
        await told

    park(task, log)
    far.send(b"late")
    next_invocation(loop, caplog)
    assert log == []


def test_streams_that_a_parked_task_reads_from_wake_nobody(
    loop: DurableEventLoop, sockets: tuple[socket.socket, socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    near, far = sockets
    log: Log = []
    writers: list[asyncio.StreamWriter] = []

    async def task() -> None:
        reader, writer = await asyncio.open_connection(sock=near)
        writers.append(writer)
        log.append((await reader.read(100)).decode())

    park(task, log)
    far.send(b"late")
    next_invocation(loop, caplog)
    assert log == []
    writers[0].transport.abort()


def test_a_client_of_the_module_goes_on_with_its_connection(
    loop: DurableEventLoop, sockets: tuple[socket.socket, socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    """It was opened in an invocation that was parked, and is idle."""
    near, far = sockets
    client: list[Any] = []
    log: Log = []

    async def opening() -> None:
        client.extend(await asyncio.open_connection(sock=near))
        await asyncio.get_running_loop().create_future()

    async def using(event: Any, ctx: Any) -> str:
        reader, writer = client
        writer.write(b"question")
        await writer.drain()
        answer: bytes = await reader.read(100)
        writer.close()
        await writer.wait_closed()
        return answer.decode()

    park(opening, log)
    next_invocation(loop, caplog)
    far.send(b"answer")
    assert first(using)[0] == {"Status": "SUCCEEDED", "Result": '"answer"'}
    assert far.recv(100) == b"question"
    assert log == []


# --- threads ---


class Gate:
    """A function for a thread, which ends when it is told to."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self.passed = threading.Event()

    def __call__(self) -> str:
        self._open.wait(60)
        return "late"

    def let_through(self, future: concurrent.futures.Future[str] | None = None) -> None:
        """Open it; returns when the loop has been told what came of it."""
        if future is not None:
            future.add_done_callback(lambda _: self.passed.set())
        self._open.set()
        if future is not None:
            assert self.passed.wait(60)


@pytest.mark.parametrize("way", ["run_in_executor", "wrap_future"])
def test_a_job_that_ends_after_parking_wakes_nobody(
    way: str, loop: DurableEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    gate, log = Gate(), Log()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        jobs: list[concurrent.futures.Future[str]] = []

        async def task() -> None:
            if way == "run_in_executor":
                log.append(await loop.run_in_executor(pool, gate))
            else:
                jobs.append(pool.submit(gate))
                log.append(await asyncio.wrap_future(jobs[0]))

        park(task, log)
        gate.let_through(jobs[0] if jobs else None)
        pool.shutdown()  # the loop has been told
        next_invocation(loop, caplog)
    assert log == []


def test_asyncio_to_thread_that_ends_after_parking_wakes_nobody(
    loop: DurableEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    gate, log = Gate(), Log()
    park(lambda: asyncio.to_thread(gate), log)
    gate.let_through()
    next_invocation(loop, caplog)
    assert log == []


def test_what_a_thread_hands_over_after_parking_reaches_no_parked_task(
    loop: DurableEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    """The thread is nobody's to stop; the callbacks that it posts run, and find futures that nobody waits for."""
    gate, log = Gate(), Log()
    threads: list[threading.Thread] = []

    async def task() -> None:
        future, event, queue = loop.create_future(), asyncio.Event(), asyncio.Queue[str]()

        def work() -> None:
            loop.call_soon_threadsafe(future.set_result, gate())
            loop.call_soon_threadsafe(event.set)
            loop.call_soon_threadsafe(queue.put_nowait, "late")

        async def wait_for_event() -> None:
            await event.wait()
            log.append("the event woke somebody")

        async def wait_for_queue() -> None:
            log.append(await queue.get())

        threads.append(threading.Thread(target=work))
        threads[0].start()
        await asyncio.gather(future, wait_for_event(), wait_for_queue())

    park(task, log)
    gate.let_through()
    threads[0].join()
    next_invocation(loop, caplog)
    assert log == []


def test_a_coroutine_that_a_thread_hands_over_after_parking_can_do_nothing_durable(
    loop: DurableEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    gate, log = Gate(), Log()
    futures: list[concurrent.futures.Future[Any]] = []
    threads: list[threading.Thread] = []

    async def handler(event: Any, ctx: Any) -> None:
        async def late() -> None:
            await ctx.step(lambda step: log.append("a step ran"))

        def work() -> None:
            gate()
            futures.append(asyncio.run_coroutine_threadsafe(late(), loop))

        threads.append(threading.Thread(target=work))
        threads[0].start()
        waiting = asyncio.create_task(asyncio.Event().wait())
        await ctx.wait(Duration(5))
        log.append(f"the handler went on, {waiting}")

    assert Revoking().invoke(DurableFunction(handler)) == {"Status": "PENDING"}
    gate.let_through()
    threads[0].join()
    next_invocation(loop, caplog)
    assert log == []
    with pytest.raises(Exception, match="ended"):
        futures[0].result(60)


def test_a_body_on_a_thread_that_ends_after_parking_is_not_told(
    loop: DurableEventLoop, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, log = Gate(), Log()
    plain = parking.park

    def park_and_let_through(*args: Any) -> list[object]:
        held = plain(*args)
        gate.let_through()
        return held

    async def handler(event: Any, ctx: Any) -> None:
        await asyncio.gather(ctx.step(lambda step: gate()), ctx.wait(Duration(5)))
        log.append("the handler went on")

    monkeypatch.setattr(parking, "park", park_and_let_through)
    assert Revoking().invoke(DurableFunction(handler)) == {"Status": "PENDING"}
    next_invocation(loop, caplog)
    assert log == []


def test_a_timer_of_a_handler_that_returned_does_not_go_off(
    loop: DurableEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    log: Log = []

    async def handler(event: Any, ctx: Any) -> None:
        loop.call_later(3600, log.append, "the timer went off")

    assert first(handler)[0]["Status"] == "SUCCEEDED"
    next_invocation(loop, caplog)
    assert log == []


# --- work that is not to be parked ---


@pytest.fixture
def ask() -> Iterator[Callable[[], Awaitable[str]]]:
    """What a database driver does whose connection has a thread of its own, made before the handler runs."""
    asked: queue.SimpleQueue[asyncio.Future[str] | None] = queue.SimpleQueue()

    def connection() -> None:
        while (question := asked.get()) is not None:
            question.get_loop().call_soon_threadsafe(question.set_result, "yes")

    async def ask() -> str:
        question: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        asked.put(question)
        return await question

    thread = threading.Thread(target=connection)
    thread.start()
    yield ask
    asked.put(None)
    thread.join()


def test_a_thread_of_the_module_answers_in_every_invocation(ask: Callable[[], Awaitable[str]]) -> None:
    async def handler(event: Any, ctx: Any) -> list[str]:
        before = await ask()
        await ctx.wait(Duration(1))
        return [before, await ask()]

    assert whole(handler)[0] == {"Status": "SUCCEEDED", "Result": '["yes", "yes"]'}


def test_a_thread_keeps_an_invocation_alive_that_waits_for_the_service_too(ask: Callable[[], Awaitable[str]]) -> None:
    """The service would never bring what only that thread can lead to."""
    service = FakeService()

    async def handler(event: Any, ctx: Any) -> str:
        await ask()
        callback = await ctx.create_callback()

        async def answer() -> None:
            said = await ask()
            await ctx.step(lambda step: service.complete_callback(callback.callback_id, said))

        answering = asyncio.create_task(answer())
        found: str = await callback.result()
        await answering
        return found

    assert whole(handler, service)[0] == {"Status": "SUCCEEDED", "Result": '"yes"'}
