"""Driving executions: invoking handlers until an execution ends, and waiting in between.

An execution that a caller runs is driven on the caller's thread. All others (chained invokes, executions started in the
background) are looked after by one `Pump` thread, which starts a thread per running invocation, up to a limit; an
execution that only waits costs no thread. Whoever has nothing to do waits at the `Pulse`, which knows when nothing at
all can happen before the next timer: that is when a virtual clock jumps. While somebody waits there, the store is asked
every 50 ms whether another process wrote to it; nothing polls otherwise.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from durable_execution_sdk.engine.clock import EngineClock
from durable_execution_sdk.engine.driving import Action, Done, Driving, Invoke, Wait
from durable_execution_sdk.engine.errors import EngineError, ExecutionBusy
from durable_execution_sdk.engine.functions import Functions
from durable_execution_sdk.engine.invoking import Invoker
from durable_execution_sdk.engine.locks import DriverLocks
from durable_execution_sdk.engine.records import RUNNING, Abandoned, ExecutionRecord
from durable_execution_sdk.engine.service import Service
from durable_execution_sdk.engine.store import Selection, Store
from durable_execution_sdk.engine.updates import error_text

POLL_SECONDS: Final = 0.05
CLOSE_SECONDS: Final = 2.0


class Pulse:
    """Where driving threads wait for time to pass or for something to change."""

    def __init__(self, clock: EngineClock, store: Store, *, shared: bool) -> None:
        self._clock = clock
        self._store = store
        self._poll = POLL_SECONDS if shared else None
        self._condition = threading.Condition()
        self._generation = 0
        self._busy = 0
        self._dues: dict[int, int | None] = {}
        self.closed = False
        self.elsewhere = 0
        """Counts the writes of other processes that were noticed."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return self._clock.now_ms()

    @property
    def generation(self) -> int:
        """Changes whenever something has changed: read it before looking at the state one may have to wait for."""
        with self._condition:
            return self._generation

    def notify(self) -> None:
        """Something has changed."""
        with self._condition:
            self._generation += 1
            self._condition.notify_all()

    def close(self) -> None:
        """Wake everybody for good."""
        with self._condition:
            self.closed = True
            self._generation += 1
            self._condition.notify_all()

    def enter(self) -> None:
        """The calling thread may change something from now on."""
        with self._condition:
            self._busy += 1

    def leave(self) -> None:
        """It will not any more."""
        with self._condition:
            self._busy -= 1
            self._condition.notify_all()

    def wait(self, generation: int, due_ms: int | None) -> None:
        """Wait until something changes after `generation`, or until `due_ms`. The thread has entered."""
        ticket = threading.get_ident()
        with self._condition:
            self._busy -= 1
            self._dues[ticket] = due_ms
            self._condition.notify_all()
            try:
                while self._generation == generation and not self.closed:
                    if due_ms is not None and due_ms <= self._clock.now_ms():
                        return
                    if self._jump() or self._look_elsewhere():
                        continue
                    self._condition.wait(self._patience(due_ms))
            finally:
                del self._dues[ticket]
                self._busy += 1

    def watch(self, generation: int, deadline: float | None) -> bool:
        """Wait until something changes; False if the deadline (monotonic) came first. For threads that only look."""
        with self._condition:
            while self._generation == generation and not self.closed:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return False
                if self._look_elsewhere():
                    continue
                waits = [seconds for seconds in (left, self._poll) if seconds is not None]
                self._condition.wait(min(waits, default=None))
            return True

    def _jump(self) -> bool:
        """Move a clock that jumps, if nobody can do anything before the next timer."""
        dues = [due for due in self._dues.values() if due is not None]
        if not self._clock.jumps or self._busy or not dues:
            return False
        earliest = min(dues)
        if earliest <= self._clock.now_ms():
            return False  # its thread is about to wake
        self._clock.catch_up(earliest)
        self._condition.notify_all()
        return True

    def _look_elsewhere(self) -> bool:
        if self._poll is None or not self._store.changed_elsewhere():
            return False
        self._generation += 1
        self.elsewhere += 1
        self._condition.notify_all()
        return True

    def _patience(self, due_ms: int | None) -> float | None:
        waits = [] if self._poll is None else [self._poll]
        if due_ms is not None:
            seconds = self._clock.real_seconds_until(due_ms)
            if seconds != float("inf"):
                waits.append(seconds)
        return min(waits, default=None)


