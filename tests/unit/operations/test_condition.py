from __future__ import annotations

import pytest

from durable_execution_sdk._model.errors import ExecutionError, InvocationError, WaitForConditionError
from durable_execution_sdk._operations.condition import ConditionOperation
from durable_execution_sdk._operations.verdicts import Attempt, Condemn, Deliver, Escape, Park, Throw
from tests.unit.operations.rows import identity, record

OP = ConditionOperation(identity())


def test_first_and_later_checks():
    first = OP.begin(None)
    assert isinstance(first, Attempt)
    assert (first.number, first.confirm, first.state) == (1, False, None)
    ready = OP.begin(record("READY", attempt=2, result="7"))
    assert isinstance(ready, Attempt)
    assert ready.announce is not None
    assert (ready.number, ready.state) == (3, "7")
    assert OP.begin(record("STARTED", attempt=2, result="7")) == Attempt(3, None, state="7")
    assert OP.begin(record("STARTED", attempt=2, result="")) == Attempt(3, None)


def test_waiting_and_ended():
    assert OP.begin(record("PENDING", next_attempt_ms=5)) == Park(5)
    assert OP.begin(record("SUCCEEDED", result="7")) == Deliver("7")
    for status in ("FAILED", "CANCELLED", "TIMED_OUT", "STOPPED"):
        verdict = OP.begin(record(status))
        assert isinstance(verdict, Throw)
        assert isinstance(verdict.error, WaitForConditionError)


@pytest.mark.parametrize(
    ("error", "judgement"),
    [(InvocationError("again"), Escape()), (ExecutionError("over"), Condemn()), (ValueError("x"), Condemn())],
)
def test_judgements(error, judgement):
    assert OP.judge(error) == judgement


def test_retry_keeps_the_state_and_no_error():
    settled = OP.retry("7", 30, now_ms=1_000)
    assert settled.update is not None
    sent = settled.update.to_dict()
    assert (sent["Payload"], sent["StepOptions"]) == ("7", {"NextAttemptDelaySeconds": 30})
    assert "Error" not in sent
    assert settled.then == Park(31_000)
