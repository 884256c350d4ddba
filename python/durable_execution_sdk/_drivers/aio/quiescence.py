"""What the tasks of a handler wait for, and whether anything but the service could wake them.

Called when the loop is about to block, so every task is suspended somewhere. Two sources are combined, because each
alone is fooled: the selector by an idle keep-alive socket, the walk over the tasks by futures that nobody can name.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import types
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from durable_execution_sdk._drivers.aio import internals
from durable_execution_sdk._drivers.aio.loop import DurableEventLoop
from durable_execution_sdk._model.errors import ExecutionError

FEW_TASKS = 8
"""Where there are more, the loop's thread sends nothing itself."""


class ThreadFuture(asyncio.Future[Any]):
    """The outcome of a `def` body on a thread; `blocked_on` is the promise that the thread waits for, if it does."""

    blocked_on: internals.AnyFuture | None = None


@dataclass(slots=True)
class Survey:
    """What a walk over the tasks found."""

    outside: list[str] = field(default_factory=list)
    """Waits that something other than the service may end; the invocation stays alive for them."""
    blocked: dict[str, str] = field(default_factory=dict)
    """Task name -> what it waits for, for messages."""
    bare: list[str] = field(default_factory=list)
    """Waits for futures that nobody can name, while nothing is known that could complete them."""
    durable: set[internals.AnyFuture] = field(default_factory=set)
    """The promises that some task waits for, directly or through others."""

    def deadlock(self) -> ExecutionError:
        """The error for a handler that nothing can wake any more."""
        waits = "; ".join(f"{name} waits for {what}" for name, what in sorted(self.blocked.items()))
        return ExecutionError(f"The handler can never go on: nothing is pending that could wake it. {waits}")


