"""Nothing parked runs again, and what it held is let go."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import subprocess
import sys
import textwrap
import weakref

from durable_execution_sdk._drivers.aio import internals, parking
from durable_execution_sdk._drivers.aio.loop import DurableEventLoop

BELONGS: contextvars.ContextVar[object] = contextvars.ContextVar("belongs", default=None)


class Big:
    pass


async def _turn(turns: int = 3) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


def park_tasks(*coroutines: object) -> list[str]:
    """Start the coroutines on a loop, park them, go on with the loop; what they wrote into `log`."""
    loop = DurableEventLoop()
    owner = object()

    async def scenario() -> None:
        context = contextvars.copy_context()
        context.run(BELONGS.set, owner)
        tasks = [loop.create_task(coroutine, context=context.copy()) for coroutine in coroutines]  # type: ignore[arg-type] # coroutines, given as objects
        await _turn()
        parking.park(loop, tasks, BELONGS, owner)
        del tasks
        gc.collect()
        await _turn()

    try:
        loop.run_until_complete(scenario())
    finally:
        loop.close()
    gc.collect()
    return []


def test_finally_and_context_exits_do_not_run_and_locals_are_released() -> None:
    log: list[str] = []
    refs: list[weakref.ref[Big]] = []

    async def inner(held: Big) -> None:
        refs.append(weakref.ref(held))
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            log.append("inner finally")

    async def handler() -> None:
        big = Big()
        refs.append(weakref.ref(big))
        try:
            await inner(Big())
        finally:
            log.append(f"finally {big}")

    park_tasks(handler())
    assert log == []
    assert [ref() for ref in refs] == [None, None]


def test_loop_over_a_list_does_not_keep_the_list() -> None:
    refs: list[weakref.ref[Big]] = []

    async def handler() -> None:
        for item in [Big() for _ in range(3)]:
            refs.append(weakref.ref(item))
            await asyncio.get_running_loop().create_future()

    async def with_enumerate() -> None:
        for _index, item in enumerate([Big(), Big()]):
            refs.append(weakref.ref(item))
            await asyncio.get_running_loop().create_future()

    park_tasks(handler(), with_enumerate())
    assert [ref() for ref in refs] == [None, None]


def test_free_variables_belong_to_somebody_else() -> None:
    shared = {"kept": True}

    async def handler() -> None:
        shared["seen"] = True
        await asyncio.get_running_loop().create_future()
        shared.clear()

    park_tasks(handler())
    assert shared == {"kept": True, "seen": True}


def test_cells_that_a_living_closure_uses_are_kept() -> None:
    getters = []

    async def handler() -> None:
        value = "still here"
        getters.append(lambda: value)
        await asyncio.get_running_loop().create_future()

    park_tasks(handler())
    assert getters[0]() == "still here"


def test_timers_of_the_handler_are_gone_and_those_of_others_stay() -> None:
    log: list[str] = []
    loop = DurableEventLoop()
    owner = object()

    async def handler() -> None:
        asyncio.get_running_loop().call_later(0.001, log.append, "handler's timer")
        await asyncio.sleep(0.001)
        log.append("handler went on")

    async def scenario() -> None:
        context = contextvars.copy_context()
        context.run(BELONGS.set, owner)
        task = loop.create_task(handler(), context=context)
        others = loop.create_future()
        loop.call_later(0.002, others.set_result, None)
        await _turn()
        parking.park(loop, [task], BELONGS, owner)
        del task
        await others
        log.append("other timer")

    loop.run_until_complete(scenario())
    loop.close()
    assert log == ["other timer"]


def test_suspended_coroutines_held_in_values_are_not_unwound() -> None:
    log: list[str] = []

    async def noisy() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            log.append("unwound")

    async def handler() -> None:
        held = [noisy()]
        alone = noisy()
        for coroutine in (held[0], alone):
            coroutine.send(None)
        await asyncio.get_running_loop().create_future()

    park_tasks(handler())
    assert log == []


def test_async_generators_are_not_closed() -> None:
    log: list[str] = []

    async def ticks() -> object:  # an async generator
        try:
            yield 1
            await asyncio.get_running_loop().create_future()
        finally:
            log.append("closed")

    async def handler() -> None:
        async for _ in ticks():  # type: ignore[attr-defined] # see above
            pass

    park_tasks(handler())
    assert log == []


def test_a_lock_that_a_parked_task_waits_for_does_not_wake_it() -> None:
    log: list[str] = []
    loop = DurableEventLoop()
    owner = object()

    async def handler(lock: asyncio.Lock) -> None:
        async with lock:
            log.append("got the lock")

    async def scenario() -> None:
        lock = asyncio.Lock()
        await lock.acquire()
        context = contextvars.copy_context()
        context.run(BELONGS.set, owner)
        task = loop.create_task(handler(lock), context=context)
        await _turn()
        parking.park(loop, [task], BELONGS, owner)
        lock.release()
        await _turn()

    loop.run_until_complete(scenario())
    loop.close()
    assert log == []


def test_nothing_runs_or_warns_at_interpreter_exit() -> None:
    program = textwrap.dedent("""
        import asyncio, contextvars, gc
        from durable_execution_sdk._drivers.aio import parking
        from durable_execution_sdk._drivers.aio.loop import DurableEventLoop
        belongs = contextvars.ContextVar("belongs", default=None)
        async def ticks():
            try:
                yield 1
                await asyncio.get_running_loop().create_future()
            finally:
                print("generator closed")
        async def handler():
            try:
                async for _ in ticks():
                    pass
            finally:
                print("finally")
        async def scenario(loop):
            belongs.set(1)
            task = loop.create_task(handler())
            other = loop.create_task(asyncio.sleep(100))
            for _ in range(3):
                await asyncio.sleep(0)
            parking.park(loop, [task, other], belongs, 1)
        loop = DurableEventLoop()
        loop.run_until_complete(scenario(loop))
        gc.collect()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        print("end")
    """)
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("end\n", "", 0)


def test_what_is_ready_in_the_same_turn_as_parking_is_passed_over() -> None:
    """The turn has counted its callbacks before: it must find as many."""
    log: list[str] = []
    loop = DurableEventLoop()
    owner = object()

    async def handler() -> None:
        await asyncio.get_running_loop().create_future()

    async def scenario() -> None:
        context = contextvars.copy_context()
        context.run(BELONGS.set, owner)
        task = loop.create_task(handler(), context=context)
        await _turn()
        loop.call_soon(parking.park, loop, [task], BELONGS, owner)
        loop.call_soon(log.append, "handler's callback", context=context)
        await _turn()
        log.append("the loop goes on")

    loop.run_until_complete(scenario())
    loop.close()
    assert log == ["the loop goes on"]


def test_the_runtime_is_checked_once_against_a_loop() -> None:
    loop = DurableEventLoop()
    internals.check_runtime(loop)
    internals.check_runtime(loop)
    loop.close()