Observe = Callable[[ExecutionRecord, bool, int | None], None]
"""(execution, whether an invocation runs, waiting until)"""


class Scheduler:
    """Drives executions of one store."""

    def __init__(
        self,
        service: Service,
        driving: Driving,
        functions: Functions,
        invoker: Invoker,
        locks: DriverLocks,
        pulse: Pulse,
        max_workers: int,
        observe: Observe,
    ) -> None:
        self._service = service
        self._driving = driving
        self._functions = functions
        self._invoker = invoker
        self._locks = locks
        self._pulse = pulse
        self._observe = observe
        self._pump = _Pump(self, pulse, max_workers)

    def drive(self, execution_id: str) -> ExecutionRecord:
        """Drive an execution on the calling thread until it ends.

        Raises:
            ExecutionBusy: Somebody else drives it.
            EngineError: The engine was closed, or a function cannot be found.
        """
        self._pulse.enter()
        try:
            self._adopt(execution_id)
            try:
                while True:
                    self.check()
                    generation = self._pulse.generation
                    match self.next_action(execution_id):
                        case Done(execution):
                            return execution
                        case Invoke():
                            self.invoke(execution_id)
                        case Wait(_, due_ms):
                            self._pulse.wait(generation, due_ms)
            finally:
                self._locks.release(execution_id)
        finally:
            self._pulse.leave()

    def drive_in_background(self, execution_id: str) -> None:
        """Have an execution driven by the pump.

        Raises:
            ExecutionBusy: Somebody else drives it.
        """
        self._adopt(execution_id)
        self._pump.add(execution_id)

    def check(self) -> None:
        """Raise if nothing can be driven any more."""
        if self._pulse.closed:
            raise EngineError("The engine is closed.")
        failure = self._pump.failure
        if failure is not None:
            raise EngineError(f"An execution in the background cannot go on: {failure}") from failure

    def next_action(self, execution_id: str) -> Action:
        """What is to be done for an execution now; the observer hears of waits and ends."""
        action = self._driving.next_action(execution_id)
        match action:
            case Done(execution):
                self._observe(execution, False, None)
            case Wait(execution, due_ms):
                self._observe(execution, False, due_ms)
            case Invoke():
                pass
        return action

    def invoke(self, execution_id: str) -> None:
        """Run one invocation on the calling thread, which has entered the pulse."""
        handler = self._functions.handler_of(self._service.find(execution_id))
        begun = self._driving.begin(execution_id)
        self._observe(begun.execution, True, None)
        try:
            outcome = self._invoker.invoke(begun, handler)
        except BaseException as error:
            self._driving.finish(execution_id, Abandoned(_interrupted(error)))
            raise
        self._driving.finish(execution_id, outcome)

    def release(self, execution_id: str) -> None:
        """No longer be the driver of an execution."""
        self._locks.release(execution_id)

    def touched(self, execution_ids: frozenset[str], started: frozenset[str]) -> None:
        """A commit of this process touched these executions, and made some for chained invokes."""
        self._pump.touch(execution_ids)
        for execution_id in started:
            if self._locks.acquire(execution_id):
                self._pump.add(execution_id)
        self._pulse.notify()

    def close(self) -> None:
        """Stop driving. What runs in this process is not interrupted, but cannot reach the closed store."""
        self._pulse.close()
        self._invoker.close()
        self._pump.join()

    def _adopt(self, execution_id: str) -> None:
        """Become the driver of an execution, and of the chained invokes it waits for."""
        if not self._locks.acquire(execution_id):
            holder = self._locks.holder(execution_id)
            who = "another driver" if holder is None else f"process {holder}"
            raise ExecutionBusy(f"Execution {self._service.find(execution_id).arn} is being driven by {who}.")
        try:
            self._driving.take_over(execution_id)
            children = Selection(parent_execution_id=execution_id, statuses=frozenset({RUNNING}), limit=1_000_000)
            for child in self._service.executions(children):
                if self._locks.holder(child.execution_id) is None:
                    self.drive_in_background(child.execution_id)
        except BaseException:
            self._locks.release(execution_id)
            raise


