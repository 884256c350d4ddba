"""The service side of a durable execution, as pure functions: (state, event, now) -> `Change`.

Theory of operation. The state of an execution is one `ExecutionRecord` (counters, flags) and its operations, which are
looked up through a `View`, so that an execution of 100,000 operations costs a transition only what it touches. Each
function works on a `Draft` over that view and returns what changed; it performs no I/O, reads no clock and draws no
random number. A refused request raises before a `Change` exists, so nothing can be half applied.

Each change of an operation takes the next `version`. A handler is told what changed after the version it saw last, and
`served_version` is the newest change that was not the handler's own: if it is unseen when the handler answers PENDING,
the handler is invoked again at once.

End stamps rise by at least a millisecond from one completion of an execution to the next, so that (end, id) orders
completions as they were acknowledged. Timers are set from the clock alone, never from a stamp.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from durable_execution_sdk.engine.drafts import Draft, View, callback_due, end, error_of, finish
from durable_execution_sdk.engine.errors import InvalidParameterValue, ResourceConflict
from durable_execution_sdk.engine.records import (
    CALLBACK,
    EXECUTION,
    FAILED,
    PENDING,
    PLAIN,
    READY,
    RUNNING,
    STARTED,
    STEP,
    STOPPED,
    SUCCEEDED,
    TIMED_OUT,
    WAIT,
    Abandoned,
    Answered,
    Change,
    Crashed,
    Ended,
    EventRecord,
    ExecutionRecord,
    InvocationOutcome,
    Malformed,
    OperationRecord,
)

MAX_FAILURES: Final = 5
FAILURE_DELAY_MS: Final = 5_000
MAX_UNJUSTIFIED: Final = 3


# --- the life of an execution -------------------------------------------------------------------------------------


def create(execution: ExecutionRecord, payload: str, delay_ms: int = 0) -> Change:
    """The first change of a new execution: its EXECUTION operation, to be invoked after the delay."""
    now_ms = execution.start_ms
    operation = OperationRecord(
        operation_id=execution.execution_id,
        operation_type=EXECUTION,
        status=STARTED,
        position=0,
        start_ms=now_ms,
        name=execution.name,
        payload=payload,
        changed=1,
    )
    timeout = execution.timeout_ms
    started = EventRecord(
        1,
        "ExecutionStarted",
        now_ms,
        execution.execution_id,
        {} if timeout is None else {"ExecutionTimeout": timeout // 1000},
        recorded=True,
    )
    execution = replace(
        execution,
        version=1,
        events=1,
        updated_ms=now_ms,
        invoke_at_ms=now_ms + delay_ms,
        timeout_due_ms=None if timeout is None else now_ms + timeout,
    )
    return Change(execution, (operation,), (started,))


def fire_timers(execution: ExecutionRecord, view: View, now_ms: int) -> Change | None:
    """Complete everything whose time has come; None if nothing has."""
    draft = Draft(execution, view, now_ms)
    return draft.change() if _fire(draft, view) else None


def stop(execution: ExecutionRecord, view: View, error: str | None, now_ms: int) -> Change:
    """End the execution STOPPED. A running invocation is not killed; its later checkpoints are refused."""
    if execution.is_terminal:
        raise ResourceConflict(f"Execution {execution.arn} has already ended ({execution.status}).")
    draft = Draft(execution, view, now_ms)
    end(draft, Ended(STOPPED, error=error or error_of("ExecutionStopped", "The execution was stopped.")))
    return draft.change()


def pause(
    execution: ExecutionRecord, view: View, reason: str | None, now_ms: int, *, stops_timeout: bool = True
) -> Change:
    """Withhold tokens and start no invocation until it is resumed."""
    _require_running(execution)
    if execution.is_paused:
        raise ResourceConflict(f"Execution {execution.arn} is already paused.")
    draft = Draft(execution, view, now_ms)
    draft.set(pause_ms=now_ms, pause_reason=reason, pause_stops_timeout=stops_timeout)
    details: dict[str, object] = {"PauseRequestTimestamp": now_ms, "ExecutionTimeoutPaused": stops_timeout}
    draft.event("ExecutionPaused", execution.execution_id, details | ({"Reason": reason} if reason else {}))
    return draft.change()


def resume(execution: ExecutionRecord, view: View, reason: str | None, now_ms: int) -> Change:
    """Lift a pause; whatever was deferred happens now."""
    _require_running(execution)
    if execution.pause_ms is None:
        raise ResourceConflict(f"Execution {execution.arn} is not paused.")
    draft = Draft(execution, view, now_ms)
    due = execution.timeout_due_ms
    if due is not None and execution.pause_stops_timeout:
        due += now_ms - execution.pause_ms
    draft.set(pause_ms=None, pause_reason=None, timeout_due_ms=due)
    if execution.in_flight:
        draft.set(invoke_at_ms=now_ms)  # its token may have been withheld meanwhile
    details: dict[str, object] = {"ResumeRequestTimestamp": now_ms}
    draft.event("ExecutionResumed", execution.execution_id, details | ({"Reason": reason} if reason else {}))
    return draft.change()


# --- invocations --------------------------------------------------------------------------------------------------


def begin_invocation(execution: ExecutionRecord, view: View, request_id: str, now_ms: int) -> Change:
    """A handler is about to be invoked; it gets the state as of this change."""
    _require_running(execution)
    if execution.in_flight or execution.is_paused:
        raise ResourceConflict(f"Execution {execution.arn} cannot be invoked now.")
    draft = Draft(execution, view, now_ms)
    draft.set(
        invocation=execution.invocation + 1,
        request_id=request_id,
        invocation_start_ms=now_ms,
        invoke_at_ms=None,
        sequence=0,
        client_token=None,
        seen=execution.version,
        seen_before=execution.version,
        delivered=execution.version,
    )
    return draft.change()


def end_invocation(execution: ExecutionRecord, view: View, outcome: InvocationOutcome, now_ms: int) -> Change:
    """An invocation came out, in whatever way. What an invocation of an ended execution answers is ignored."""
    draft = Draft(execution, view, now_ms)
    failure = outcome.error if isinstance(outcome, Crashed | Malformed | Abandoned) else None
    draft.event(
        "InvocationCompleted",
        execution.execution_id,
        {
            "StartTimestamp": execution.invocation_start_ms if execution.in_flight else now_ms,
            "EndTimestamp": now_ms,
            "RequestId": execution.request_id or "",
        },
        error=failure,
    )
    draft.set(invocation_start_ms=None, seen_before=execution.seen)
    if execution.is_terminal:
        return draft.change()
    match outcome:
        case Abandoned():
            draft.set(invoke_at_ms=now_ms)
        case Malformed(error):
            end(draft, Ended(FAILED, error=error))
        case Crashed(error):
            failures = execution.failures + 1
            draft.set(failures=failures)
            if failures >= MAX_FAILURES or execution.kind == PLAIN:
                end(draft, Ended(FAILED, error=error))
            else:
                draft.set(invoke_at_ms=now_ms + FAILURE_DELAY_MS)
        case Answered():
            draft.set(failures=0)
            _answered(draft, outcome)
    return draft.change()


def _answered(draft: Draft, answer: Answered) -> None:
    if answer.status == SUCCEEDED:
        if answer.error is None:
            return end(draft, Ended(SUCCEEDED, result=answer.result))
        problem = "The handler's output says SUCCEEDED and carries an Error."
    elif answer.status == FAILED:
        if answer.result is None:
            return end(draft, Ended(FAILED, error=answer.error))
        problem = "The handler's output says FAILED and carries a Result."
    elif answer.status == PENDING:
        return _suspended(draft)
    else:
        problem = f"The handler's output has the unknown Status {answer.status!r}."
    return end(draft, Ended(FAILED, error=error_of("InvalidParameterValueException", problem)))


def _suspended(draft: Draft) -> None:
    execution = draft.execution
    if execution.is_paused or execution.invoke_at_ms is not None or draft.served_version > execution.delivered:
        # A pause revokes the token, which alone makes a handler answer PENDING: resuming goes on from here. What ended
        # during the invocation may have been suspended on before the handler was told of it.
        draft.set(unjustified=0, invoke_at_ms=draft.now_ms)
    elif draft.pending:
        draft.set(unjustified=0)
    else:
        unjustified = execution.unjustified + 1
        draft.set(unjustified=unjustified)
        if unjustified >= MAX_UNJUSTIFIED:
            problem = "The handler answered PENDING with nothing pending: no wait, retry, callback or invoke is open."
            end(draft, Ended(FAILED, error=error_of("InvalidParameterValueException", problem)))
        else:
            draft.set(invoke_at_ms=draft.now_ms + FAILURE_DELAY_MS)


# --- what the world does to single operations ---------------------------------------------------------------------


def end_callback(execution: ExecutionRecord, view: View, operation_id: str, outcome: Ended, now_ms: int) -> Change:
    """The outside world completed a callback."""
    draft = Draft(execution, view, now_ms)
    record = _open_callback(draft, operation_id)
    finish(draft, record, outcome.status, outcome.result, outcome.error, served=True)
    draft.wake()
    return draft.change()


def heartbeat(execution: ExecutionRecord, view: View, operation_id: str, now_ms: int) -> Change:
    """The outside world is still working on a callback: its heartbeat timer starts anew."""
    draft = Draft(execution, view, now_ms)
    record = _open_callback(draft, operation_id)
    draft.put(replace(record, due_ms=callback_due(record.timeout_due_ms, record.heartbeat_ms, now_ms)))
    return draft.change()


def end_invoke(execution: ExecutionRecord, view: View, operation_id: str, outcome: Ended, now_ms: int) -> Change | None:
    """A chained invoke came out; None if nobody waits for it any more."""
    draft = Draft(execution, view, now_ms)
    record = draft.operation(operation_id)
    if execution.is_terminal or record is None or record.is_terminal:
        return None
    error = outcome.error
    if outcome.status == TIMED_OUT:
        error = error_of("ChainedInvoke.Timeout", "The invoked function timed out.")
    finish(draft, record, outcome.status, outcome.result, error, served=True)
    draft.wake()
    return draft.change()


def _open_callback(draft: Draft, operation_id: str) -> OperationRecord:
    record = draft.operation(operation_id)
    if record is None or record.operation_type != CALLBACK:
        raise InvalidParameterValue(f"No callback has that id in execution {draft.execution.arn}.")
    if draft.execution.is_terminal:
        raise ResourceConflict(
            f"The callback cannot be completed: its execution {draft.execution.arn} has ended "
            f"({draft.execution.status})."
        )
    if record.is_terminal:
        raise ResourceConflict(f"The callback has already been completed: it is {record.status}.")
    return record


# --- timers --------------------------------------------------------------------------------------------------------


def _fire(draft: Draft, view: View) -> bool:
    """Complete what is due, in order of time; whether anything was."""
    if draft.execution.status != RUNNING:
        return False
    now_ms = draft.now_ms
    fired = False
    for due in view.due(now_ms):
        record = draft.operation(due.operation_id) or due
        if record.due_ms is None or record.due_ms > now_ms or not record.is_pending:
            continue  # this very batch has changed it
        fired = True
        if record.operation_type == STEP:
            draft.put(replace(record, status=READY, due_ms=None), served=True)
        elif record.operation_type == WAIT:
            finish(draft, record, SUCCEEDED, None, None, served=True)
        else:
            timed_out = record.timeout_due_ms is not None and record.timeout_due_ms <= record.due_ms
            error = (
                error_of("Callback.Timeout", "The callback timed out.")
                if timed_out
                else error_of("Callback.Heartbeat", "The callback's heartbeat was missed.")
            )
            finish(draft, record, TIMED_OUT, None, error, served=True)
    if fired:
        draft.wake()
    execution = draft.execution
    frozen = execution.is_paused and execution.pause_stops_timeout
    if execution.timeout_due_ms is not None and execution.timeout_due_ms <= now_ms and not frozen:
        end(draft, Ended(TIMED_OUT, error=error_of("ExecutionTimedOut", "The execution timed out.")))
        fired = True
    return fired


def _require_running(execution: ExecutionRecord) -> None:
    if execution.is_terminal:
        raise ResourceConflict(f"Execution {execution.arn} has already ended ({execution.status}).")
