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

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from durable_execution_sdk.engine import names
from durable_execution_sdk.engine.errors import InvalidParameterValue, ResourceConflict
from durable_execution_sdk.engine.records import (
    CALLBACK,
    CANCELLED,
    CHAINED_INVOKE,
    CONTEXT,
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
    Command,
    Crashed,
    Ended,
    EventRecord,
    ExecutionRecord,
    InvocationOutcome,
    Malformed,
    OperationRecord,
    StartChild,
    Target,
    TellParent,
    Update,
)
from durable_execution_sdk.engine.updates import CANCEL, FAIL, RETRY, START, SUCCEED, refuse

MAX_FAILURES: Final = 5
FAILURE_DELAY_MS: Final = 5_000
MAX_UNJUSTIFIED: Final = 3

Resolve = Callable[[str], Target | None]

_EVENT_PREFIX: Final = {
    CONTEXT: "Context",
    STEP: "Step",
    WAIT: "Wait",
    CALLBACK: "Callback",
    CHAINED_INVOKE: "ChainedInvoke",
    EXECUTION: "Execution",
}
_EVENT_SUFFIX: Final = {
    SUCCEEDED: "Succeeded",
    FAILED: "Failed",
    TIMED_OUT: "TimedOut",
    STOPPED: "Stopped",
    CANCELLED: "Cancelled",
}


class View(Protocol):
    """Reads the operations of one execution as they were before the transition."""

    def operation(self, operation_id: str) -> OperationRecord | None:
        """The operation of that id."""

    def due(self, now_ms: int) -> Iterable[OperationRecord]:
        """Operations whose timer has come, in order of (due time, position)."""


class Draft:
    """The working copy of one transition: reads through to the view, collects what changes."""

    def __init__(self, execution: ExecutionRecord, view: View, now_ms: int) -> None:
        self.execution = execution
        self.now_ms = now_ms
        self._view = view
        self._operations: dict[str, OperationRecord] = {}
        self._events: list[EventRecord] = []
        self._commands: list[Command] = []
        self._hidden: list[str] = []
        self._version = execution.version
        self._served_version = execution.served_version
        self._created = execution.operations
        self._finished = execution.finished
        self._pending = execution.pending
        self._last_end_ms = execution.last_end_ms

    def operation(self, operation_id: str) -> OperationRecord | None:
        changed = self._operations.get(operation_id)
        return changed if changed is not None else self._view.operation(operation_id)

    def next_position(self) -> int:
        self._created += 1
        return self._created

    def end_stamp(self) -> int:
        self._last_end_ms = max(self.now_ms, self._last_end_ms + 1)
        return self._last_end_ms

    def put(self, record: OperationRecord, *, served: bool = False) -> OperationRecord:
        """Keep a new or changed record; `served` if the change is not the handler's own."""
        before = self.operation(record.operation_id)
        self._version += 1
        if served:
            self._served_version = self._version
            record = replace(record, changed=self._version, served=self._version)
        else:
            record = replace(record, changed=self._version)
        if record.operation_type != EXECUTION:
            self._pending += record.is_pending - (before is not None and before.is_pending)
            self._finished += record.is_terminal - (before is not None and before.is_terminal)
        self._operations[record.operation_id] = record
        return record

    def hide_below(self, context_id: str) -> None:
        """What lies below a finished context is no longer sent to handlers; the store marks it."""
        self._hidden.append(context_id)

    def event(
        self,
        event_type: str,
        operation_id: str,
        details: dict[str, object] | None = None,
        *,
        payload: str | None = None,
        error: str | None = None,
        recorded: bool = False,
    ) -> None:
        event_id = self.execution.events + len(self._events) + 1
        self._events.append(
            EventRecord(event_id, event_type, self.now_ms, operation_id, details or {}, payload, error, recorded)
        )

    def command(self, command: Command) -> None:
        self._commands.append(command)

    def set(self, **changes: Any) -> None:
        self.execution = replace(self.execution, **changes)

    def wake(self) -> None:
        """Something happened that a handler may be waiting for."""
        if not self.execution.in_flight:
            self.set(invoke_at_ms=self.now_ms)

    @property
    def version(self) -> int:
        return self._version

    @property
    def pending(self) -> int:
        return self._pending

    @property
    def served_version(self) -> int:
        return self._served_version

    def change(self) -> Change:
        execution = replace(
            self.execution,
            version=self._version,
            served_version=self._served_version,
            operations=self._created,
            finished=self._finished,
            pending=self._pending,
            last_end_ms=self._last_end_ms,
            events=self.execution.events + len(self._events),
            updated_ms=max(self.now_ms, self.execution.updated_ms),
        )
        return Change(
            execution,
            tuple(self._operations.values()),
            tuple(self._events),
            tuple(self._commands),
            tuple(self._hidden),
        )


