"""The three shapes of operation, for `def` handlers: everything happens on the calling thread.

Each routine is told what is recorded, asks the operation for a verdict, and gives the verdict its effects. `try` wraps
user code (bodies, serdes, strategies) and nothing else, so an error of ours cannot be taken for one of the user's. What
is raised in the end is raised outside the `except`, so that the first run raises what a replay raises.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NoReturn, Protocol

from durable_execution_sdk._core import Record
from durable_execution_sdk._drivers.codec import Codec
from durable_execution_sdk._drivers.state import ExecutionState, park
from durable_execution_sdk._model.updates import OperationIdentifier, OperationUpdate
from durable_execution_sdk._operations.child import ChildOperation
from durable_execution_sdk._operations.condition import ConditionOperation
from durable_execution_sdk._operations.identity import describe
from durable_execution_sdk._operations.step import StepOperation
from durable_execution_sdk._operations.verdicts import (
    Announce,
    Attempt,
    Condemn,
    Deliver,
    Enter,
    Escape,
    Found,
    Interrupted,
    Park,
    Settled,
    Throw,
)

_logger = logging.getLogger("durable_execution_sdk")

Body = Callable[[], Any]


class BackendOperation(Protocol):
    """An operation whose work is the service's alone."""

    @property
    def identity(self) -> OperationIdentifier: ...
    def begin(self, record: Record | None, now_ms: int) -> Announce | Found: ...
    def look(self, record: Record | None, now_ms: int) -> Found: ...


# --- shape 1: backend only ---


def run_backend(
    state: ExecutionState, op: BackendOperation, start: Callable[[], OperationUpdate], position: int | None
) -> str | None:
    """Announce the operation if it is new, and return its payload; raise its error or suspend."""
    verdict = op.begin(state.recall(op.identity, position), state.clock.now_ms())
    if isinstance(verdict, Announce):
        state.announce(start(), confirm=True)
        verdict = op.look(state.journal.find(op.identity.operation_id), state.clock.now_ms())
    return take(state, op.identity, verdict)


def take(state: ExecutionState, identity: OperationIdentifier, verdict: Found) -> str | None:
    """Act on what a record says: return its payload, raise its error, or suspend."""
    if isinstance(verdict, Park):
        park(verdict.due_ms, describe(identity))
    if state.hooks is not None:
        state.hooks.operation_ended(identity.operation_id)
    if isinstance(verdict, Throw):
        raise verdict.error
    return verdict.payload


# --- shape 2: attempt with user code ---


def run_step(
    state: ExecutionState,
    op: StepOperation,
    body: Callable[[int], Any],
    codec: Codec,
    strategy: Callable[[Exception, int], Any],
    position: int | None,
) -> Any:
    """One attempt of a step, unless it has ended, waits for its next attempt, or was interrupted for good."""
    verdict = op.begin(state.recall(op.identity, position))
    if isinstance(verdict, Interrupted):
        return conclude(state, op.identity, _consult(state, op, strategy, verdict.error, verdict.number))
    if not isinstance(verdict, Attempt):
        return codec.decode(take(state, op.identity, verdict))
    _start_attempt(state, verdict)
    if verdict.confirm:
        op.confirmed(state.journal.find(op.identity.operation_id))
    value = None
    failed: Exception | None = None
    try:
        if state.hooks is None:
            value = body(verdict.number)
        else:
            with state.hooks.around_body(op.identity, verdict.number, False):
                value = body(verdict.number)
        payload = codec.encode_to_send(value)
        value = codec.decode(payload)
    except Exception as error:  # whatever user code raises is judged
        failed = error
    if failed is None:
        conclude(state, op.identity, op.succeed(payload))
        return value
    judgement = op.judge(failed)
    if isinstance(judgement, Escape):
        raise failed
    _logger.debug("attempt %d of %s failed", verdict.number, describe(op.identity), exc_info=failed)
    if isinstance(judgement, Condemn):
        return conclude(state, op.identity, op.fail(failed))
    return conclude(state, op.identity, _consult(state, op, strategy, failed, verdict.number))


