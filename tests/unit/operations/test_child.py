from __future__ import annotations

import pytest

from durable_execution_sdk._model.errors import (
    ChildContextError,
    ExecutionError,
    InvocationError,
    NonDeterministicExecutionError,
    SerDesError,
)
from durable_execution_sdk._operations.child import ChildOperation
from durable_execution_sdk._operations.verdicts import Condemn, Deliver, Enter, Escape, Throw
from tests.unit.operations.rows import identity, raised, record

CHILD = ChildOperation(identity("CONTEXT"))
VIRTUAL = ChildOperation(identity("CONTEXT"), is_virtual=True)


def test_a_new_child_is_announced_unless_virtual():
    entered = CHILD.begin(None)
    assert isinstance(entered, Enter)
    assert entered.announce is not None
    assert entered.announce.action.value == "START"
    assert VIRTUAL.begin(None) == Enter(None)


def test_recorded_children():
    assert CHILD.begin(record("STARTED", "CONTEXT")) == Enter(None)
    assert CHILD.begin(record("SUCCEEDED", "CONTEXT", result="1")) == Deliver("1")
    large = record("SUCCEEDED", "CONTEXT", result="", replay_children=True)
    assert CHILD.begin(large) == Enter(None, reconstruct=True)


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED", "TIMED_OUT", "STOPPED"])
def test_other_ends_throw(status):
    verdict = CHILD.begin(record(status, "CONTEXT"))
    assert isinstance(verdict, Throw)
    assert isinstance(verdict.error, ChildContextError)


@pytest.mark.parametrize("status", ["STARTED", "SUCCEEDED", "FAILED"])
def test_a_virtual_child_has_no_record(status):
    verdict = VIRTUAL.begin(record(status, "CONTEXT"))
    assert isinstance(verdict, Throw)
    assert isinstance(verdict.error, NonDeterministicExecutionError)


def test_results_up_to_the_limit_are_stored_and_larger_ones_summarised():
    fits, large = "x" * 262_144, "x" * 262_145
    entered = Enter(None)
    stored = CHILD.succeed(fits, "", entered).update
    assert stored is not None
    assert (stored.payload, stored.to_dict()["ContextOptions"]) == (fits, {"ReplayChildren": False})
    summarised = CHILD.succeed(large, "short", entered)
    assert summarised.update is not None
    assert (summarised.update.payload, summarised.update.to_dict()["ContextOptions"]) == (
        "short",
        {"ReplayChildren": True},
    )
    assert summarised.then == Deliver(large)


def test_the_limit_counts_bytes():
    assert CHILD.summarises("é" * 131_073, Enter(None))
    assert not CHILD.summarises("é" * 131_072, Enter(None))


def test_scopes_that_record_nothing():
    assert VIRTUAL.succeed("1", "", Enter(None)).update is None
    assert VIRTUAL.fail(ValueError("x"), Enter(None)).update is None
    assert CHILD.succeed("1", "", Enter(None, reconstruct=True)).update is None
    assert CHILD.fail(ValueError("x"), Enter(None, reconstruct=True)).update is None


@pytest.mark.parametrize(
    ("error", "judgement"),
    [
        (ExecutionError("over"), Escape()),
        (NonDeterministicExecutionError("diverged"), Escape()),
        (InvocationError("again"), Escape()),
        (SerDesError("never"), Condemn()),
        (ValueError("boom"), Condemn()),
    ],
)
def test_judgements(error, judgement):
    assert CHILD.judge(error) == judgement


def test_first_failure_equals_replayed_failure():
    first = CHILD.fail(ValueError("boom"), Enter(None)).then
    replayed = CHILD.begin(record("FAILED", "CONTEXT", error=("boom", "ValueError", None, None)))
    assert isinstance(first, Throw)
    assert isinstance(replayed, Throw)
    assert raised(first.error) == raised(replayed.error)
