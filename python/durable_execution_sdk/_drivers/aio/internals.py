"""Everything of asyncio that is private to it and that this driver reads, in one place.

Suspension by parking, quiescence and scopes need to know what each task waits for and what the loop still has to run.
asyncio has no public question for that, so the attributes below are read here and nowhere else. `check_runtime` holds
each of them once against a running loop; where one is missing or means something else, the first async handler raises
an error that names the Python version instead of misbehaving later.
"""

from __future__ import annotations

import asyncio
import asyncio.locks
import asyncio.queues
import asyncio.taskgroups
import asyncio.tasks
import contextvars
import sys
import threading
import types
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sized
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")
AnyTask: TypeAlias = "asyncio.Task[Any]"
AnyFuture: TypeAlias = "asyncio.Future[Any]"
Callback: TypeAlias = Callable[..., object]

_SYNCHRONISATION_FILES = frozenset(
    module.__file__ for module in (asyncio.locks, asyncio.queues, asyncio.taskgroups) if module.__file__ is not None
)
_TASKS_FILE = asyncio.tasks.__file__

OWN_CODE = __file__.partition("_drivers")[0]
"""Where the files of the SDK are."""


class UnsupportedRuntimeError(RuntimeError):
    """This Python's asyncio does not look as the driver expects; async handlers cannot run on it."""


# --- tasks and futures --------------------------------------------------------------------------------------------


def waiter_of(task: AnyTask) -> AnyFuture | None:
    """The future whose result the task waits for; None if it is ready to run or done."""
    waiter: AnyFuture | None = task._fut_waiter  # type: ignore[attr-defined] # private by asyncio's choice
    return waiter


def current_tasks() -> dict[asyncio.AbstractEventLoop, AnyTask]:
    """Which task each loop runs; the one dictionary that asyncio keeps."""
    running: dict[asyncio.AbstractEventLoop, AnyTask] = asyncio.tasks._current_tasks  # type: ignore[attr-defined] # private by asyncio's choice
    return running


def callbacks_of(future: AnyFuture) -> list[Callback]:
    """The callbacks that will run when the future is done."""
    entries: list[tuple[Callback, contextvars.Context]] | None = future._callbacks
    return [entry[0] for entry in entries] if entries else []


def has_callbacks(future: AnyFuture) -> bool:
    """Whether anything would run when the future is done."""
    return bool(future._callbacks)


def must_cancel(task: AnyTask) -> bool:
    """Whether a cancellation was asked for that the task has not seen yet."""
    return bool(task._must_cancel)  # type: ignore[attr-defined] # private by asyncio's choice


def children_of_gather(future: AnyFuture) -> list[AnyFuture] | None:
    """The futures behind `asyncio.gather(...)`, or None if this is no such future."""
    children: list[AnyFuture] | None = getattr(future, "_children", None)
    return children


def wakeup_of(task: AnyTask, future: AnyFuture) -> Callback | None:
    """The callback through which `future` would wake `task`."""
    for callback in callbacks_of(future):
        if getattr(callback, "__self__", None) is task:
            return callback
    return None


def futures_behind(callback: Callback) -> Iterator[AnyFuture]:
    """Futures that a callback of asyncio's own will complete: the outer side of `shield`, the waiter of `wait`."""
    function = getattr(callback, "__func__", callback)
    for cell in getattr(function, "__closure__", None) or ():
        try:
            content = cell.cell_contents
        except ValueError:  # an empty cell
            continue
        if asyncio.isfuture(content):
            yield content


def forget_task(task: AnyTask) -> None:
    """Take a task that will never run again out of asyncio's books, and let it die without a word."""
    asyncio.tasks._unregister_task(task)
    task._log_destroy_pending = False  # type: ignore[attr-defined] # private by asyncio's choice


def silence(future: AnyFuture) -> None:
    """Mark an exception of the future as seen: it is recorded, or nobody can see it any more."""
    future._log_traceback = False


# --- what a coroutine is doing ------------------------------------------------------------------------------------


def awaited_by(awaitable: object) -> object | None:
    """What a suspended coroutine, generator or async generator waits for, one level down."""
    if isinstance(awaitable, types.CoroutineType):
        return awaitable.cr_await
    if isinstance(awaitable, types.GeneratorType):
        return awaitable.gi_yieldfrom
    if isinstance(awaitable, types.AsyncGeneratorType):
        return awaitable.ag_await
    return None


def frame_of(awaitable: object) -> types.FrameType | None:
    """The frame of a suspended coroutine, generator or async generator."""
    if isinstance(awaitable, types.CoroutineType):
        return awaitable.cr_frame
    if isinstance(awaitable, types.GeneratorType):
        return awaitable.gi_frame
    if isinstance(awaitable, types.AsyncGeneratorType):
        return awaitable.ag_frame
    return None


def chain_of(coroutine: object) -> Iterator[object]:
    """The coroutine and all that it awaits, outermost first."""
    current: object | None = coroutine
    while current is not None and frame_of(current) is not None:
        yield current
        current = awaited_by(current)


