"""The event loop of async handlers: a selector loop with four seams.

- `create_task`: the scope of a task is taken when it is created, before any task factory is called.
- `select`: the loop is about to block, so no user code can run: the run decides what happens next.
- `call_at`: deadlines are recognised by the callbacks they register.
- `run_in_executor`: jobs on other threads are counted as work from outside.

One loop belongs to each thread that runs handlers. It is kept between invocations, so that module-level clients with
open sockets go on working, and remade after a fork.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import contextvars
import os
import selectors
import threading
import weakref
from collections.abc import Callable, Coroutine, Generator
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar, TypeVarTuple

from durable_execution_sdk._drivers.aio import internals

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

BUSY_TURNS = 256
"""After so many turns without blocking, a loop that only runs step bodies counts as quiescent."""


DRY_TURNS = 16
"""So many turns may pass between two deliveries without a look at the selector."""


_NOWHERE, _BELL, _PIPE = range(3)
"""Where the loop rests, and is woken: nowhere while it runs, for it looks at its queue before it rests."""


class Run(Protocol):
    """What the loop tells the invocation that runs on it."""

    def task_starting(self, coroutine: object) -> None:
        """A task is about to be made; whoever makes it is still the current task."""

    def task_started(self, task: internals.AnyTask, coroutine: object) -> None:
        """The task exists (and has run already if it was started eagerly)."""

    def timer_set(self, handle: asyncio.TimerHandle, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        """A timer was registered."""

    def job_started(self, job: internals.AnyFuture) -> None:
        """Something runs on an executor's thread until `job` is done."""

    def busy(self) -> None:
        """The loop has run `BUSY_TURNS` turns in a row without coming to rest."""

    def quiescent(self, timeout: float | None) -> float | None:
        """The loop is about to block; seconds it may block, None for as long as it likes, 0 to look again."""

    def hash_of(self, coroutine: object) -> int:
        """A hash for the task that runs the coroutine, the same in every replay."""