# --- the life of an execution -------------------------------------------------------------------------------------


def create(execution: ExecutionRecord, payload: str) -> Change:
    """The first change of a new execution: its EXECUTION operation, ready to be invoked."""
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
        invoke_at_ms=now_ms,
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
    _end(draft, Ended(STOPPED, error=error or _error("ExecutionStopped", "The execution was stopped.")))
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
            _end(draft, Ended(FAILED, error=error))
        case Crashed(error):
            failures = execution.failures + 1
            draft.set(failures=failures)
            if failures >= MAX_FAILURES or execution.kind == PLAIN:
                _end(draft, Ended(FAILED, error=error))
            else:
                draft.set(invoke_at_ms=now_ms + FAILURE_DELAY_MS)
        case Answered():
            draft.set(failures=0)
            _answered(draft, outcome)
    return draft.change()


def _answered(draft: Draft, answer: Answered) -> None:
    if answer.status == SUCCEEDED:
        if answer.error is None:
            return _end(draft, Ended(SUCCEEDED, result=answer.result))
        problem = "The handler's output says SUCCEEDED and carries an Error."
    elif answer.status == FAILED:
        if answer.result is None:
            return _end(draft, Ended(FAILED, error=answer.error))
        problem = "The handler's output says FAILED and carries a Result."
    elif answer.status == PENDING:
        return _suspended(draft)
    else:
        problem = f"The handler's output has the unknown Status {answer.status!r}."
    return _end(draft, Ended(FAILED, error=_error("InvalidParameterValueException", problem)))


def _suspended(draft: Draft) -> None:
    execution = draft.execution
    if execution.is_paused or execution.invoke_at_ms is not None or draft.served_version > execution.seen:
        # A pause revokes the token, which alone makes a handler answer PENDING: resuming goes on from here.
        draft.set(unjustified=0, invoke_at_ms=draft.now_ms)
    elif draft.pending:
        draft.set(unjustified=0)
    else:
        unjustified = execution.unjustified + 1
        draft.set(unjustified=unjustified)
        if unjustified >= MAX_UNJUSTIFIED:
            problem = "The handler answered PENDING with nothing pending: no wait, retry, callback or invoke is open."
            _end(draft, Ended(FAILED, error=_error("InvalidParameterValueException", problem)))
        else:
            draft.set(invoke_at_ms=draft.now_ms + FAILURE_DELAY_MS)


# --- checkpoints --------------------------------------------------------------------------------------------------


def checkpoint(
    execution: ExecutionRecord,
    view: View,
    updates: Sequence[Update],
    client_token: str | None,
    resolve: Resolve,
    now_ms: int,
) -> Change:
    """Apply a batch, whole or not at all. The caller has checked the checkpoint token and fired what is due.

    Raises:
        InvalidParameterValue: An update breaks a rule; the batch is refused.
    """
    _check_batch(updates)
    draft = Draft(execution, view, now_ms)
    for update in updates:
        _apply(draft, update, resolve)
    draft.set(
        sequence=execution.sequence + 1,
        client_token=client_token,
        seen_before=execution.seen,
        seen=draft.version,
    )
    return draft.change()