class _Pump:
    """Drives many executions from one thread of its own, which exists while there are any."""

    def __init__(self, scheduler: Scheduler, pulse: Pulse, max_workers: int) -> None:
        self._scheduler = scheduler
        self._pulse = pulse
        self._max_workers = max_workers
        self._guard = threading.Lock()
        self._driven: dict[str, int | None] = {}
        """Execution -> when its next timer comes, as last seen."""
        self._dirty: dict[str, None] = {}
        self._running: dict[str, threading.Thread] = {}
        self._thread: threading.Thread | None = None
        self.failure: BaseException | None = None

    def add(self, execution_id: str) -> None:
        """Drive an execution whose lock is held."""
        with self._guard:
            self._driven[execution_id] = None
            self._dirty[execution_id] = None
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="durable-engine", daemon=True)
                self._pulse.enter()
                self._thread.start()

    def touch(self, execution_ids: frozenset[str]) -> None:
        """These have changed."""
        with self._guard:
            self._dirty.update((key, None) for key in execution_ids if key in self._driven)

    def join(self) -> None:
        """Wait a little for what runs to come out."""
        with self._guard:
            threads = [thread for thread in (self._thread, *self._running.values()) if thread is not None]
        deadline = time.monotonic() + CLOSE_SECONDS
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))

    def _loop(self) -> None:
        looked_elsewhere = self._pulse.elsewhere
        try:
            while not self._pulse.closed:
                # Both are read before the state is: what comes later is looked at in the next round.
                generation, elsewhere = self._pulse.generation, self._pulse.elsewhere
                due_ms = self._round(everything=elsewhere != looked_elsewhere)
                looked_elsewhere = elsewhere
                with self._guard:
                    if not self._driven:
                        self._thread = None
                        return
                self._pulse.wait(generation, due_ms)
        except BaseException as error:
            self._fail(error)
        finally:
            self._pulse.leave()

    def _round(self, *, everything: bool) -> int | None:
        """Look at what may have something to do; when the next timer of the others comes."""
        now_ms = self._pulse.now_ms()
        with self._guard:
            due = (key for key, at in self._driven.items() if everything or (at is not None and at <= now_ms))
            self._dirty.update((key, None) for key in due)
            ready = [key for key in self._dirty if key not in self._running]
        for execution_id in ready:
            self._look(execution_id)
        with self._guard:
            return min((at for at in self._driven.values() if at is not None), default=None)

    def _look(self, execution_id: str) -> None:
        with self._guard:
            # Before the state is read: what changes afterwards marks it again.
            self._dirty.pop(execution_id, None)
        match self._scheduler.next_action(execution_id):
            case Done():
                with self._guard:
                    del self._driven[execution_id]
                    self._dirty.pop(execution_id, None)
                self._scheduler.release(execution_id)
            case Wait(_, due_ms):
                with self._guard:
                    self._driven[execution_id] = due_ms
            case Invoke():
                with self._guard:
                    self._driven[execution_id] = None
                    if len(self._running) >= self._max_workers:
                        self._dirty[execution_id] = None  # the end of another invocation brings it up again
                        return
                    thread = threading.Thread(
                        target=self._invoke, args=(execution_id,), name="durable-engine-invocation", daemon=True
                    )
                    self._running[execution_id] = thread
                self._pulse.enter()
                thread.start()

    def _invoke(self, execution_id: str) -> None:
        try:
            self._scheduler.invoke(execution_id)
        except BaseException as error:
            self._fail(error)
        finally:
            with self._guard:
                del self._running[execution_id]
                self._dirty[execution_id] = None
            self._pulse.notify()
            self._pulse.leave()

    def _fail(self, error: BaseException) -> None:
        if not self._pulse.closed:
            self.failure = error
        self._pulse.notify()


def _interrupted(error: BaseException) -> str:
    return error_text({"ErrorType": "Runtime.ExitError", "ErrorMessage": f"The engine was interrupted: {error!r}."})
