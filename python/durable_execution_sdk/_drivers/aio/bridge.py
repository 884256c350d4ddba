"""`def` bodies of child contexts and branches under an async handler.

The body runs on a worker thread with a `DurableContext` of the usual kind. Each of its operations is started on the
loop, in the scope of the body's context, and the thread is blocked until the promise is settled: so its completions
take part in the one delivery order, and the handler can be suspended while the thread is blocked. Suspension unwinds
the body as it unwinds `def` handlers.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from durable_execution_sdk._drivers.aio.callback import AsyncCallback
from durable_execution_sdk._drivers.aio.context import AsyncDurableContext
from durable_execution_sdk._drivers.aio.promise import DurablePromise
from durable_execution_sdk._drivers.aio.quiescence import ThreadFuture
from durable_execution_sdk._drivers.context import DurableContext
from durable_execution_sdk._model.signals import SuspendExecution


class _Meeting:
    """Where one thread waits for the loop."""

    def __init__(self) -> None:
        self._settled = threading.Event()
        self._value: Any = None
        self._error: BaseException | None = None

    def settle(self, value: Any, error: BaseException | None) -> None:
        if not self._settled.is_set():
            self._value, self._error = value, error
            self._settled.set()

    def outcome(self) -> Any:
        self._settled.wait()
        if self._error is not None:
            raise self._error
        return self._value


class BridgedCallback:
    """The handle of a callback, for a thread."""

    def __init__(self, context: BridgedContext, callback: AsyncCallback[Any]) -> None:
        self._context = context
        self._callback = callback
        self.callback_id = callback.callback_id

    def result(self) -> Any:
        """What the callback was completed with; blocks until it is."""
        return self._context.on_loop(self._callback.result)


class BridgedContext(DurableContext):
    """A `DurableContext` whose operations run on the event loop of the handler around it."""

    __slots__ = ("_beyond", "_job")

    def __init__(self, beyond: AsyncDurableContext, job: ThreadFuture) -> None:
        super().__init__(beyond.state, beyond.scope, beyond.lambda_context, beyond.execution_context, parent=beyond)
        self._beyond = beyond
        self._job = job

    def on_loop(self, start: Callable[[], DurablePromise[Any]]) -> Any:
        """Start an operation on the loop and wait for its outcome."""
        if self.strand.signal is not None:
            self.strand.refuse("A durable operation")
        beyond, job = self._beyond, self._job
        run = beyond.run
        meeting = _Meeting()

        def settled(promise: asyncio.Future[Any]) -> None:
            job.blocked_on = None
            run.workers.unblocked()
            run.meetings.discard(meeting)
            if promise.cancelled():
                meeting.settle(None, SuspendExecution("The operation was cancelled"))
            else:
                error = promise.exception()
                meeting.settle(None if error is not None else promise.result(), error)

        def begin() -> None:
            if run.over:
                meeting.settle(None, SuspendExecution("The handler waits for the service"))
                return
            try:
                with run.borrowing(beyond.own_scope):
                    promise = start()
            except BaseException as error:
                meeting.settle(None, error)
                return
            job.blocked_on = promise
            run.workers.blocked()
            promise.add_done_callback(settled)

        try:
            # Known before it is awaited: whoever ends the run looks at the meetings after saying that it is over.
            run.meetings.add(meeting)
            if run.over:
                raise SuspendExecution("The handler waits for the service")
            run.loop.call_soon_threadsafe(begin)
            return meeting.outcome()
        except SuspendExecution as signal:
            self.strand.signal = signal
            raise

    # Each method has the signature and the documentation of the method it replaces.

    def step(self, func: Any, name: str | None = None, config: Any = None) -> Any:
        return self.on_loop(lambda: self._beyond.step(func, name, config))

    def wait(self, duration: Any, name: str | None = None) -> None:
        self.on_loop(lambda: self._beyond.wait(duration, name))

    def run_in_child_context(self, func: Any, name: str | None = None, config: Any = None) -> Any:
        return self.on_loop(lambda: self._beyond.run_in_child_context(func, name, config))

    def invoke(self, function_name: str, payload: Any = None, name: str | None = None, config: Any = None) -> Any:
        return self.on_loop(lambda: self._beyond.invoke(function_name, payload, name, config))

    def create_callback(self, name: str | None = None, config: Any = None) -> Any:
        return BridgedCallback(self, self.on_loop(lambda: self._beyond.create_callback(name, config)))

    def wait_for_callback(self, submitter: Any, name: str | None = None, config: Any = None) -> Any:
        return self.on_loop(lambda: self._beyond.wait_for_callback(submitter, name, config))

    def wait_for_condition(self, check: Any, config: Any, name: str | None = None) -> Any:
        return self.on_loop(lambda: self._beyond.wait_for_condition(check, config, name))

    def map(self, inputs: Any, func: Any, name: str | None = None, config: Any = None) -> Any:
        return self.on_loop(lambda: self._beyond.map(inputs, func, name, config))

    def parallel(self, functions: Any, name: str | None = None, config: Any = None) -> Any:
        return self.on_loop(lambda: self._beyond.parallel(functions, name, config))

    def execute_concurrently(self, items: Any, executor: Any, name: str | None = None, config: Any = None) -> Any:
        return self.on_loop(lambda: self._beyond.execute_concurrently(items, executor, name, config))


async def run_def_body(context: AsyncDurableContext, func: Callable[[Any], Any]) -> Any:
    """Run a `def` body on a thread, with a context of its own colour."""
    run = context.run
    job = ThreadFuture(loop=run.loop)
    bridged = BridgedContext(context, job)

    def body() -> Any:
        value = func(bridged)
        if bridged.strand.signal is not None:
            raise bridged.strand.signal
        return value

    return await run.workers.call_into(job, body)
