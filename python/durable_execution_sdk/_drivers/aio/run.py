"""One invocation of an async handler: what happens whenever the loop has run dry.

Theory of operation. User code runs on the loop until every task waits for something. The loop then asks `quiescent`,
which does the first of these that can be done:

1. deliver one recorded completion, the next in the order that history gives;
2. start the bodies of steps and conditions that have no recorded outcome (later than all deliveries, since a delivered
   completion may cancel them);
3. wait: for the request in flight, for running bodies, for what comes from outside, for the next durable timer;
4. suspend, if only the service can bring anything new: the handler is parked where it stands.

Nothing else decides anything, so the same history leads to the same run.
"""

from __future__ import annotations

import asyncio
import logging
import time
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from durable_execution_sdk._drivers.aio import internals, parking
from durable_execution_sdk._drivers.aio.belongings import Belongings
from durable_execution_sdk._drivers.aio.colours import Workers
from durable_execution_sdk._drivers.aio.deadlines import Deadlines
from durable_execution_sdk._drivers.aio.delivery import FINISHED, never_started, order_of, warn_inverted
from durable_execution_sdk._drivers.aio.executions import starter
from durable_execution_sdk._drivers.aio.loop import DurableEventLoop
from durable_execution_sdk._drivers.aio.operation import OWNER, Operation
from durable_execution_sdk._drivers.aio.promise import BELONGS, DurablePromise
from durable_execution_sdk._drivers.aio.quiescence import Survey, Surveyor
from durable_execution_sdk._drivers.aio.scopes import Scopes, TaskScope
from durable_execution_sdk._drivers.aio.sender import Sender
from durable_execution_sdk._drivers.clock import real_seconds_until
from durable_execution_sdk._drivers.state import ExecutionState
from durable_execution_sdk._model.errors import ValidationError
from durable_execution_sdk._model.signals import BackgroundThreadError, SuspendExecution
from durable_execution_sdk._model.updates import OperationUpdate

_logger = logging.getLogger("durable_execution_sdk")