def innermost(coroutine: object) -> object | None:
    """The last of `chain_of`."""
    last = None
    for last in chain_of(coroutine):  # noqa: B007 # the loop exists for its last value
        pass
    return last


def waits_in_synchronisation(coroutine: object) -> bool:
    """Whether it is blocked on a lock, event, condition, semaphore, queue or the exit of a task group."""
    frame = frame_of(innermost(coroutine))
    return frame is not None and frame.f_code.co_filename in _SYNCHRONISATION_FILES


def waited_set(coroutine: object) -> list[AnyFuture] | None:
    """The futures given to `asyncio.wait` if that is where the coroutine is blocked."""
    frame = frame_of(innermost(coroutine))
    if frame is None or frame.f_code.co_filename != _TASKS_FILE or frame.f_code.co_name != "_wait":
        return None
    return list(frame.f_locals["fs"])


# --- the loop -----------------------------------------------------------------------------------------------------


def ready_handles(loop: asyncio.AbstractEventLoop) -> list[asyncio.Handle]:
    """Callbacks that run in the next turn."""
    return list(loop._ready)  # type: ignore[attr-defined] # private by asyncio's choice


def ready_queue(loop: asyncio.AbstractEventLoop) -> Sized:
    """Where callbacks wait for the next turn; the same object for as long as the loop lives."""
    queue: Sized = loop._ready  # type: ignore[attr-defined] # private by asyncio's choice
    return queue


def run_ready(loop: asyncio.AbstractEventLoop, turns: int) -> bool:
    """Run what is ready, and what becomes ready by that, as so many turns would; whether nothing is left."""
    ready: deque[Any] = loop._ready  # type: ignore[attr-defined] # private by asyncio's choice
    for _ in range(turns):
        if not ready:
            return True
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()
    return not ready