class _Selector(selectors.DefaultSelector):
    """Asks the run before it blocks.

    While nothing is polled but the loop's own pipe, only another thread can bring anything, and what it hands over
    stands in the loop's queue before it says so. Then nothing is polled, and the loop waits at a bell: that takes a
    third of the time that the pipe takes.
    """

    run: Run | None = None
    turns = 0
    rests_at = _PIPE

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self._bell: SimpleQueue[None] = SimpleQueue()

    def is_idle(self) -> bool:
        """Whether only another thread can bring anything."""
        return len(self.get_map()) <= 1 and not internals.handles_signals(self._loop)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        run = self.run
        if run is None:
            return super().select(timeout)
        if timeout is not None and timeout <= 0:
            self.turns += 1
            if self.turns >= BUSY_TURNS:
                self.turns = 0
                run.busy()
            # Other threads get their turn at the interpreter when descriptors are polled, so that is done in the end.
            return [] if self.turns < DRY_TURNS and self.is_idle() else super().select(0)
        self.turns = 0
        if not self.is_idle() and (events := super().select(0)):
            return events
        left = run.quiescent(timeout)
        if left is not None and left <= 0:
            return []  # nothing was there a moment ago, and the next turn looks again
        return self._rest(left)

    def _rest(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        # First say where the loop rests, then look: what is handed over after the look is followed by a sign.
        self.rests_at = _BELL if self.is_idle() else _PIPE
        try:
            if not internals.nothing_ready(self._loop):
                return []
            if self.rests_at is _PIPE:
                return super().select(timeout)
            with contextlib.suppress(Empty):
                self._bell.get(timeout=timeout)
            return []
        finally:
            self.rests_at = _NOWHERE

    def ring(self) -> None:
        """Wake the loop from its rest at the bell."""
        self._bell.put(None)


class ScopedTask(asyncio.Task[T]):
    """A task whose hash depends on its place in the program and not on its address.

    `TaskGroup` cancels its tasks from a set and `asyncio.wait` returns sets; with the address as hash, their order
    would differ between a run and its replay.
    """

    _scope_hash: int

    def __hash__(self) -> int:
        return self._scope_hash

    def __eq__(self, other: object) -> bool:
        return self is other


class DurableEventLoop(asyncio.SelectorEventLoop):
    """A selector loop that an invocation can look into. Without a run it is an ordinary loop."""

    _run: Run | None = None

    def __init__(self) -> None:
        self._asking = _Selector(self)
        self._posters: set[weakref.ref[threading.Thread]] = set()
        super().__init__(self._asking)

    def set_debug(self, enabled: bool) -> None:
        """Turn asyncio's debug mode on or off."""
        super().set_debug(enabled)
        # Every future asks its loop for the mode when it is made, and `bool()` is the fastest way to say False.
        if enabled:
            self.__dict__.pop("get_debug", None)
        else:
            self.__dict__["get_debug"] = bool

    def attach(self, run: Run | None) -> None:
        """Give the seams to a run, or take them back."""
        self._run = run
        self._asking.run = run
        self._asking.turns = 0
        self._asking.rests_at = _PIPE if run is None else _NOWHERE
        self.posters()  # forgets those that are gone

    def posters(self) -> list[threading.Thread]:
        """Threads that have handed something to the loop; they may do so again."""
        found = []
        for reference in list(self._posters):  # copied in one go: a thread may come to it at any time
            thread = reference()
            if thread is None:
                self._posters.discard(reference)
            else:
                found.append(thread)
        return found

    def poll_only_self_pipe(self) -> bool:
        """Whether no socket, pipe or signal could wake the loop, only a call from another thread."""
        return len(self._asking.get_map()) <= 1

    def is_alone(self) -> bool:
        """Whether nothing is ready, no timer is set, and only another thread can bring anything."""
        return internals.nothing_ready(self) and not internals.timers(self) and self._asking.is_idle()

    def run_dry(self) -> bool:
        """Run what is ready until nothing is; False if that takes a turn that looks at timers and sockets, or too long.

        A delivery wakes a task or two, and between two deliveries nothing else can have happened where the loop listens
        to no socket and has no timer: so the turns between them need not be whole ones.
        """
        if self.get_debug() or not self.poll_only_self_pipe() or internals.has_timers(self):
            return False
        return internals.run_ready(self, DRY_TURNS) and not internals.is_stopping(self)

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: object = None,
        context: contextvars.Context | None = None,
        **options: Any,
    ) -> asyncio.Task[T]:
        """Make a task; with a run, the task's scope is taken first."""
        run = self._run
        if run is None:
            return super().create_task(coro, name=name, context=context, **options)
        run.task_starting(coro)
        factory = self.get_task_factory()
        eager = factory is not None and factory is getattr(asyncio, "eager_task_factory", None)
        if factory is None or eager:
            if eager:
                options.setdefault("eager_start", True)
            task: asyncio.Task[T] = _make_scoped(run, coro, self, name, context, options)
        else:
            task = super().create_task(coro, name=name, context=context, **options)
        run.task_started(task, coro)
        return task

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Register a timer; with a run, deadlines are recognised here."""
        handle = super().call_at(when, callback, *args, context=context)
        if self._run is not None:
            self._run.timer_set(handle, callback, args)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Run a callback on the loop's thread; whoever hands one over once is expected to do so again."""
        self._posters.add(weakref.ref(threading.current_thread()))
        if self.get_debug():  # which refuses `call_soon` here
            handle: asyncio.Handle = super().call_soon_threadsafe(callback, *args, context=context)
        else:
            handle = self.call_soon(callback, *args, context=context)
            if self._asking.rests_at == _PIPE:
                internals.wake(self)
        if self._asking.rests_at == _BELL:
            self._asking.ring()
        return handle

    def run_in_executor(self, executor: Any, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """Run a function on a thread; with a run, it counts as work from outside until it is done."""
        job = super().run_in_executor(executor, func, *args)
        if self._run is not None:
            self._run.job_started(job)
        return job

    def sdk_task(
        self, coro: Coroutine[Any, Any, T], *, hash_value: int, context: contextvars.Context, name: str
    ) -> asyncio.Task[T]:
        """A task of the SDK's own: not counted as a scope, never made by a user's factory."""
        task: ScopedTask[T] = ScopedTask.__new__(ScopedTask)
        task._scope_hash = hash_value
        ScopedTask.__init__(task, coro, loop=self, name=name, context=context)
        return task


def _make_scoped(
    run: Run,
    coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
    loop: asyncio.AbstractEventLoop,
    name: object,
    context: contextvars.Context | None,
    options: dict[str, Any],
) -> ScopedTask[T]:
    # The hash must be there before the task registers itself in asyncio's sets, which its constructor does.
    task: ScopedTask[T] = ScopedTask.__new__(ScopedTask)
    task._scope_hash = run.hash_of(coro)
    ScopedTask.__init__(
        task,
        coro,
        loop=loop,
        name=None if name is None else str(name),
        context=context,
        **options,
    )
    return task


class _Holder:
    """Closes a thread's loop when the thread ends: its thread-local variables go then, and the holder with them."""

    def __init__(self, loop: DurableEventLoop) -> None:
        self.loop = loop
        self.pid = os.getpid()

    def is_usable(self) -> bool:
        """Whether the loop belongs to this process and is open."""
        return self.pid == os.getpid() and not self.loop.is_closed()

    def close(self) -> None:
        """Close the loop; one that was inherited through a fork belongs to the parent, and is let go as it is."""
        if self.is_usable() and not self.loop.is_running():
            self.loop.close()

    def __del__(self) -> None:
        self.close()


class _Owned(threading.local):
    holder: _Holder | None = None


_owned = _Owned()


def loop_of_thread() -> DurableEventLoop:
    """The loop of the calling thread, made at its first async handler and again after a fork."""
    holder = _owned.holder
    if holder is None or not holder.is_usable():
        loop = DurableEventLoop()
        internals.check_runtime(loop)
        holder = _owned.holder = _Holder(loop)
    return holder.loop


def close_loop_of_thread() -> None:
    """Close the calling thread's loop, if it has one: for threads that end, and for the process."""
    holder, _owned.holder = _owned.holder, None
    if holder is not None:
        holder.close()


atexit.register(close_loop_of_thread)