class Run:
    """One invocation of an async handler."""

    def __init__(
        self,
        state: ExecutionState,
        loop: DurableEventLoop,
        run_def_body: Callable[[Any, Callable[[Any], Any]], Awaitable[Any]],
    ) -> None:
        self.run_def_body = run_def_body
        self.state = state
        self.loop = loop
        self.journal = state.journal
        self.tasks: set[internals.AnyTask] = set()
        self.bodies: set[internals.AnyTask] = set()
        self.deadlines = Deadlines()
        self.order = order_of(self.journal, self, loop, self.tasks, self.bodies, self.deadlines.entries)
        self.scopes = Scopes(state.journal, state.hooks, self.order.set_caller)
        self.starter = partial(starter, self.scopes, loop)
        self.surveyor = Surveyor(loop, lambda future: isinstance(future, DurablePromise))
        news, idle = partial(self._to_loop, self._merged), partial(self._to_loop, self._idle)
        self.sender = Sender(state.commit, self.journal, news, idle, self._must_pause)
        self.workers = Workers(loop, self.surveyor.own)
        self._held: list[object] = []
        self.contexts: weakref.WeakSet[Any] = weakref.WeakSet()
        self.main: internals.AnyTask | None = None
        self.over = self.suspended = False
        self.failure: BaseException | None = None
        self.curable: Exception | None = None
        """What ends the invocation instead of suspending it: a new invocation may do better."""
        self._belongings = Belongings()
        self._started: dict[tuple[str, int], Operation] = {}
        self._to_start: deque[Operation] = deque()
        self._parked: dict[str, Operation] = {}
        self._unacknowledged: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._announced: deque[tuple[int, Operation]] = deque()
        self._own_timers: set[asyncio.TimerHandle] = set()
        self.meetings: set[Any] = set()
        self._borrowed: TaskScope | None = None
        self._refreshed_until_ms = 0
        left = state.seconds_to_guard_band()
        self._guard = None if left is None else time.monotonic() + left
        self._warned_inverted = False

    # --- the loop's seams ---

    def task_starting(self, coroutine: object) -> None:
        """A task is about to be made: take its scope while its creator is the current task."""
        self.order.task_starting()
        if BELONGS.get() is not self:
            return
        owner = OWNER.get() if asyncio.current_task(self.loop) is None else None
        self.scopes.starting(coroutine, owner, None if owner is None else owner.own_scope)

    def task_started(self, task: internals.AnyTask, coroutine: object) -> None:
        """The task exists: it is one of the handler's, or part of a step's body."""
        self.order.task_started()
        scope = self.scopes.of_coroutine(coroutine)
        if scope is None or task.done():
            return
        group = self.bodies if scope.in_body else self.tasks
        group.add(task)
        task.add_done_callback(group.discard)
        if not scope.in_body:
            self._belongings.task_started(task, scope.owner)

    def timer_set(self, handle: asyncio.TimerHandle, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        """Recognise the deadlines of asyncio and anyio."""
        if BELONGS.get() is self:
            self.deadlines.note(handle, callback, args, asyncio.current_task(self.loop))

    def job_started(self, job: internals.AnyFuture) -> None:
        """Something runs on an executor's thread."""
        self.surveyor.job_started(job)

    def busy(self) -> None:
        """The loop does not come to rest; it counts as quiescent if only step bodies keep it busy."""
        self.workers.watch()
        handles = internals.ready_handles(self.loop)
        if self.bodies and all(
            getattr(internals.callback_of(handle), "__self__", None) in self.bodies for handle in handles
        ):
            self.quiescent(0)
        else:
            self.sender.nudge()

    def hash_of(self, coroutine: object) -> int:
        """A hash for the task, the same in every replay."""
        scope = self.scopes.of_coroutine(coroutine)
        return hash(id(coroutine)) if scope is None else scope.hash_value

    def quiescent(self, timeout: float | None) -> float | None:
        """The table at the top of this file."""
        try:
            return self._quiescent(timeout)
        except BaseException as error:  # the loop cannot raise from here: the invocation ends with it
            self.end_with(error)
            return 0

    def _quiescent(self, timeout: float | None) -> float | None:
        if self.over:
            return timeout
        found: list[Survey] = []

        def survey() -> Survey:
            if not found:
                found.append(self._survey())
            return found[0]

        delivered, dry = False, True
        while event := self.order.next(bodies=bool(self.bodies), outside_work=lambda: bool(survey().outside)):
            if isinstance(event, tuple):
                self._deliver(*event)
            delivered = True
            found.clear()
            if not (dry := self.loop.run_dry()) or self.over:
                break
        if self._to_start and dry and not self.over:
            self._start_bodies()
            return 0
        if delivered:
            return 0  # what woke may have set timers, of which `timeout` knows nothing
        # A running body will have more to send, and its START, mostly, shares the request.
        may_wait = bool(self.bodies) and not self._unacknowledged and not self._announced
        rides_along = self.sender.rides_along_for() if may_wait else None
        if not rides_along and self.sender.has_unsent:
            if self.surveyor.nothing_else_runs(self.tasks, self.bodies, self._unacknowledged):
                self._idle(*internals.beside(self.loop, self.sender.send_here))
                self.loop.run_dry()
                return 0
            self.sender.nudge()
        now_ms = self.state.clock.now_ms()
        if self.sender.busy:
            return self._until(timeout)
        due_ms = min((op.due_ms for op in self._parked.values() if op.due_ms is not None), default=None)
        stays = bool(self.bodies)
        if not stays:
            if self.deadlines and self.deadlines.refuse_waits(self.tasks, self._promises()):
                return 0
            stays = bool(survey().outside)
        if stays:
            if due_ms is not None and due_ms <= now_ms and due_ms > self._refreshed_until_ms:
                self._refreshed_until_ms = now_ms
                self.sender.push(None)
                self.sender.nudge()
                return self._until(timeout)
            due = real_seconds_until(self.state.clock, due_ms and max(due_ms, now_ms + 1))
            return self._until(timeout, due, rides_along)
        self._suspend(survey())
        return 0

    def _until(self, *limits_or_none: float | None) -> float | None:
        limits = [limit for limit in (*limits_or_none, self.workers.watch()) if limit is not None]
        if self._guard is not None:
            left = self._guard - time.monotonic()
            if left <= 0:
                self._out_of_time()
                return 0
            limits.append(left)
        return min(limits) if limits else None

    # --- operations ---

    def start(self, op: Operation, context: Any) -> None:
        """User code has started an operation in a context."""
        op.context = context
        if not op.is_recorded:
            self._belongings.operation_started(op, context)
        op.begin()

    def abandon(self, context: Any) -> None:
        """A context's body has ended: what it left running is stopped and records nothing more."""
        self._belongings.leave(context, asyncio.current_task(self.loop))

    def listen(self, op: Operation, ms: int | None) -> None:
        """The outcome is recorded; it will be delivered when its turn comes."""
        operation_id = op.promise.operation_id
        self._parked.pop(operation_id, None)
        self._started[operation_id, op.kind] = op
        known = op.is_recorded and self.order.knows(operation_id, op.kind)
        last = None if known else self.order.record(operation_id, op.kind, ms or 0)
        if last is not None and not self._warned_inverted:
            self._warned_inverted = True
            warn_inverted(operation_id, last)
        self.order.listen(operation_id, op.kind)

    def want_body(self, op: Operation) -> None:
        """User code of the operation is to run, once nothing recorded can be delivered."""
        self._to_start.append(op)

    def park_operation(self, op: Operation) -> None:
        """The service completes the operation, at `op.due_ms` if that is known."""
        self._parked[op.identity.operation_id] = op

    def announce(self, op: Operation, update: OperationUpdate) -> None:
        """Queue a START and look at the operation again when it is acknowledged."""
        if self.state.hooks is not None:
            self.state.hooks.operation_starting(update)
        self._announced.append((self.sender.push(update), op))

    def submit(self, update: OperationUpdate) -> int:
        """Queue an update; the ticket to wait for."""
        return self.sender.push(update)

    async def acknowledged(self, ticket: int) -> None:
        """Wait until a queued update is acknowledged and merged."""
        if self.journal.settled < ticket:
            waiter: asyncio.Future[None] = self.loop.create_future()
            self._unacknowledged.append((ticket, waiter))
            await waiter

    def spawn_body(self, coroutine: Coroutine[Any, Any, Any], op: Operation, *, user: bool) -> internals.AnyTask:
        """A task of the SDK's own: the body of an operation."""
        context = op.context_vars.copy()
        if op.owner is not None:
            context.run(OWNER.set, op.owner)
        if not user:
            self.scopes.in_body(coroutine, op.context.own_scope)
        task = self.loop.sdk_task(
            coroutine,
            hash_value=int(op.identity.operation_id[:15], 16),
            context=context,
            name=f"durable {op.identity.sub_type} {op.identity.name or op.identity.operation_id[:12]}",
        )
        group = self.tasks if user else self.bodies
        group.add(task)
        task.add_done_callback(group.discard)
        return task

    def scope_of_caller(self, context: Any, what: str) -> TaskScope:
        """Where the calling task numbers its operations.

        Raises:
            ValidationError: The call comes from where a replay could not repeat it; the message says what to do.
        """
        if self.over:
            raise ValidationError(f"{what} was called after the invocation ended; it does nothing any more")
        if self._borrowed is not None:
            return self._borrowed
        scope = self.scopes.of_caller(self.loop, context, what)
        if self.deadlines:
            self.deadlines.refuse(self.scopes.require_task(self.loop, what), what)
        return scope

    @contextmanager
    def borrowing(self, scope: TaskScope) -> Iterator[None]:
        """Calls made meanwhile number in `scope`: they are made for a thread."""
        self._borrowed = scope
        try:
            yield
        finally:
            self._borrowed = None

    # --- promises ---

    def awaited(self, promise: DurablePromise[Any]) -> None:
        """The inline lane: settle a recorded promise without a turn of the loop where nobody can tell."""
        task = asyncio.current_task(self.loop)
        if task is None or self.over or BELONGS.get() is not self:
            return
        self.refuse_deadline(task)
        if self.order.is_starting or not internals.nothing_ready(self.loop) or internals.has_callbacks(promise):
            return
        if internals.must_cancel(task):
            return
        kind = getattr(promise, "kind", FINISHED)
        alone = len(self.tasks) <= 1 and not self.bodies
        if self.order.take_if_next(promise.operation_id, kind, outside_work=not alone):
            self._deliver(promise.operation_id, kind)

    def refuse_deadline(self, task: internals.AnyTask) -> None:
        """Raise ValidationError if the task awaits something durable under a deadline of asyncio's."""
        self.deadlines.refuse(task, "Awaiting a durable operation")

    def cancelled(self, promise: DurablePromise[Any]) -> None:
        """Nobody wants the outcome: stop its user code, keep what is recorded."""
        operation_id = promise.operation_id
        self._parked.pop(operation_id, None)
        self.order.listen(operation_id, promise.kind)  # its event, recorded or on its way, is consumed without effect
        self.order.leave(operation_id)  # at a replay it may be cancelled before all that is recorded in it was started
        self._to_start = deque(op for op in self._to_start if op.promise is not promise)
        task = promise.body
        if task is not None and not task.done():
            task.cancel()

    # --- what happens when the loop is dry ---

    def _deliver(self, operation_id: str, kind: int) -> None:
        op = self._started.pop((operation_id, kind), None)
        if op is not None and not op.promise.done():
            op.deliver()
            if op.promise.done():
                self._belongings.operation_settled(op)

    def _start_bodies(self) -> None:
        waiting, self._to_start = self._to_start, deque()
        for op in waiting:
            if op.promise.done():
                continue
            try:
                self.state.require_time()
            except SuspendExecution:
                self._out_of_time()
                return
            op.start_body()
        self.loop.run_dry()  # no look at the selector before their first turns

    def _survey(self) -> Survey:
        if self.sender.thread is not None:
            self.surveyor.own(self.sender.thread)
        return self.surveyor.survey(
            self.tasks,
            self.bodies,
            self._promises(),
            self._own_timers,
            is_service_to_come=lambda: bool(self._parked) or self.state.is_something_pending(),
        )

    def _promises(self) -> list[DurablePromise[Any]]:
        return [*(op.promise for op in self._pending()), *self.order.promises()]

    def _pending(self) -> Iterable[Operation]:
        yield from self._parked.values()
        yield from self._started.values()
        yield from self._to_start
        for _, op in self._announced:
            yield op

    # --- news from the service ---

    def _must_pause(self) -> bool:
        return len(self.tasks) > 1 and not self.state.commit.stamps_rise

    def _to_loop(self, function: Callable[..., None], *arguments: Any) -> None:
        # Called on the sender's thread, or whichever has sent.
        try:
            self.loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the loop was closed meanwhile: nobody is left to tell
            _logger.debug("news from the service came after the loop was closed")

    def _idle(self, error: BaseException | None, changed: Sequence[str]) -> None:
        self.sender.went_idle()
        try:
            self._merged(changed)
        finally:
            if not self.over and self.state.commit.revoked:
                self._park()
            elif error is not None:
                self.end_with(error)

    def _merged(self, changed: Sequence[str]) -> None:
        if self.over:
            return
        settled = self.journal.settled
        while self._unacknowledged and self._unacknowledged[0][0] <= settled:
            _, waiter = self._unacknowledged.popleft()
            if not waiter.done():
                waiter.set_result(None)
        again: list[Operation] = []
        while self._announced and self._announced[0][0] <= settled:
            again.append(self._announced.popleft()[1])
        again += [self._parked.pop(operation_id) for operation_id in changed if operation_id in self._parked]
        for operation_id in changed:
            self._note_completion(operation_id)
        for op in again:
            if not op.promise.done():
                op.advance()

    def _note_completion(self, operation_id: str) -> None:
        record = self.journal.find(operation_id)
        if record is not None and record.is_terminal and record.operation_type != "EXECUTION":
            self.order.record(operation_id, FINISHED, record.end_ms or 0)

    # --- the end ---

    def main_done(self, _: internals.AnyTask) -> None:
        """The handler has returned or raised: its outcome is the outcome."""
        if not self.over:
            self._stop()

    def end_with(self, error: BaseException) -> None:
        """The invocation ends with an error of the SDK's, or Ctrl-C; user code stays where it is."""
        if not self.over:
            self.failure = error
            self._park()

    def _suspend(self, survey: Survey) -> None:
        if self.curable is not None:
            raise self.curable
        if aside := self.order.set_aside():
            raise never_started(aside)
        if not self._parked and not self.state.is_something_pending():
            raise survey.deadlock()
        self._park()

    def _out_of_time(self) -> None:
        self.state.out_of_time = True
        for task in self.bodies:
            task.cancel()
        self._park()

    def _park(self) -> None:
        self.suspended = True
        self._release()
        for meeting in list(self.meetings):
            meeting.settle(None, SuspendExecution("The handler waits for the service"))
        self.meetings.clear()
        tasks = self.tasks if self.state.out_of_time else self.tasks | self.bodies  # bodies: cancelled then
        unfinished = [task for task in tasks if not task.done()]
        self._held = parking.park(self.loop, unfinished, BELONGS, self)
        self.tasks.clear()
        if self.loop.is_running():  # after Ctrl-C it is not, and would stop in the middle of the next invocation
            self.loop.stop()

    def _stop(self) -> None:
        promises = self._promises()
        self._release()
        for task in sorted([*self.tasks, *self.bodies], key=hash):  # before promises, as when a context is left
            task.cancel()
        for promise in promises:
            if not promise.done():
                asyncio.Future.cancel(promise)
        for meeting in list(self.meetings):
            meeting.settle(None, SuspendExecution("The handler has ended"))
        self.meetings.clear()
        self.loop.stop()

    def _release(self) -> None:
        for op in self._pending():
            op.promise.detach()
        self.over = True
        self.order.close()
        self._started.clear()
        self._parked.clear()
        self._to_start.clear()
        self._announced.clear()
        self._unacknowledged.clear()

    def close(self) -> None:
        """Join the threads that were started for this invocation."""
        self.sender.close()
        if isinstance(self.failure, SuspendExecution | BackgroundThreadError) and self.sender.interrupted is not None:
            self.failure = self.sender.interrupted  # whoever wanted to send heard first that nothing is sent any more
        self.workers.close(abandon=self.state.out_of_time)

    def forget(self) -> None:
        """The handler is parked and its threads are joined: what is kept of it keeps nothing else alive."""
        if not self.state.out_of_time:  # else a body that was abandoned may run on
            parking.release_closures(self._held)
        for context in list(self.contexts):
            context.end()
        self.__dict__ = {"loop": self.loop, "over": True, "suspended": self.suspended, "failure": self.failure}