def _check_batch(updates: Sequence[Update]) -> None:
    seen: dict[str, Update] = {}
    for index, update in enumerate(updates):
        if update.operation_type == EXECUTION and index != len(updates) - 1:
            raise refuse(update.operation_id, "an EXECUTION update must be the last of its batch")
        earlier = seen.get(update.operation_id)
        if earlier is not None and not (
            earlier.operation_type in {STEP, CONTEXT} and earlier.action == START and update.action != START
        ):
            raise refuse(update.operation_id, "it appears twice in one batch, and not as START and then its end")
        seen[update.operation_id] = update


def _apply(draft: Draft, update: Update, resolve: Resolve) -> None:
    if update.operation_type == EXECUTION:
        status = SUCCEEDED if update.action == SUCCEED else FAILED
        return _end(draft, Ended(status, update.payload, update.error))
    record = draft.operation(update.operation_id)
    _check_identity(draft, update, record)
    match update.operation_type:
        case "STEP":
            _apply_step(draft, update, record)
        case "CONTEXT":
            _apply_context(draft, update, record)
        case "WAIT":
            _apply_wait(draft, update, record)
        case "CALLBACK":
            _apply_callback(draft, update, record)
        case _:
            _apply_invoke(draft, update, record, resolve)
    return None


def _check_identity(draft: Draft, update: Update, record: OperationRecord | None) -> None:
    if update.parent_id is not None:
        parent = draft.operation(update.parent_id)
        if parent is None or parent.operation_type != CONTEXT:
            raise refuse(update.operation_id, f"its parent {update.parent_id!r} is no context that was started before")
    if record is None:
        return
    for what, given, recorded in (
        ("Type", update.operation_type, record.operation_type),
        ("SubType", update.sub_type, record.sub_type),
        ("Name", update.name, record.name),
        ("ParentId", update.parent_id, record.parent_id),
    ):
        if given is not None and given != recorded:
            raise refuse(update.operation_id, f"{what} {given!r} differs from the recorded {recorded!r}")


def _check_status(update: Update, record: OperationRecord | None, *allowed: str | None) -> None:
    status = None if record is None else record.status
    if status not in allowed:
        found = "does not exist" if status is None else f"is {status}"
        raise refuse(
            update.operation_id, f"{update.operation_type} {update.action} is not allowed, the operation {found}"
        )


def _new(draft: Draft, update: Update) -> OperationRecord:
    parent = None if update.parent_id is None else draft.operation(update.parent_id)
    orphan = parent is not None and (parent.hidden or (parent.status == SUCCEEDED and not parent.replay_children))
    return OperationRecord(
        hidden=orphan,
        operation_id=update.operation_id,
        operation_type=update.operation_type,
        status=STARTED,
        position=draft.next_position(),
        start_ms=draft.now_ms,
        parent_id=update.parent_id,
        name=update.name,
        sub_type=update.sub_type,
    )


def _apply_step(draft: Draft, update: Update, record: OperationRecord | None) -> None:
    operation_id = update.operation_id
    if update.action == START:
        _check_status(update, record, None, READY)
        # What the last attempt left stays: a condition whose invocation dies after START finds its state again.
        draft.put(replace(record, status=STARTED) if record is not None else _new(draft, update))
        draft.event("StepStarted", operation_id)
        return
    _check_status(update, record, None, STARTED, READY)
    record = record or _new(draft, update)
    attempt = record.attempt + 1
    details: dict[str, object] = {"CurrentAttempt": attempt}
    if update.action == RETRY:
        delay_ms = update.retry_delay_ms or 0
        draft.put(
            replace(
                record,
                status=PENDING,
                attempt=attempt,
                due_ms=draft.now_ms + delay_ms,
                result=update.payload,
                error=update.error,
            )
        )
        retry = details | {"NextAttemptDelaySeconds": _seconds(delay_ms)}
        kind = "StepFailed" if update.error is not None else "StepSucceeded"
        draft.event(kind, operation_id, {"RetryDetails": retry}, payload=update.payload, error=update.error)
        return
    _finish(
        draft,
        replace(record, attempt=attempt),
        SUCCEEDED if update.action == SUCCEED else FAILED,
        update.payload,
        update.error,
        details,
    )


