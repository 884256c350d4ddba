from __future__ import annotations

import pytest

from durable_execution_sdk._model.config import StepSemantics
from durable_execution_sdk._model.errors import (
    DurableOperationError,
    ExecutionError,
    InvalidStateError,
    InvocationError,
    RetryableSerDesError,
    SerDesError,
    StepError,
    StepInterruptedError,
)
from durable_execution_sdk._operations.step import StepOperation
from durable_execution_sdk._operations.verdicts import (
    Attempt,
    Condemn,
    Consult,
    Deliver,
    Escape,
    Interrupted,
    Park,
    Throw,
)
from tests.unit.operations.rows import identity, raised, record

MORE = StepSemantics.AT_LEAST_ONCE_PER_RETRY
ONCE = StepSemantics.AT_MOST_ONCE_PER_RETRY
BOOM = ("boom", "ValueError", None, None)


def step(semantics: StepSemantics = MORE) -> StepOperation:
    return StepOperation(identity(), semantics)


@pytest.mark.parametrize(("semantics", "confirm"), [(MORE, False), (ONCE, True)])
@pytest.mark.parametrize(("seen", "number"), [(None, 1), (record("READY", attempt=2), 3)])
def test_a_new_or_ready_step_is_announced_and_run(semantics, confirm, seen, number):
    verdict = step(semantics).begin(seen)
    assert isinstance(verdict, Attempt)
    assert (verdict.number, verdict.confirm) == (number, confirm)
    assert verdict.announce is not None
    assert verdict.announce.to_dict() == {
        "Id": identity().operation_id,
        "Type": "STEP",
        "Action": "START",
        "Name": "pay",
        "SubType": "Step",
    }


def test_a_started_step_runs_again_without_a_second_start():
    assert step().begin(record("STARTED", attempt=1)) == Attempt(2, None)


def test_a_started_step_that_may_run_once_was_interrupted():
    verdict = step(ONCE).begin(record("STARTED", attempt=1))
    assert isinstance(verdict, Interrupted)
    assert verdict.number == 2
    assert isinstance(verdict.error, StepInterruptedError)
    assert "'pay'" in str(verdict.error)


@pytest.mark.parametrize("semantics", [MORE, ONCE])
def test_what_waits_or_has_ended_is_the_same_for_both_guarantees(semantics):
    op = step(semantics)
    assert op.begin(record("PENDING", next_attempt_ms=77)) == Park(77)
    assert op.begin(record("PENDING")) == Park(None)
    assert op.begin(record("SUCCEEDED", result="1")) == Deliver("1")
    assert op.begin(record("SUCCEEDED")) == Deliver(None)


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED", "TIMED_OUT", "STOPPED"])
def test_every_other_end_throws(status):
    told = step().begin(record(status, error=BOOM))
    untold = step().begin(record(status))
    assert isinstance(told, Throw)
    assert raised(told.error)[:3] == (StepError, "boom", "ValueError")
    assert raised(told.error)[-1][0] is DurableOperationError
    assert isinstance(untold, Throw)
    assert isinstance(untold.error, StepError)
    assert "'pay'" in str(untold.error)


def test_a_recorded_serdes_failure_throws_as_itself():
    verdict = step().begin(
        record("FAILED", error=("bad", "aws_durable_execution_sdk_python.exceptions.SerDesError", None, None))
    )
    assert isinstance(verdict, Throw)
    assert isinstance(verdict.error, SerDesError)


@pytest.mark.parametrize(
    ("error", "judgement"),
    [
        (RetryableSerDesError("later"), Escape()),
        (ExecutionError("over"), Escape()),
        (SerDesError("never"), Condemn()),
        (ValueError("boom"), Consult()),
        (InvocationError("raised by user code"), Consult()),
    ],
)
def test_judgements(error, judgement):
    assert step().judge(error) == judgement


def test_first_failure_equals_replayed_failure():
    settled = step().fail(ValueError("boom"))
    assert settled.update is not None
    assert settled.update.to_dict()["Error"] == {"ErrorMessage": "boom", "ErrorType": "ValueError"}
    replayed = step().begin(record("FAILED", error=BOOM))
    assert isinstance(settled.then, Throw)
    assert isinstance(replayed, Throw)
    assert raised(settled.then.error) == raised(replayed.error)


def test_a_retry_parks_for_its_delay():
    settled = step().retry(ValueError("boom"), 5, now_ms=1_000)
    assert settled.update is not None
    assert settled.update.to_dict()["StepOptions"] == {"NextAttemptDelaySeconds": 5}
    assert settled.then == Park(6_000)


@pytest.mark.parametrize("found", [None, record("SUCCEEDED"), record("PENDING")])
def test_an_unconfirmed_start_does_not_run(found):
    with pytest.raises(InvalidStateError, match="STARTED"):
        step(ONCE).confirmed(found)
    step(ONCE).confirmed(record("STARTED"))