def is_stopping(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the loop stops after this turn."""
    return bool(loop._stopping)  # type: ignore[attr-defined] # private by asyncio's choice


def has_timers(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether any timer is set, cancelled ones included."""
    return bool(loop._scheduled)  # type: ignore[attr-defined] # private by asyncio's choice


def nothing_ready(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the next turn would run nothing."""
    return not loop._ready  # type: ignore[attr-defined] # private by asyncio's choice


def timers(loop: asyncio.AbstractEventLoop) -> list[asyncio.TimerHandle]:
    """Timers that are neither due nor cancelled."""
    handles: list[asyncio.TimerHandle] = loop._scheduled  # type: ignore[attr-defined] # private by asyncio's choice
    return [handle for handle in handles if not handle.cancelled()]


def drop_cancelled_handles(loop: asyncio.AbstractEventLoop) -> None:
    """Remove cancelled ones at once; asyncio keeps timers, and what they reference, until they would be due."""
    import heapq

    ready: deque[asyncio.Handle] = loop._ready  # type: ignore[attr-defined] # private by asyncio's choice
    for handle in [] if loop.is_running() else list(ready):  # a turn has counted how many it will run
        if handle.cancelled():
            ready.remove(handle)
    scheduled: list[asyncio.TimerHandle] = loop._scheduled  # type: ignore[attr-defined] # private by asyncio's choice
    kept = [handle for handle in scheduled if not handle.cancelled()]
    for handle in scheduled:
        if handle.cancelled():
            handle._scheduled = False  # type: ignore[attr-defined] # private by asyncio's choice
    scheduled[:] = kept
    heapq.heapify(scheduled)
    loop._timer_cancelled_count = 0  # type: ignore[attr-defined] # private by asyncio's choice


def context_of(handle: asyncio.Handle) -> contextvars.Context:
    """The context that the callback will run in."""
    context: contextvars.Context = handle._context  # type: ignore[attr-defined] # private by asyncio's choice
    return context


def callback_of(handle: asyncio.Handle) -> object:
    """The function that the handle will call; None once cancelled."""
    callback: object = handle._callback  # type: ignore[attr-defined] # private by asyncio's choice
    return callback


def self_pipe_fd(loop: asyncio.AbstractEventLoop) -> int:
    """The descriptor through which other threads wake the loop."""
    fd: int = loop._ssock.fileno()  # type: ignore[attr-defined] # private by asyncio's choice
    return fd


def beside(loop: asyncio.AbstractEventLoop, function: Callable[[], T]) -> T:
    """Call a function on the thread that runs the loop as if it ran none: the function may run one of its own."""
    asyncio._set_running_loop(None)
    try:
        return function()
    finally:
        asyncio._set_running_loop(loop)


def wake(loop: asyncio.AbstractEventLoop) -> None:
    """Write to the loop's own pipe, from any thread."""
    loop._write_to_self()  # type: ignore[attr-defined] # private by asyncio's choice


def handles_signals(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether signals are handed to the loop through its pipe."""
    return bool(loop._signal_handlers)  # type: ignore[attr-defined] # private by asyncio's choice


def descriptors(loop: asyncio.AbstractEventLoop) -> Iterator[tuple[int, asyncio.Handle | None, asyncio.Handle | None]]:
    """What is polled: the descriptor, and what the loop calls when it can be read and when it can be written."""
    for key in list(loop._selector.get_map().values()):  # type: ignore[attr-defined] # private by asyncio's choice
        yield key.fd, *key.data


def arguments_of(handle: asyncio.Handle) -> tuple[object, ...]:
    """What the handle will call its function with."""
    return tuple(handle._args or ())


def idle_executor_threads(loop: asyncio.AbstractEventLoop) -> frozenset[threading.Thread]:
    """The threads of the loop's default executor; they are kept after their jobs are done."""
    executor = getattr(loop, "_default_executor", None)
    return frozenset(getattr(executor, "_threads", ()))


def live_async_generators(loop: asyncio.AbstractEventLoop) -> list[types.AsyncGeneratorType[Any, Any]]:
    """Async generators that were started on the loop and are not finished."""
    return list(loop._asyncgens)  # type: ignore[attr-defined] # private by asyncio's choice


def forget_async_generator(loop: asyncio.AbstractEventLoop, generator: types.AsyncGeneratorType[Any, Any]) -> None:
    """Let the loop not close this generator any more."""
    loop._asyncgens.discard(generator)  # type: ignore[attr-defined] # private by asyncio's choice


# --- one check, once ----------------------------------------------------------------------------------------------


async def _probe(loop: asyncio.AbstractEventLoop) -> list[str]:
    """Hold each assumption against the running loop; returns what does not hold."""
    wrong: list[str] = []

    def expect(holds: bool, what: str) -> None:
        if not holds:
            wrong.append(what)

    event = asyncio.Event()
    bare = loop.create_future()

    async def blocked_on(awaitable: Awaitable[Any]) -> None:
        await awaitable

    lock_task = loop.create_task(blocked_on(event.wait()))
    wait_task = loop.create_task(blocked_on(asyncio.wait([bare])))
    gathered = asyncio.gather(bare)
    shielded = asyncio.shield(bare)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiter = waiter_of(lock_task)
    expect(asyncio.isfuture(waiter), "Task._fut_waiter")
    if waiter is not None:
        expect(wakeup_of(lock_task, waiter) is not None, "Future._callbacks")
    expect(waits_in_synchronisation(lock_task.get_coro()), "the coroutine chain (cr_await)")
    expect(waited_set(wait_task.get_coro()) == [bare], "the frame of asyncio.wait")
    expect(children_of_gather(gathered) == [bare], "_GatheringFuture._children")
    expect(
        any(future is shielded for callback in callbacks_of(bare) for future in futures_behind(callback)),
        "the callback of asyncio.shield",
    )
    expect(not must_cancel(lock_task), "Task._must_cancel")
    handle = loop.call_later(3600, print)
    expect(handle in timers(loop) and isinstance(context_of(handle), contextvars.Context), "TimerHandle._context")
    handle.cancel()
    drop_cancelled_handles(loop)
    expect(handle not in loop._scheduled, "BaseEventLoop._scheduled")  # type: ignore[attr-defined] # as above
    soon = loop.call_soon(lambda: None)
    expect(soon in ready_handles(loop) and len(ready_queue(loop)) > 0, "BaseEventLoop._ready")
    expect(run_ready(loop, 1) and not is_stopping(loop) and not has_timers(loop), "Handle._run")
    expect(current_tasks().get(loop) is asyncio.current_task(), "asyncio.tasks._current_tasks")
    expect(not handles_signals(loop), "BaseEventLoop._signal_handlers")
    wake(loop)
    expect(self_pipe_fd(loop) >= 0, "BaseSelectorEventLoop._ssock")
    polled = {fd: reader for fd, reader, _ in descriptors(loop)}
    expect(isinstance(polled.get(self_pipe_fd(loop)), asyncio.Handle), "BaseSelectorEventLoop._selector")
    live_async_generators(loop)
    bare.set_result(None)
    event.set()
    await asyncio.gather(lock_task, wait_task, gathered, shielded)
    return wrong


_checked = False


def check_runtime(loop: asyncio.AbstractEventLoop) -> None:
    """Raise UnsupportedRuntimeError unless asyncio's private parts are what this module takes them for.

    Runs once per process, on a loop that is not running yet.
    """
    global _checked  # noqa: PLW0603 # the result of one check per process
    if _checked:
        return
    version = sys.version.split()[0]
    try:
        wrong = loop.run_until_complete(_probe(loop))
    except AttributeError as problem:
        wrong = [str(problem)]
    if wrong:
        raise UnsupportedRuntimeError(
            f"async handlers do not support Python {version}: asyncio changed {', '.join(wrong)}. "
            "Use a supported Python version (3.11 to 3.13), or a `def` handler"
        )
    _checked = True
