"""One invocation, from event to output.

| what ends the handler                                                  | outcome                           |
|------------------------------------------------------------------------|-----------------------------------|
| it returns                                                             | SUCCEEDED                         |
| `SuspendExecution`                                                     | PENDING                           |
| a failed checkpoint, `InvocationError`; a retry can help               | raised: the service invokes again |
| the same, a retry cannot help; `ExecutionError`; any other `Exception` | FAILED                            |
| other `BaseException`                                                  | raised                            |
| the service takes no more updates                                      | PENDING, whatever else happened   |

User code runs on the calling thread. When the invocation ends, threads that were started for it are joined and what
is queued is sent.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any, TypeAlias

from durable_execution_sdk._core import HistoryError, Journal
from durable_execution_sdk._drivers.bodies import is_async
from durable_execution_sdk._drivers.clock import SYSTEM_CLOCK
from durable_execution_sdk._drivers.commit import GroupCommit, load_pages
from durable_execution_sdk._drivers.context import DurableContext
from durable_execution_sdk._drivers.hooks import Hooks, InvocationFacts
from durable_execution_sdk._drivers.pool import BRANCH_THREADS
from durable_execution_sdk._drivers.ports import Clock, Transport
from durable_execution_sdk._drivers.state import ExecutionState
from durable_execution_sdk._model.api_errors import BotoClientError
from durable_execution_sdk._model.errors import (
    DurableExecutionsError,
    ErrorObject,
    ExecutionError,
    InvocationError,
)
from durable_execution_sdk._model.signals import BackgroundThreadError, SuspendExecution
from durable_execution_sdk._model.updates import OperationUpdate
from durable_execution_sdk._model.values import Value, value
from durable_execution_sdk._operations.child import KeptChildren
from durable_execution_sdk._serdes.text import check_payload

_logger = logging.getLogger("durable_execution_sdk")

RESPONSE_LIMIT_BYTES = 6 * 1024 * 1024 - 50
"""Longest output that is returned as it is; what is longer goes into a checkpoint (official SDK 3.0.0)."""

_UNEXPECTED = (
    "Unexpected payload provided to start the durable execution: {what}."
    " Check that the function's configuration has durable execution enabled and that it is invoked through it."
)

OpenHooks: TypeAlias = Callable[[InvocationFacts], Hooks]


@value
class Returned(Value):
    """User code ended with a result."""

    result: Any


@value
class Suspended(Value):
    """User code waits for the service."""


@value
class Failed(Value):
    """The execution has failed."""

    error: BaseException


@value
class Raised(Value):
    """The invocation raises `error`."""

    error: BaseException


Ending: TypeAlias = Returned | Suspended | Failed | Raised


class DurableFunction:
    """A handler and what it takes to run one invocation of it over any transport."""

    __slots__ = ("_branch_threads", "_child_depth", "_handler", "_is_async", "_open_hooks")

    def __init__(
        self,
        handler: Callable[[Any, Any], Any],
        open_hooks: OpenHooks | None = None,
        *,
        branch_threads: int = BRANCH_THREADS,
        child_depth: float = 0,
    ) -> None:
        """What it runs, and how.

        Args:
            handler: The function.
            open_hooks: Opens the plugins of an invocation.
            branch_threads: Most threads that run branches.
            child_depth: Levels of contexts that keep their children.
        """
        self._handler = handler
        self._is_async = is_async(handler)
        self._open_hooks = open_hooks
        self._branch_threads = branch_threads
        self._child_depth = child_depth

    @property
    def handler(self) -> Callable[[Any, DurableContext], Any]:
        """The function as the user wrote it."""
        return self._handler

    def invoke(
        self, event: Any, lambda_context: Any, transport: Transport, clock: Clock | None = None
    ) -> dict[str, Any]:
        """Run one invocation.

        Args:
            event: What the service sends: ARN, token, first page of operations.
            lambda_context: Handed on to the context; its `get_remaining_time_in_millis` gives the deadline.
            transport: Where checkpoints and state pages go.
            clock: Default: the time of this machine.

        Returns:
            `{"Status": "SUCCEEDED" | "FAILED" | "PENDING", ...}`, as the service takes it.

        Raises:
            ExecutionError: The event is not one of a durable invocation.
            Exception: What the service should answer by invoking again.
        """
        arn, journal, marker, updated = open_event(event)
        try:
            load_pages(journal, transport, arn, marker)
        except BotoClientError as error:
            if error.is_retryable():
                raise
            _logger.error("The history cannot be read; the execution fails.", exc_info=error)
            return _failed_output(error)
        execution = journal.find(arn.rpartition("/")[2])
        if execution is not None and execution.operation_type != "EXECUTION":
            raise DurableExecutionsError(
                f"The operation {execution.operation_id} of {arn} should be the EXECUTION, but is recorded as"
                f" {execution.operation_type}."
            )
        event_input = _read_input(execution.input_payload if execution is not None else None)
        replaying = journal.has_prior_operations
        hooks = None
        if self._open_hooks is not None:
            facts = InvocationFacts(arn, event_input, not replaying, execution, updated, journal, lambda_context)
            hooks = self._open_hooks(facts)
        commit = GroupCommit(journal, transport, arn, None if hooks is None else hooks.records_changed)
        threads = self._branch_threads
        kept = KeptChildren(self._child_depth) if self._child_depth else None
        state = ExecutionState(arn, journal, commit, clock or SYSTEM_CLOCK, hooks, lambda_context, threads, kept)
        if hooks is None:
            return self._run(state, lambda_context, event_input, replaying)
        hooks.invocation_started()
        try:
            output = self._run(state, lambda_context, event_input, replaying)
        except BaseException as error:
            hooks.invocation_ended(None, error)
            raise
        hooks.invocation_ended(output, None)
        return output

    def _run(self, state: ExecutionState, lambda_context: Any, event_input: Any, replaying: bool) -> dict[str, Any]:
        commit = state.commit
        try:
            ending = self._call(state, lambda_context, event_input, replaying)
            state.branch_pool.close()
            output = None
            if not commit.revoked:
                ending, output = _render(state, ending)
            commit.drain()
        finally:
            state.branch_pool.close()
            commit.close()
        if commit.revoked:
            return _pending_output()
        failure = commit.failure
        if failure is not None and not isinstance(ending, Raised | Failed):
            ending, output = _render(state, ending_of(failure))
        if isinstance(ending, Raised):
            _logger.error("The invocation ends with an error; the service invokes again.", exc_info=ending.error)
            raise ending.error
        assert output is not None  # only `Raised` has none
        return output

    def _call(self, state: ExecutionState, lambda_context: Any, event_input: Any, replaying: bool) -> Ending:
        if self._is_async:
            # asyncio is a quarter of the package's import, and `def` handlers do without it.
            from durable_execution_sdk._drivers.aio.entry import run_handler

            try:
                return Returned(run_handler(state, self._handler, event_input, lambda_context, replaying=replaying))
            except (Exception, SuspendExecution, BackgroundThreadError) as error:
                return ending_of(error)
        context = DurableContext.from_lambda_context(state, lambda_context, replaying)
        strand = context.strand
        try:
            with strand.running(), state.hooks.around_invocation() if state.hooks is not None else nullcontext():
                result = context.run_body(lambda root: self._handler(event_input, root))
        except (Exception, SuspendExecution, BackgroundThreadError) as error:
            signal = strand.signal
            if isinstance(signal, SuspendExecution | BackgroundThreadError) and error is not signal:
                # What unwinding code raises is no news: it runs again when the execution gets there again.
                _logger.warning("An exception while the invocation was ending is ignored.", exc_info=error)
                return ending_of(signal)
            return ending_of(error)
        return Returned(result)


def ending_of(error: BaseException) -> Ending:
    """The table at the top of this file, for everything that is raised."""
    if isinstance(error, SuspendExecution):
        return Suspended()
    if isinstance(error, BackgroundThreadError):
        source = error.source_exception
        if isinstance(source, BotoClientError) and not source.is_retryable():
            return Failed(source)
        return Raised(source)
    if isinstance(error, InvocationError):
        return Raised(error) if error.is_retryable() else Failed(error)
    if isinstance(error, ExecutionError):
        return Failed(error)
    return Failed(error)


def open_event(event: Any) -> tuple[str, Journal, str | None, list[str]]:
    """Take an invocation event apart: ARN, its history so far, the marker of the next page, what has changed.

    Raises:
        ExecutionError: It is not an event of a durable invocation.
        ValueError: An operation has an unknown type or status.
    """
    if not isinstance(event, Mapping):
        raise ExecutionError(_UNEXPECTED.format(what=f"the event is {type(event).__name__}, not an object"))
    for field in ("DurableExecutionArn", "CheckpointToken"):
        if not isinstance(event.get(field), str):
            raise ExecutionError(_UNEXPECTED.format(what=f"{field} is missing"))
    first_page = event.get("InitialExecutionState", {})
    if not isinstance(first_page, Mapping):
        raise ExecutionError(_UNEXPECTED.format(what="InitialExecutionState is not an object"))
    journal = Journal(event["CheckpointToken"])
    try:
        journal.load_operations(first_page.get("Operations") or ())
    except (HistoryError, TypeError) as error:
        raise ExecutionError(_UNEXPECTED.format(what=f"InitialExecutionState: {error}")) from error
    marker = first_page.get("NextMarker")
    return event["DurableExecutionArn"], journal, marker, list(event.get("UpdatedOperationIds") or ())


def _read_input(payload: str | None) -> Any:
    if payload is None or not payload.strip():
        return {}
    try:
        return json.loads(payload)
    except json.JSONDecodeError:
        _logger.exception("The input of the execution is not JSON.")
        raise


def _render(state: ExecutionState, ending: Ending) -> tuple[Ending, dict[str, Any] | None]:
    """The output for an ending; what is too long for it is checkpointed, which may end the invocation otherwise."""
    try:
        match ending:
            case Raised():
                return ending, None
            case Suspended():
                if state.out_of_time and not state.is_something_pending():
                    return Raised(InvocationError("The Lambda deadline is too near to go on; invoke again.")), None
                return ending, _pending_output()
            case Failed(error):
                _logger.error("The execution fails.", exc_info=error)
                return ending, _render_failure(state, error)
            case Returned(result):
                return ending, _render_result(state, result)
    except (Exception, SuspendExecution, BackgroundThreadError) as error:
        # The handler's result has no JSON form, or its checkpoint failed.
        return _render(state, ending_of(error))


def _render_result(state: ExecutionState, result: Any) -> dict[str, Any]:
    text = json.dumps(result)
    if len(text) <= RESPONSE_LIMIT_BYTES:  # ASCII, so characters are bytes
        return {"Status": "SUCCEEDED", "Result": text}
    check_payload(text, "the handler's result")
    state.commit.commit(OperationUpdate.create_execution_succeed(text))
    return {"Status": "SUCCEEDED", "Result": ""}


def _render_failure(state: ExecutionState, error: BaseException) -> dict[str, Any]:
    output = _failed_output(error)
    if len(json.dumps(output)) <= RESPONSE_LIMIT_BYTES or state.commit.failure is not None:
        return output
    recorded = ErrorObject.from_exception(error)
    state.commit.commit(OperationUpdate.create_execution_fail(recorded))
    return {"Status": "FAILED"}


def _failed_output(error: BaseException) -> dict[str, Any]:
    return {"Status": "FAILED", "Error": ErrorObject.from_exception(error).to_dict()}


def _pending_output() -> dict[str, Any]:
    return {"Status": "PENDING"}
