"""Applying a checkpoint: the updates of one request, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from durable_execution_sdk.engine import names
from durable_execution_sdk.engine.drafts import Draft, View, callback_due, end, error_of, finish, in_seconds
from durable_execution_sdk.engine.records import (
    CANCELLED,
    CONTEXT,
    EXECUTION,
    FAILED,
    PENDING,
    READY,
    STARTED,
    STEP,
    SUCCEEDED,
    Change,
    Ended,
    ExecutionRecord,
    OperationRecord,
    StartChild,
    Target,
    Update,
)
from durable_execution_sdk.engine.updates import CANCEL, FAIL, RETRY, START, SUCCEED, refuse

Resolve: TypeAlias = Callable[[str], Target | None]
"""Finds the function of a chained invoke; None if there is none of that name."""


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
        return end(draft, Ended(status, update.payload, update.error))
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
        retry = details | {"NextAttemptDelaySeconds": in_seconds(delay_ms)}
        kind = "StepFailed" if update.error is not None else "StepSucceeded"
        draft.event(kind, operation_id, {"RetryDetails": retry}, payload=update.payload, error=update.error)
        return
    finish(
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
        finish(draft, record, FAILED, None, update.error)
        return
    finish(draft, replace(record, replay_children=update.replay_children), SUCCEEDED, update.payload, None)
    if not update.replay_children:
        draft.hide_below(update.operation_id)


def _apply_wait(draft: Draft, update: Update, record: OperationRecord | None) -> None:
    if update.action == CANCEL:
        _check_status(update, record, STARTED)
        if record is not None:
            finish(draft, record, CANCELLED, None, update.error)
        return
    _check_status(update, record, None)
    wait_ms = update.wait_ms or 0
    due_ms = draft.now_ms + wait_ms
    draft.put(replace(_new(draft, update), due_ms=due_ms, scheduled_end_ms=due_ms))
    draft.event("WaitStarted", update.operation_id, {"Duration": in_seconds(wait_ms), "ScheduledEndTimestamp": due_ms})


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
            due_ms=callback_due(timeout_due_ms, update.heartbeat_ms, draft.now_ms),
        )
    )
    draft.event(
        "CallbackStarted",
        update.operation_id,
        {
            "CallbackId": callback_id,
            "HeartbeatTimeout": in_seconds(update.heartbeat_ms),
            "Timeout": in_seconds(update.timeout_ms),
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
        finish(draft, started, FAILED, None, error_of("ResourceNotFoundException", problem), served=True)
    else:
        payload = "{}" if update.payload is None else update.payload
        draft.command(StartChild(target, update.operation_id, payload, update.tenant_id))