class Surveyor:
    """Classifies waits. One per invocation: it remembers which threads were there before."""

    def __init__(self, loop: DurableEventLoop, is_durable: Callable[[internals.AnyFuture], bool]) -> None:
        self._loop = loop
        self._is_durable = is_durable
        self._threads_before = set(threading.enumerate())
        self._own_threads: set[threading.Thread] = set()
        self._jobs: set[internals.AnyFuture] = set()

    def own(self, thread: threading.Thread) -> None:
        """A thread of the SDK: it wakes nobody that it is not asked to."""
        self._own_threads.add(thread)

    def job_started(self, job: internals.AnyFuture) -> None:
        """Something runs on an executor's thread."""
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    def nothing_else_runs(
        self,
        tasks: Collection[internals.AnyTask],
        bodies: Collection[internals.AnyTask],
        requests: Iterable[tuple[int, internals.AnyFuture]],
    ) -> bool:
        """Whether every task waits for the service and nobody needs the loop, so that its thread may send a request.

        Only few tasks are looked at: of many, some run mostly, and their requests are shared.
        """
        if len(tasks) + len(bodies) > FEW_TASKS or self._jobs or not self._loop.is_alone():
            return False
        waits = {waiter for _, waiter in requests}
        for task in (*tasks, *bodies):
            waiter = internals.waiter_of(task)
            if waiter is None or not (waiter in waits or self._is_durable(waiter)):
                return False
        return True

    def survey(
        self,
        tasks: Collection[internals.AnyTask],
        bodies: Collection[internals.AnyTask],
        promises: Iterable[internals.AnyFuture],
        own_timers: Collection[asyncio.TimerHandle],
        is_service_to_come: Callable[[], bool],
    ) -> Survey:
        """Look at every task of the handler that is not done.

        Args:
            tasks: All of the handler's.
            bodies: Tasks of the SDK's own (step bodies); whoever waits for one is blocked on the handler itself.
            promises: Pending promises, whose callbacks explain futures made by `asyncio.shield` and `asyncio.wait`.
            own_timers: Timers of the SDK, which are no work from outside.
            is_service_to_come: Whether the service will bring something. If not, the handler could never go on, and
                rather waits in vain for a thread than fails what that thread would have gone on with.
        """
        found = Survey()
        tasks = [task for task in tasks if not task.done()]
        explained = self._explained(tasks, promises)
        ours = {*tasks, *(task for task in bodies if not task.done())}
        threads = self._foreign_threads()
        wakeable = self._wakeable(own_timers, threads)
        for task in tasks:
            name = task.get_name()
            waiter = internals.waiter_of(task)
            coroutine = task.get_coro()
            if waiter is None:
                found.outside.append(f"{name} is ready to run")
            elif (waited := internals.waited_set(coroutine)) is not None:
                found.blocked[name] = "asyncio.wait"
                for future in waited:
                    self._classify(future, name, ours, explained, found, wakeable)
            elif internals.waits_in_synchronisation(coroutine) and waiter not in ours and not self._is_durable(waiter):
                innermost = internals.innermost(coroutine)
                what = getattr(innermost, "__qualname__", "a lock or queue")
                found.blocked[name] = what
                if threads:
                    found.outside.append(f"{name} waits in {what} while {threads[0].name} is alive")
            else:
                self._classify(waiter, name, ours, explained, found, wakeable)
        if found.bare and not found.outside and not is_service_to_come() and self._others_run():
            found.outside += found.bare
        return found

    def _classify(
        self,
        future: internals.AnyFuture,
        name: str,
        ours: Collection[internals.AnyFuture],
        explained: dict[internals.AnyFuture, internals.AnyFuture],
        found: Survey,
        wakeable: bool,
    ) -> None:
        seen: set[int] = set()
        todo = [future]
        while todo:
            current = todo.pop()
            if id(current) in seen or current.done():
                continue
            seen.add(id(current))
            if self._is_durable(current):
                found.blocked.setdefault(name, str(current))
                found.durable.add(current)
            elif isinstance(current, ThreadFuture):
                if current.blocked_on is not None:
                    todo.append(current.blocked_on)
                else:
                    found.outside.append(f"{name} runs a body on a thread")
            elif current in ours:
                found.blocked.setdefault(
                    name, f"task {current.get_name() if isinstance(current, asyncio.Task) else current}"
                )
            elif (children := internals.children_of_gather(current)) is not None:
                found.blocked.setdefault(name, "asyncio.gather")
                todo.extend(children)
            elif current in explained:
                todo.append(explained[current])
            else:
                found.blocked.setdefault(name, "something outside the SDK")
                waits = found.outside if wakeable else found.bare
                waits.append(f"{name} waits for something outside the SDK: {current!r}")

    def _explained(
        self, tasks: Iterable[internals.AnyTask], promises: Iterable[internals.AnyFuture]
    ) -> dict[internals.AnyFuture, internals.AnyFuture]:
        explained: dict[internals.AnyFuture, internals.AnyFuture] = {}
        for inner in (*tasks, *promises):
            for callback in internals.callbacks_of(inner):
                for outer in internals.futures_behind(callback):
                    explained.setdefault(outer, inner)
        return explained

    def _wakeable(self, own_timers: Collection[asyncio.TimerHandle], threads: Sequence[threading.Thread]) -> bool:
        """Whether anything registered with the loop, or running beside it, could complete a bare future."""
        if not self._loop.poll_only_self_pipe() or self._jobs or threads:
            return True
        me = threading.current_thread()
        idle = internals.idle_executor_threads(self._loop)
        for thread in self._loop.posters():
            if thread is not me and thread not in self._own_threads and thread not in idle and thread.is_alive():
                return True
        return any(handle not in own_timers for handle in internals.timers(self._loop))

    def _others_run(self) -> bool:
        """Whether any thread runs that might hand something to the loop, though it has not done so before."""
        me = threading.current_thread()
        ours = self._own_threads | internals.idle_executor_threads(self._loop)
        stacks = sys._current_frames()
        return any(
            thread is not me and thread not in ours and not _is_inside_sdk(stacks.get(thread.ident or 0))
            for thread in threading.enumerate()
        )

    def _foreign_threads(self) -> list[threading.Thread]:
        idle = internals.idle_executor_threads(self._loop) if not self._jobs else frozenset()
        return [
            thread
            for thread in threading.enumerate()
            if thread not in self._threads_before and thread not in self._own_threads and thread not in idle
        ]


def _is_inside_sdk(frame: types.FrameType | None) -> bool:
    """Whether a thread waits for the SDK, or runs another handler."""
    while frame is not None:
        if frame.f_code.co_filename.startswith(internals.OWN_CODE):
            return True
        frame = frame.f_back
    return False