def _apply_context(draft: Draft, update: Update, record: OperationRecord | None) -> None:
    if update.action == START:
        _check_status(update, record, None)
        draft.put(_new(draft, update))
        draft.event("ContextStarted", update.operation_id)
        return
    _check_status(update, record, None, STARTED)
    record = record or _new(draft, update)
    if update.action == FAIL:
        _finish(draft, record, FAILED, None, update.error)
        return
    _finish(draft, replace(record, replay_children=update.replay_children), SUCCEEDED, update.payload, None)
    if not update.replay_children:
        draft.hide_below(update.operation_id)


def _apply_wait(draft: Draft, update: Update, record: OperationRecord | None) -> None:
    if update.action == CANCEL:
        _check_status(update, record, STARTED)
        if record is not None:
            _finish(draft, record, CANCELLED, None, update.error)
        return
    _check_status(update, record, None)
    wait_ms = update.wait_ms or 0
    due_ms = draft.now_ms + wait_ms
    draft.put(replace(_new(draft, update), due_ms=due_ms, scheduled_end_ms=due_ms))
    draft.event("WaitStarted", update.operation_id, {"Duration": _seconds(wait_ms), "ScheduledEndTimestamp": due_ms})


def _apply_callback(draft: Draft, update: Update, record: OperationRecord | None) -> None:
    _check_status(update, record, None)
    callback_id = names.write_callback_id(draft.execution.execution_id, update.operation_id)
    timeout_due_ms = draft.now_ms + update.timeout_ms if update.timeout_ms else None
    draft.put(
        replace(
            _new(draft, update),
            callback_id=callback_id,
            timeout_due_ms=timeout_due_ms,
            heartbeat_ms=update.heartbeat_ms,
            due_ms=_callback_due(timeout_due_ms, update.heartbeat_ms, draft.now_ms),
        )
    )
    draft.event(
        "CallbackStarted",
        update.operation_id,
        {
            "CallbackId": callback_id,
            "HeartbeatTimeout": _seconds(update.heartbeat_ms),
            "Timeout": _seconds(update.timeout_ms),
        },
    )


def _apply_invoke(draft: Draft, update: Update, record: OperationRecord | None, resolve: Resolve) -> None:
    _check_status(update, record, None)
    function_name = update.function_name or ""
    target = resolve(function_name)
    started = replace(
        _new(draft, update), function_name=function_name, tenant_id=update.tenant_id, payload=update.payload
    )
    details: dict[str, object] = {"FunctionName": function_name}
    if update.tenant_id is not None:
        details["TenantId"] = update.tenant_id
    if target is not None:
        details |= {"ExecutedVersion": "$LATEST", "DurableExecutionArn": target.arn}
    draft.put(started)
    draft.event("ChainedInvokeStarted", update.operation_id, details, recorded=True)
    if target is None:
        problem = f"Function not found: {function_name}"
        _finish(draft, started, FAILED, None, _error("ResourceNotFoundException", problem), served=True)
    else:
        payload = "{}" if update.payload is None else update.payload
        draft.command(StartChild(target, update.operation_id, payload, update.tenant_id))


# --- what the world does to single operations ---------------------------------------------------------------------


def end_callback(execution: ExecutionRecord, view: View, operation_id: str, outcome: Ended, now_ms: int) -> Change:
    """The outside world completed a callback."""
    draft = Draft(execution, view, now_ms)
    record = _open_callback(draft, operation_id)
    _finish(draft, record, outcome.status, outcome.result, outcome.error, served=True)
    draft.wake()
    return draft.change()


