"""Group commit: who sends what, and what everybody else learns of it."""

from __future__ import annotations

import json
import threading

import pytest

from durable_execution_sdk._drivers.commit import GroupCommit
from durable_execution_sdk._model.enums import OperationAction, OperationSubType, OperationType
from durable_execution_sdk._model.signals import BackgroundThreadError, OrphanedChildException, SuspendExecution
from durable_execution_sdk._model.updates import OperationIdentifier, OperationUpdate
from tests.unit.drivers.outbox import Caller, context, join, opened, step


def test_what_is_queued_while_a_request_is_away_shares_the_next():
    gate, journal, commit = opened()
    first = Caller(commit, step("a"))
    assert gate.arrived.acquire(timeout=60)
    others = [Caller(commit, step(key)) for key in "bcd"]
    journal.wait_for(4)
    commit.submit(step("e"))
    gate.let_go.release(2)
    for caller in (first, *others):
        caller.join(60)
        assert caller.error is None
    commit.close()
    assert gate.batches[0] == ["a"]
    assert sorted(gate.batches[1]) == ["b", "c", "d", "e"]
    assert gate.most_at_once == 1


@pytest.mark.parametrize("error", [ValueError("gone"), RuntimeError("worse")])
def test_a_failure_reaches_everybody_now_and_later(error):
    gate, journal, commit = opened(error)
    first = Caller(commit, step("a"))
    assert gate.arrived.acquire(timeout=60)
    second = Caller(commit, step("b"))
    journal.wait_for(2)
    gate.let_go.release()
    for caller in (first, second):
        caller.join(60)
        assert isinstance(caller.error, BackgroundThreadError)
        assert caller.error.source_exception is error
    with pytest.raises(BackgroundThreadError):
        commit.submit(step("c"))
    assert commit.failure is not None
    commit.drain()
    commit.close()
    assert len(gate.batches) == 1


def test_a_revoked_token_suspends_everybody():
    gate, journal, commit = opened({"CheckpointToken": None, "NewExecutionState": {"Operations": [{"Id": "x"}]}})
    first = Caller(commit, step("a"))
    assert gate.arrived.acquire(timeout=60)
    second = Caller(commit, None)
    journal.wait_for(2)
    gate.let_go.release()
    for caller in (first, second):
        caller.join(60)
        assert isinstance(caller.error, SuspendExecution)
    assert commit.revoked
    assert len(journal) == 0
    with pytest.raises(SuspendExecution):
        commit.commit(None)
    commit.close()


def test_the_end_of_the_execution_orphans_what_comes_later():
    gate, _, commit = opened({"CheckpointToken": None})
    gate.let_go.release()
    commit.commit(OperationUpdate.create_execution_succeed("1"))
    assert not commit.revoked
    for update in (step("a"), None):
        with pytest.raises(OrphanedChildException):
            commit.commit(update)
    commit.close()


def test_updates_below_an_ended_context_are_orphans():
    gate, _, commit = opened()
    gate.let_go.release(3)
    commit.submit(context("p", OperationAction.START))
    commit.commit(step("a", parent="p"))
    commit.commit(context("p", OperationAction.SUCCEED))
    with pytest.raises(OrphanedChildException) as caught:
        commit.submit(step("a", parent="p"))
    assert caught.value.operation_id == "a"
    commit.close()
    assert gate.batches == [["p", "a"], ["p"]]


def test_further_pages_are_merged_with_the_new_token_before_anybody_wakes():
    gate, journal, commit = opened({"NewExecutionState": {"NextMarker": "m1"}})
    wire = {"Type": "STEP", "Status": "STARTED"}
    gate.pages = {
        "m1": {"Operations": [{"Id": "x", **wire}], "NextMarker": "m2"},
        "m2": b'{"Operations":[{"Id":"y","Type":"STEP","Status":"STARTED"}]}',
    }
    gate.let_go.release()
    commit.commit(None)
    assert gate.fetched == [("t1", "m1"), ("t1", "m2")]
    assert journal.find("x") is not None
    assert journal.find("y") is not None
    commit.close()


