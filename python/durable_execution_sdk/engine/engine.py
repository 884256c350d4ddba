"""The engine as users see it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeAlias

from durable_execution_sdk._model.duration import Duration
from durable_execution_sdk._model.homes import public
from durable_execution_sdk.engine import wire
from durable_execution_sdk.engine.clock import EngineClock, clock_for
from durable_execution_sdk.engine.commits import Commits
from durable_execution_sdk.engine.driving import Driving
from durable_execution_sdk.engine.errors import (
    ExecutionEnded,
    ExecutionFailed,
    ExecutionStopped,
    ExecutionTimedOut,
)
from durable_execution_sdk.engine.export import history_text, write_history
from durable_execution_sdk.engine.functions import FunctionNotFound, Functions, Handler, function_of, is_durable
from durable_execution_sdk.engine.invoking import InlineInvoker, Invoker, ProcessInvoker
from durable_execution_sdk.engine.locks import DriverLocks
from durable_execution_sdk.engine.reading import SqliteReader
from durable_execution_sdk.engine.records import (
    DURABLE,
    FAILED,
    STOPPED,
    SUCCEEDED,
    TIMED_OUT,
    Ended,
    ExecutionRecord,
    OperationRecord,
)
from durable_execution_sdk.engine.scheduler import Pulse, Scheduler
from durable_execution_sdk.engine.service import Service
from durable_execution_sdk.engine.sqlite import SqliteStore
from durable_execution_sdk.engine.store import Selection, Store
from durable_execution_sdk.engine.summaries import ExecutionSummary, Observer, Progress, status_of, summary_of
from durable_execution_sdk.engine.updates import error_text

_PAGE: Final = 1000

Isolation: TypeAlias = Literal["inline", "process"]


@public("engine")
class Engine:
    """Runs durable functions on this machine and keeps their executions in one file.

    An engine invokes a handler again and again until its execution ends: after waits, retries, callbacks and chained
    invokes. Everything that was acknowledged to a handler is on the disk; kill the process at any moment, start it
    again, and the execution goes on where it was.

    Args:
        path: The store, an SQLite file that is created (with its folder) if it does not exist and is readable by its
            owner only. None keeps everything in memory.
        read_only: The store must be there, and only what looks at it works; nothing on the disk changes.
        functions: Functions that `context.invoke` finds, durable or plain, by name; values are functions or
            `"module:attribute"`.
        time_scale: How many seconds of waiting pass in a real second; 60 makes a minute a second, 0 ends every wait at
            once. Default: 1, or what the environment variable `DURABLE_EXECUTION_TIME_SCALE` says.
        clock: A clock of your own instead of `time_scale`, such as `VirtualClock()` in tests.
        isolation: `"inline"` runs handlers in this process, on the calling thread; `"process"` runs each invocation in
            a child process of its own, so that a crash counts as a failed invocation and is tried again.
        observer: Called with a `Progress` after each change of an execution that this engine drives, on the thread that
            made it. It must be quick, and must not raise.
        max_workers: How many invocations of chained invokes and of background executions run at once.

    Raises:
        StoreError: The file is not a store, was written by a newer version, or cannot be opened. With `read_only`, it
            may also be absent, or of an older version.

    Example:
        >>> from durable_execution_sdk import durable_execution
        >>> from durable_execution_sdk.engine import Engine
        >>> @durable_execution
        ... def greet(event, context):
        ...     return context.step(lambda _: f"Hello, {event['name']}!", name="greet")
        >>> with Engine() as engine:
        ...     engine.run(greet, {"name": "Ada"})
        'Hello, Ada!'
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        read_only: bool = False,
        functions: Mapping[str, Handler | str] | None = None,
        time_scale: float | None = None,
        clock: EngineClock | None = None,
        isolation: Isolation = "inline",
        observer: Observer | None = None,
        max_workers: int = 16,
    ) -> None:
        if isolation not in {"inline", "process"}:
            raise ValueError(f"isolation must be 'inline' or 'process', not {isolation!r}.")
        if max_workers < 1:
            raise ValueError(f"max_workers must be at least 1, not {max_workers!r}.")
        if clock is not None and time_scale is not None:
            raise ValueError("Give a clock or a time_scale, not both.")
        if read_only and path is None:
            raise ValueError("read_only needs a path: a store in memory is empty.")
        self.path = None if path is None else Path(path)
        self._clock = clock if clock is not None else clock_for(time_scale)
        self._functions = Functions(functions)
        self._observer = observer
        self._current: dict[str, str | None] = {}
        self._closed = False
        self._store: Store = SqliteReader(path) if read_only and path is not None else SqliteStore(path)
        self._clock.catch_up(self._store.latest_ms())
        self._locks = DriverLocks(self.path, read_only=read_only)
        self._pulse = Pulse(self._clock, self._store, shared=path is not None)
        commits = Commits(self._store, self._clock, self._functions.find, self._touched)
        self._service = Service(commits)
        calls = _ObservedCalls(self._service, self._checkpointed) if observer is not None else self._service
        invoker: Invoker = (ProcessInvoker if isolation == "process" else InlineInvoker)(calls, self._clock)
        self._scheduler = Scheduler(
            self._service,
            Driving(commits),
            self._functions,
            invoker,
            self._locks,
            self._pulse,
            max_workers,
            self._observe,
        )

    @property
    def service(self) -> Service:
        """The service side of the Lambda API, for servers and tools on top of the engine."""
        return self._service

    def register(self, name: str, function: Handler | str) -> None:
        """Make a function known under a name, as with `functions=`."""
        self._functions.register(name, function)

    # --- running --------------------------------------------------------------------------------------------------

    def create(
        self,
        handler: Handler | str,
        input: Any = None,  # noqa: A002  # the word of the API and of the command line
        *,
        name: str | None = None,
        input_json: str | None = None,
        timeout: Duration | None = None,
    ) -> ExecutionSummary:
        """Record an execution without running it; `resume` runs it.

        Args:
            handler: The result of `@durable_execution`, or `"module:attribute"` of it.
            input: The event, as a value that `json.dumps` writes.
            name: 1 to 64 letters, digits, `-` and `_`. The same name with the same input (byte for byte, as JSON) is
                the same execution. Default: a fresh one.
            input_json: The event as JSON text, kept as it is; instead of `input`.
            timeout: How long the execution may take in all. Default: for ever.

        Raises:
            ExecutionAlreadyStarted: The name is taken by an execution with other input.
            FunctionNotFound: The handler cannot be imported, or is not durable.
            ValueError: The input is not JSON.
        """
        function = function_of(handler)
        if not is_durable(function.handler):
            raise FunctionNotFound(f"{function.name!r} is not durable: decorate it with @durable_execution.")
        if input_json is None:
            input_json = json.dumps(input, separators=(",", ":"))
        elif input is not None:
            raise ValueError("Give input or input_json, not both.")
        else:
            json.loads(input_json)
        self._functions.remember(function)
        record = self._service.start(
            function.name,
            input_json,
            name=name,
            target=function.target,
            timeout_ms=None if timeout is None else timeout.to_seconds() * 1000,
        )
        return self._summary(record)

    def run(
        self,
        handler: Handler | str,
        input: Any = None,  # noqa: A002  # as in create
        *,
        name: str | None = None,
        input_json: str | None = None,
        timeout: Duration | None = None,
    ) -> Any:
        """Run an execution to its end on the calling thread and return its result.

        Takes what `create` takes. An unfinished execution of that name is resumed; a finished one is not run again.

        Raises:
            ExecutionFailed: The execution failed; `ExecutionTimedOut`, `ExecutionStopped` likewise.
            ExecutionBusy: Another process drives it.
            ExecutionAlreadyStarted: The name is taken by an execution with other input.
            KeyboardInterrupt: Ctrl-C; what was acknowledged is kept, and no failure is counted.
        """
        return self.resume(self.create(handler, input, name=name, input_json=input_json, timeout=timeout).arn)

    def start(
        self,
        handler: Handler | str,
        input: Any = None,  # noqa: A002  # as in create
        *,
        name: str | None = None,
        input_json: str | None = None,
        timeout: Duration | None = None,
    ) -> ExecutionSummary:
        """Run an execution in the background, as long as this engine is open; `result` waits for it.

        Takes what `create` takes and raises what `run` raises, outcomes aside.
        """
        summary = self.create(handler, input, name=name, input_json=input_json, timeout=timeout)
        if not summary.is_ended:
            self._scheduler.drive_in_background(summary.execution_id)
        return summary

    def resume(self, execution: str, handler: Handler | str | None = None) -> Any:
        """Run an execution of this store to its end, on the calling thread, and return its result.

        Args:
            execution: Its ARN, id or name.
            handler: Its handler; needed only if that can neither be imported nor was registered.

        Raises:
            ExecutionNotFound: There is no such execution, or the name is not unique.
            FunctionNotFound: The handler is not known.
            ExecutionBusy: Another process drives it.
            ExecutionEnded: It ended without a result; see its subclasses.
        """
        record = self._service.find(execution)
        if not record.is_terminal:
            if handler is not None:
                self._functions.register(record.function_name, handler)
            self._functions.handler_of(record)
            record = self._scheduler.drive(record.execution_id)
        return self._result(record)

    def result(self, execution: str, timeout: float | None = None) -> Any:
        """Wait until an execution ends, whoever drives it, and return its result.

        Args:
            execution: Its ARN, id or name.
            timeout: Real seconds to wait at most. Default: no limit.

        Raises:
            TimeoutError: It has not ended in time.
            ExecutionEnded: It ended without a result; see its subclasses.
            EngineError: The engine was closed meanwhile.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            generation = self._pulse.generation
            record = self._service.find(execution)
            if record.is_terminal:
                return self._result(record)
            self._scheduler.check()
            if not self._pulse.watch(generation, deadline):
                raise TimeoutError(f"Execution {record.arn} has not ended after {timeout} s.")

    # --- looking --------------------------------------------------------------------------------------------------

    def list(
        self,
        *,
        status: str | None = None,
        function_name: str | None = None,
        newest_first: bool = True,
        chained: bool = False,
        limit: int = 1000,
    ) -> list[ExecutionSummary]:
        """The executions of this store; `chained` ones too that `context.invoke` made, or not."""
        selection = Selection(
            function_name=function_name,
            statuses=None if status is None else frozenset({status}),
            kind=None if chained else DURABLE,
            top_level=not chained,
            newest_first=newest_first,
            limit=limit,
        )
        return [self._summary(record) for record in self._service.executions(selection)]

    def describe(self, execution: str) -> ExecutionSummary:
        """One execution, by ARN, id or name, with its input and its outcome."""
        record = self._service.find(execution)
        outcome = self._service.outcome(record.execution_id)
        return self._summary(record, self._service.input_of(record.execution_id), outcome)

    def operations(self, execution: str) -> Iterator[OperationRecord]:
        """The operations of an execution, in the order in which they were started; the EXECUTION comes first."""
        execution_id = self._service.find(execution).execution_id
        after = -1
        while True:
            # Page by page, so that the store is not held while the caller looks at one.
            with self._store.read() as transaction:
                page = [*islice(transaction.operations(execution_id, after, hidden=True), _PAGE)]
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].position

    def history(self, execution: str, *, payloads: bool = True) -> Iterator[dict[str, Any]]:
        """The events of an execution as GetDurableExecutionHistory shows them, timestamps in epoch milliseconds."""
        execution_id = self._service.find(execution).execution_id
        after = 0
        while True:
            with self._store.read() as transaction:
                page = [*islice(transaction.events(execution_id, after), _PAGE)]
            yield from (wire.event_dict(logged, payloads=payloads) for logged in page)
            if len(page) < _PAGE:
                return
            after = page[-1].event.event_id

    def export_history(self, execution: str, path: str | os.PathLike[str], *, payloads: bool = True) -> None:
        """Write an execution to one JSON file, readable by its owner only; see `read_history`.

        Args:
            execution: Its ARN, id or name.
            path: The file; replaced if it exists.
            payloads: Whether inputs, results and error texts are written, as they are, or left out.
        """
        record = self._service.find(execution)
        with self._store.read() as transaction:
            write_history(Path(path), record, transaction, payloads=payloads)

    def history_text(self, execution: str, *, payloads: bool = True) -> str:
        """What `export_history` would write, as text: nothing of it touches a disk.

        Args:
            execution: Its ARN, id or name.
            payloads: Whether inputs, results and error texts are in it, as they are, or left out.
        """
        record = self._service.find(execution)
        with self._store.read() as transaction:
            return history_text(record, transaction, payloads=payloads)

    # --- acting from outside --------------------------------------------------------------------------------------

    def send_callback_success(self, callback_id: str, result: str | bytes | None = None) -> None:
        """Complete a callback; `result` is what `Callback.result()` returns.

        Raises:
            ExecutionNotFound: No callback of this store has this id.
            ResourceConflict: It was completed before, or its execution has ended.
        """
        text = result.decode("utf-8", "surrogateescape") if isinstance(result, bytes) else result
        self._service.end_callback(callback_id, Ended(SUCCEEDED, result=text))

    def send_callback_failure(
        self,
        callback_id: str,
        error_message: str | None = None,
        *,
        error_type: str | None = None,
        error_data: str | None = None,
        stack_trace: Sequence[str] | None = None,
    ) -> None:
        """Fail a callback; raises like `send_callback_success`."""
        error = {
            "ErrorMessage": error_message,
            "ErrorType": error_type,
            "ErrorData": error_data,
            "StackTrace": None if stack_trace is None else [*stack_trace],
        }
        self._service.end_callback(callback_id, Ended(FAILED, error=error_text(error)))

    def send_callback_heartbeat(self, callback_id: str) -> None:
        """Say that the callback is still being worked on; raises like `send_callback_success`."""
        self._service.heartbeat(callback_id)

    def stop(self, execution: str, error_message: str | None = None, error_type: str | None = None) -> None:
        """End an execution STOPPED. A running invocation is not killed; its later checkpoints are refused.

        Raises:
            ExecutionNotFound: There is no such execution.
            ResourceConflict: It has ended already.
        """
        given = {"ErrorMessage": error_message, "ErrorType": error_type}
        error = error_text(given) if error_message is not None or error_type is not None else None
        self._service.stop(self._service.find(execution).execution_id, error)

    def pause(self, execution: str, reason: str | None = None) -> None:
        """Start no further invocation of an execution until `unpause`; raises like `stop`."""
        self._service.pause(self._service.find(execution).execution_id, reason)

    def unpause(self, execution: str, reason: str | None = None) -> None:
        """Lift a pause; raises like `stop`."""
        self._service.unpause(self._service.find(execution).execution_id, reason)

    def close(self) -> None:
        """Stop driving and release the store. Executions that have not ended can be resumed."""
        if self._closed:
            return
        self._closed = True
        self._scheduler.close()
        self._locks.close()
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- inside ---------------------------------------------------------------------------------------------------

    def _result(self, record: ExecutionRecord) -> Any:
        outcome = self._service.outcome(record.execution_id)
        if outcome.status == SUCCEEDED:
            return None if not outcome.result else json.loads(outcome.result)
        facts = {} if outcome.error is None else json.loads(outcome.error)
        raise _ENDED[outcome.status](record.arn, facts.get("ErrorType"), facts.get("ErrorMessage"), outcome.error)

    def _summary(
        self, record: ExecutionRecord, input_json: str | None = None, outcome: Ended | None = None
    ) -> ExecutionSummary:
        driver_pid = None if record.is_terminal else self._locks.holder(record.execution_id)
        return summary_of(record, driver_pid, input_json, outcome)

    def _touched(self, touched: frozenset[str], started: frozenset[str]) -> None:
        self._scheduler.touched(touched, started)

    def _checkpointed(self, execution: ExecutionRecord, current: str | None) -> None:
        self._current[execution.execution_id] = current
        self._observe(execution, True, None)

    def _observe(self, execution: ExecutionRecord, running: bool, due_ms: int | None) -> None:
        if self._observer is None:
            return
        current = self._current.get(execution.execution_id)
        if execution.is_terminal:
            current = None
            self._current.pop(execution.execution_id, None)
        self._observer(
            Progress(
                arn=execution.arn,
                name=execution.name,
                status=status_of(execution),
                running=running,
                operations=execution.operations,
                finished=execution.finished,
                current=current,
                waiting_until_ms=due_ms,
            )
        )


class _ObservedCalls:
    """The service's two calls, with a look at the execution after each checkpoint."""

    def __init__(self, service: Service, tell: Callable[[ExecutionRecord, str | None], None]) -> None:
        self._service = service
        self._tell = tell

    def checkpoint(self, arn: str, body: bytes) -> bytes:
        answer = self._service.checkpoint(arn, body)
        record = self._service.find(arn)
        with self._service.store.read() as transaction:
            newest = [r for r in transaction.changes(record.execution_id, record.seen_before) if not r.is_terminal]
        open_ones = [r for r in newest if r.operation_type != "EXECUTION"]
        self._tell(record, (open_ones[-1].name or open_ones[-1].sub_type) if open_ones else None)
        return answer

    def state(self, arn: str, token_text: str | None, marker: str | None, max_items: int) -> bytes:
        return self._service.state(arn, token_text, marker, max_items)


_ENDED: Final[Mapping[str, type[ExecutionEnded]]] = {
    FAILED: ExecutionFailed,
    TIMED_OUT: ExecutionTimedOut,
    STOPPED: ExecutionStopped,
}