def heartbeat(execution: ExecutionRecord, view: View, operation_id: str, now_ms: int) -> Change:
    """The outside world is still working on a callback: its heartbeat timer starts anew."""
    draft = Draft(execution, view, now_ms)
    record = _open_callback(draft, operation_id)
    draft.put(replace(record, due_ms=_callback_due(record.timeout_due_ms, record.heartbeat_ms, now_ms)))
    return draft.change()


def end_invoke(execution: ExecutionRecord, view: View, operation_id: str, outcome: Ended, now_ms: int) -> Change | None:
    """A chained invoke came out; None if nobody waits for it any more."""
    draft = Draft(execution, view, now_ms)
    record = draft.operation(operation_id)
    if execution.is_terminal or record is None or record.is_terminal:
        return None
    error = outcome.error
    if outcome.status == TIMED_OUT:
        error = _error("ChainedInvoke.Timeout", "The invoked function timed out.")
    _finish(draft, record, outcome.status, outcome.result, error, served=True)
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


# --- the parts they share -----------------------------------------------------------------------------------------


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
            _finish(draft, record, SUCCEEDED, None, None, served=True)
        else:
            timed_out = record.timeout_due_ms is not None and record.timeout_due_ms <= record.due_ms
            error = (
                _error("Callback.Timeout", "The callback timed out.")
                if timed_out
                else _error("Callback.Heartbeat", "The callback's heartbeat was missed.")
            )
            _finish(draft, record, TIMED_OUT, None, error, served=True)
    if fired:
        draft.wake()
    execution = draft.execution
    frozen = execution.is_paused and execution.pause_stops_timeout
    if execution.timeout_due_ms is not None and execution.timeout_due_ms <= now_ms and not frozen:
        _end(draft, Ended(TIMED_OUT, error=_error("ExecutionTimedOut", "The execution timed out.")))
        fired = True
    return fired


def _finish(
    draft: Draft,
    record: OperationRecord,
    status: str,
    result: str | None,
    error: str | None,
    retry: dict[str, object] | None = None,
    *,
    served: bool = False,
) -> None:
    details: dict[str, object] = {} if retry is None else {"RetryDetails": retry}
    if record.operation_type == WAIT and record.scheduled_end_ms is not None:
        details["Duration"] = _seconds(record.scheduled_end_ms - record.start_ms)
    draft.put(
        replace(record, status=status, end_ms=draft.end_stamp(), due_ms=None, result=result, error=error),
        served=served,
    )
    event_type = _EVENT_PREFIX[record.operation_type] + _EVENT_SUFFIX[status]
    draft.event(event_type, record.operation_id, details, error=error, recorded=result is not None)


def _end(draft: Draft, outcome: Ended) -> None:
    """End the execution: no invocation, timer or callback changes it any more."""
    execution = draft.execution
    record = draft.operation(execution.execution_id)
    if record is not None:
        _finish(draft, record, outcome.status, outcome.result, outcome.error)
    draft.set(status=outcome.status, end_ms=draft.now_ms, invoke_at_ms=None, pause_ms=None)
    if execution.parent_execution_id is not None and execution.parent_operation_id is not None:
        draft.command(TellParent(execution.parent_execution_id, execution.parent_operation_id, outcome))


def _require_running(execution: ExecutionRecord) -> None:
    if execution.is_terminal:
        raise ResourceConflict(f"Execution {execution.arn} has already ended ({execution.status}).")


def _callback_due(timeout_due_ms: int | None, heartbeat_ms: int, now_ms: int) -> int | None:
    due = [at for at in (timeout_due_ms, now_ms + heartbeat_ms if heartbeat_ms else None) if at is not None]
    return min(due) if due else None


def _seconds(duration_ms: int) -> int | float:
    return duration_ms // 1000 if duration_ms % 1000 == 0 else duration_ms / 1000


def _error(error_type: str, message: str) -> str:
    return json.dumps({"ErrorMessage": message, "ErrorType": error_type}, separators=(",", ":"))