def run_condition(
    state: ExecutionState,
    op: ConditionOperation,
    check: Callable[[Any, int], Any],
    codec: Codec,
    initial_state: Any,
    strategy: Callable[[Any, int], Any],
    position: int | None,
) -> Any:
    """One check of a condition, unless it has ended or waits for its next check."""
    verdict = op.begin(state.recall(op.identity, position))
    if not isinstance(verdict, Attempt):
        return codec.decode(take(state, op.identity, verdict))
    _start_attempt(state, verdict)
    failed: Exception | None = None
    try:
        before = codec.decode(verdict.state if verdict.state is not None else codec.encode(initial_state))
        with _around(state, op.identity, verdict.number):
            after = check(before, verdict.number)
        payload = codec.encode_to_send(after)
        decision = strategy(codec.decode(payload), verdict.number)
        # Read once more: the strategy may have changed its copy, and the caller gets what a replay gets.
        value = None if decision.should_continue else codec.decode(payload)
    except Exception as error:  # whatever user code raises is judged
        failed = error
    if failed is not None:
        if isinstance(op.judge(failed), Escape):
            raise failed
        return conclude(state, op.identity, op.fail(failed))
    if decision.should_continue:
        delay = whole_delay(decision.delay_seconds, op.identity)
        return conclude(state, op.identity, op.retry(payload, delay, state.clock.now_ms()))
    conclude(state, op.identity, op.succeed(payload))
    return value


def _start_attempt(state: ExecutionState, attempt: Attempt) -> None:
    state.require_time()
    if attempt.announce is not None:
        state.announce(attempt.announce, confirm=attempt.confirm)


def _consult(
    state: ExecutionState,
    op: StepOperation,
    strategy: Callable[[Exception, int], Any],
    error: Exception,
    attempt: int,
) -> Settled:
    decision = strategy(error, attempt)
    if not decision.should_retry:
        return op.fail(error)
    return op.retry(error, whole_delay(decision.delay_seconds, op.identity), state.clock.now_ms())


def whole_delay(seconds: int, identity: OperationIdentifier) -> int:
    if seconds >= 1:
        return seconds
    _logger.warning("The delay of %s is %s s; the service takes at least 1.", describe(identity), seconds)
    return 1


# --- shape 3: scope ---


def run_scope(
    state: ExecutionState,
    op: ChildOperation,
    body: Callable[[Enter], Any],
    codec: Codec,
    summarise: Callable[[Any], str] | None,
    position: int | None = None,
) -> Any:
    """Run the body of a context, unless the context has ended and its result is recorded.

    `body` is told how it is entered; it must let the signals of this SDK pass.
    """
    settled, value = settle_scope(state, op, body, codec, summarise, position)
    conclude(state, op.identity, settled)
    return value


def settle_scope(
    state: ExecutionState,
    op: ChildOperation,
    body: Callable[[Enter], Any],
    codec: Codec,
    summarise: Callable[[Any], str] | None,
    position: int | None = None,
) -> tuple[Settled, Any]:
    """The same up to the point where the end must be acknowledged: what `conclude` takes, and the result."""
    record = state.recall(op.identity, position, is_virtual=op.is_virtual)
    verdict = op.begin(record)
    if not isinstance(verdict, Enter):
        return _RECORDED, codec.decode(take(state, op.identity, verdict))
    state.require_time()
    if verdict.announce is not None:
        state.announce(verdict.announce, confirm=False)
    failed: Exception | None = None
    try:
        if state.hooks is None:
            raw = body(verdict)
        else:
            with state.hooks.around_body(op.identity, None if record is not None else 1, verdict.reconstruct):
                raw = body(verdict)
        payload = codec.encode(raw)
        value = codec.decode(payload)
        summary = summarise(raw) if summarise is not None and op.summarises(payload, verdict) else ""
        codec.require_sendable(summary)
    except Exception as error:  # whatever user code raises is judged
        failed = error
    if failed is None:
        settled = op.succeed(payload, summary, verdict)
    elif isinstance(op.judge(failed), Escape):
        raise failed
    else:
        settled = op.fail(failed, verdict)
    if settled.update is None and state.hooks is not None:
        state.hooks.scope_ended(op.identity, failed, verdict.reconstruct)
    return settled, None if failed is not None else value


# --- common ---


def conclude(state: ExecutionState, identity: OperationIdentifier, settled: Settled) -> None:
    """Have the end of a body acknowledged, then raise what follows from it, if anything does."""
    if settled.update is not None:
        state.commit.commit(settled.update)
    then = settled.then
    if isinstance(then, Park):
        _park_as_recorded(state, identity, then)
    if settled.update is not None and state.hooks is not None:
        state.hooks.operation_ended(identity.operation_id)
    if isinstance(then, Throw):
        raise then.error


def _park_as_recorded(state: ExecutionState, identity: OperationIdentifier, parked: Park) -> NoReturn:
    # The service's clock set the time of the next attempt; ours is only a guess.
    record = state.journal.find(identity.operation_id)
    due_ms = record.next_attempt_ms if record is not None and record.status == "PENDING" else None
    park(parked.due_ms if due_ms is None else due_ms, describe(identity))


def _around(state: ExecutionState, identity: OperationIdentifier, attempt: int) -> Any:
    return _NOTHING if state.hooks is None else state.hooks.around_body(identity, attempt, False)


_NOTHING = nullcontext()
_RECORDED = Settled(None, Deliver(None))