def test_an_interrupted_sender_stops_everybody():
    gate, journal, commit = opened(KeyboardInterrupt())
    second = []

    def behind():
        assert gate.arrived.acquire(timeout=60)
        second.append(Caller(commit, step("b")))
        journal.wait_for(2)
        gate.let_go.release()

    helper = threading.Thread(target=behind)
    helper.start()
    with pytest.raises(KeyboardInterrupt):
        commit.commit(step("a"))
    helper.join(60)
    second[0].join(60)
    assert isinstance(second[0].error, BackgroundThreadError)
    with pytest.raises(BackgroundThreadError, match="Checkpoint interrupted by KeyboardInterrupt"):
        commit.submit(step("c"))
    commit.close()


def test_everything_queued_is_sent_at_the_end_in_as_many_requests_as_it_takes():
    gate, journal, commit = opened()
    gate.let_go.release(10)
    for number in range(600):
        journal.push(step(f"s{number}"))
    commit.drain()
    assert [len(batch) for batch in gate.batches] == [250, 250, 100]
    commit.drain()
    assert len(gate.batches) == 3
    commit.close()


@pytest.mark.parametrize("answer", [{}, ValueError("gone"), {"CheckpointToken": None}])
def test_who_goes_on_may_have_it_sent_later(answer):
    gate, journal, commit = opened(answer)
    gate.let_go.release()
    ticket = commit.submit(step("a"))
    assert gate.batches == []
    commit.flush(ticket)
    assert gate.batches == [["a"]]
    assert journal.settled == (ticket if answer == {} else 0)
    assert commit.has_ended == (answer != {})
    commit.flush(ticket)
    commit.close()
    assert len(gate.batches) == 1


# --- what nobody waits for ------------------------------------------------------------------------------------------


def test_what_nobody_waits_for_is_sent_before_long():
    gate, _, commit = opened()
    gate.let_go.release()
    commit.submit(step("a"))
    assert gate.arrived.acquire(timeout=60)
    commit.close()
    assert gate.batches == [["a"]]


def test_what_one_request_does_not_take_is_sent_before_long():
    """The rest of a queue is not left lying where nobody waits for it, though no timer ran until then."""
    gate, journal, commit = opened()
    large = "x" * 500_000

    def big(key):
        identity = OperationIdentifier(key, OperationSubType.STEP.value, None, key, operation_type=OperationType.STEP)
        return OperationUpdate.create_step_succeed(identity, json.dumps(large))

    callers = [Caller(commit, step("a"))]
    assert gate.arrived.acquire(timeout=60)
    journal.wait_for(1)
    for key in "xy":
        callers.append(Caller(commit, big(key)))
        journal.wait_for(1)
    gate.let_go.release()
    assert gate.arrived.acquire(timeout=60)  # x is away, y is left
    commit.submit(big("z"))
    gate.let_go.release(3)
    for _ in "yz":
        assert gate.arrived.acquire(timeout=60)
    join(*callers)
    commit.close()
    assert gate.batches == [["a"], ["x"], ["y"], ["z"]]


# --- interruptions --------------------------------------------------------------------------------------------------


def test_an_interruption_with_a_request_in_hand_stops_everybody(monkeypatch):
    """Whether it went out is unknown; nobody must wait for it."""
    gate, journal, commit = opened()
    entered, leave = threading.Event(), threading.Event()

    def interrupted(self, request, *, comes_back):
        entered.set()
        assert leave.wait(60)
        raise KeyboardInterrupt

    monkeypatch.setattr(GroupCommit, "_send", interrupted)
    first = Caller(commit, step("a"))
    assert entered.wait(60)
    second = Caller(commit, step("b"))
    journal.wait_for(2)
    leave.set()
    join(first, second)
    assert isinstance(first.error, KeyboardInterrupt)
    assert isinstance(second.error, BackgroundThreadError)
    commit.drain()
    commit.close()
    assert gate.batches == []


def test_who_cannot_make_a_request_leaves_it_to_another(monkeypatch):
    gate, journal, commit = opened()
    failures = [MemoryError("no room")]
    make = commit._take_batch

    def take_batch():
        if gate.batches and failures:
            raise failures.pop()
        return make()

    monkeypatch.setattr(GroupCommit, "_take_batch", lambda self: take_batch())
    first = Caller(commit, step("a"))
    assert gate.arrived.acquire(timeout=60)
    others = [Caller(commit, step(key)) for key in "bc"]
    journal.wait_for(3)
    gate.let_go.release(2)
    join(first, *others)
    commit.close()
    assert [type(caller.error) for caller in others if caller.error is not None] == [MemoryError]
    assert [sorted(batch) for batch in gate.batches] == [["a"], ["b", "c"]]
