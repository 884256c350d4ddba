"""Running an `async def` handler for one invocation."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from durable_execution_sdk._drivers.aio import internals, parking
from durable_execution_sdk._drivers.aio.bridge import run_def_body
from durable_execution_sdk._drivers.aio.context import AsyncDurableContext
from durable_execution_sdk._drivers.aio.loop import close_loop_of_thread, loop_of_thread
from durable_execution_sdk._drivers.aio.operation import OWNER
from durable_execution_sdk._drivers.aio.promise import BELONGS
from durable_execution_sdk._drivers.aio.run import Run
from durable_execution_sdk._drivers.bodies import runs_a_loop
from durable_execution_sdk._drivers.scope import ExecutionContext
from durable_execution_sdk._drivers.state import ExecutionState
from durable_execution_sdk._model.signals import SuspendExecution

Handler = Callable[[Any, Any], Any]


def run_handler(
    state: ExecutionState, handler: Handler, event_input: Any, lambda_context: Any, *, replaying: bool
) -> Any:
    """Run the handler until it ends or has to be suspended.

    Returns:
        What the handler returned.

    Raises:
        SuspendExecution: It is parked; nothing of it will run again.
        BaseException: What the handler raised, or what ended sending.
    """
    if runs_a_loop() or loop_of_thread().is_running():  # the latter: its thread is sending a request
        return _run_beside(lambda: _run(state, handler, event_input, lambda_context, replaying))
    return _run(state, handler, event_input, lambda_context, replaying)


def _run_beside(run: Callable[[], Any]) -> Any:
    """This thread runs a loop already (a notebook, a web server): a joined thread runs the handler."""
    outcome: list[Any] = [None, None]
    context = contextvars.copy_context()

    def work() -> None:
        try:
            outcome[0] = context.run(run)
        except BaseException as error:
            outcome[1] = error
        finally:
            close_loop_of_thread()

    thread = threading.Thread(target=work, name="durable-handler")
    thread.start()
    thread.join()
    if outcome[1] is not None:
        raise outcome[1]
    return outcome[0]


def _unfinished(run: Run) -> list[asyncio.Task[Any]]:
    return [task for task in (*run.tasks, *run.bodies) if not task.done()]


async def _ended(run: Run) -> None:
    """Wait until what was cancelled has taken notice."""
    while left := _unfinished(run):
        await asyncio.wait(left)


async def _main(state: ExecutionState, handler: Handler, event_input: Any, root: AsyncDurableContext) -> Any:
    # No closure: what a parked coroutine holds in variables of its own is released, and this is the whole invocation.
    with state.hooks.around_invocation() if state.hooks is not None else nullcontext():
        return await handler(event_input, root)


def _run(state: ExecutionState, handler: Handler, event_input: Any, lambda_context: Any, replaying: bool) -> Any:
    loop = loop_of_thread()
    run = Run(state, loop, run_def_body)
    root = AsyncDurableContext(
        state,
        state.journal.scope(None, None, replaying),
        lambda_context,
        ExecutionContext(state.durable_execution_arn),
        run=run,
    )
    context = contextvars.copy_context()
    context.run(BELONGS.set, run)
    context.run(OWNER.set, root)
    coroutine = _main(state, handler, event_input, root)
    root.own_scope = run.scopes.own(coroutine, root, root.scope)
    task = loop.sdk_task(coroutine, hash_value=0, context=context, name="durable handler")
    run.main = task
    run.tasks.add(task)
    task.add_done_callback(run.tasks.discard)
    task.add_done_callback(run.main_done)
    loop.attach(run)
    run.order.attach()
    try:
        loop.run_forever()
        if not run.suspended and (_unfinished(run) or not internals.nothing_ready(loop)):
            loop.run_until_complete(_ended(run))
    except BaseException as error:
        run.end_with(error)
        if task.done():
            internals.silence(task)  # Ctrl-C in the handler's own code: it is raised here
        raise
    finally:
        loop.attach(None)
        run.scopes.forget_last()
        run.order.close()
        run.close()
        parking.drop_callbacks(loop, BELONGS, run)  # what its threads have posted since, and its timers
        if run.suspended:
            run.forget()
    if run.failure is not None:
        raise run.failure
    if run.suspended:
        raise SuspendExecution("The handler waits for the service")
    return task.result()
