"""Group commit: who sends what, and what everybody else learns of it."""

from __future__ import annotations

import json
import threading

import pytest

from durable_execution_sdk._core import Journal
from durable_execution_sdk._drivers import commit as commit_module
from durable_execution_sdk._drivers.commit import GroupCommit
from durable_execution_sdk._model.enums import OperationAction, OperationSubType, OperationType
from durable_execution_sdk._model.signals import BackgroundThreadError, OrphanedChildException, SuspendExecution
from durable_execution_sdk._model.updates import OperationIdentifier, OperationUpdate
from tests.support.fake_service import ARN


def step(key, parent=None):
    identity = OperationIdentifier(key, OperationSubType.STEP.value, parent, key, operation_type=OperationType.STEP)
    return OperationUpdate.create_step_succeed(identity, "1")


def context(key, action):
    kind = OperationType.CONTEXT
    identity = OperationIdentifier(key, OperationSubType.RUN_IN_CHILD_CONTEXT.value, None, key, operation_type=kind)
    return OperationUpdate.about(identity, kind, action)


class Gate:
    """A transport whose answers wait until a test lets them go."""

    def __init__(self, *answers):
        self.arrived = threading.Semaphore(0)
        self.let_go = threading.Semaphore(0)
        self.batches = []
        self.fetched = []
        self.pages = {}
        self.at_once = 0
        self.most_at_once = 0
        self._answers = list(answers)

    def checkpoint(self, arn, request):
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.batches.append([update["Id"] for update in json.loads(request.body)["Updates"]])
        self.arrived.release()
        assert self.let_go.acquire(timeout=60)
        self.at_once -= 1
        answer = self._answers.pop(0) if self._answers else {}
        if isinstance(answer, BaseException):
            raise answer
        return {"CheckpointToken": f"t{len(self.batches)}"} | answer

    def fetch_state(self, arn, token, marker, max_items):
        self.fetched.append((token, marker))
        return self.pages[marker]


class Caller(threading.Thread):
    """Waits for one update on a thread of its own."""

    def __init__(self, commit, update):
        super().__init__()
        self.error = None
        self._commit = commit
        self._update = update
        self.start()

    def run(self):
        try:
            self._commit.commit(self._update)
        except BaseException as error:
            self.error = error


class Announcing:
    """A journal that tells when something was queued."""

    def __init__(self):
        self.pushed = threading.Semaphore(0)
        self._journal = Journal("t0")

    def push(self, update):
        ticket = self._journal.push(update)
        self.pushed.release()
        return ticket

    def wait_for(self, count):
        for _ in range(count):
            assert self.pushed.acquire(timeout=60)

    def __len__(self):
        return len(self._journal)

    def __getattr__(self, name):
        return getattr(self._journal, name)


def opened(*answers):
    gate = Gate(*answers)
    journal = Announcing()
    return gate, journal, GroupCommit(journal, gate, ARN)


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
    assert isinstance(second[0].error, SuspendExecution)
    with pytest.raises(SuspendExecution):
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


# --- who is waited for ------------------------------------------------------------------------------------------------


class Line(threading.Thread):
    """Several updates, one after the other; `between` is called when each is acknowledged."""

    def __init__(self, commit, keys, between=lambda: None):
        super().__init__()
        self.ended = None
        self._commit = commit
        self._keys = keys
        self._between = between
        self.start()

    def run(self):
        try:
            for key in self._keys:
                self._commit.commit(step(key))
                self._between()
        except BaseException as error:
            self.ended = error
        self._commit.step_back()


@pytest.fixture
def endless(monkeypatch):
    """Whoever waits for those who are away waits until they come."""
    monkeypatch.setattr(commit_module, "PATIENCE", 1e9)
    monkeypatch.setattr(commit_module, "LULL_SECONDS", 60)


def join(*lines):
    for line in lines:
        line.join(60)
        assert not line.is_alive()


def test_those_just_woken_share_the_next_request(endless):
    gate, journal, commit = opened()
    first = Line(commit, ["a1", "a2", "a3"])
    assert gate.arrived.acquire(timeout=60)
    second = Line(commit, ["b1", "b2"])
    journal.wait_for(2)
    gate.let_go.release(9)
    join(first, second)
    commit.close()
    assert gate.batches[0] == ["a1"]
    assert [sorted(batch) for batch in gate.batches[1:]] == [["a2", "b1"], ["a3", "b2"]]


def test_who_steps_back_is_not_waited_for(endless, monkeypatch):
    gate, journal, commit = opened()
    watched, gone = threading.Event(), threading.Event()
    watch = GroupCommit._watch

    def watching(self, waiter):
        watched.set()
        return watch(self, waiter)

    def between():
        assert watched.wait(60)
        commit.step_back()
        gone.wait(60)

    monkeypatch.setattr(GroupCommit, "_watch", watching)
    first = Line(commit, ["a"], between)
    assert gate.arrived.acquire(timeout=60)
    second = Line(commit, ["b"])
    journal.wait_for(2)
    gate.let_go.release(2)
    assert gate.arrived.acquire(timeout=30)  # sooner than whoever watches would look
    join(second)
    gone.set()
    join(first)
    commit.close()
    assert gate.batches == [["a"], ["b"]]


def test_who_stays_away_is_not_waited_for_long(monkeypatch):
    monkeypatch.setattr(commit_module, "PATIENCE", 1e9)
    gate, journal, commit = opened()
    gone = threading.Event()
    first = Line(commit, ["a"], lambda: gone.wait(60))
    assert gate.arrived.acquire(timeout=60)
    others = [Line(commit, [key]) for key in "bc"]
    journal.wait_for(3)
    gate.let_go.release(2)
    join(*others)
    gone.set()
    join(first)
    commit.close()
    assert [sorted(batch) for batch in gate.batches] == [["a"], ["b", "c"]]


def test_an_interrupted_watcher_leaves_the_watch_to_another(monkeypatch):
    watchers = []

    class Interrupted(commit_module._Waiter):
        __slots__ = ()

        def __init__(self, ticket):
            super().__init__(ticket)
            self.gate = Interruptible(self.gate)

    class Interruptible:
        def __init__(self, gate):
            self.release = gate.release
            self._gate = gate

        def acquire(self, timeout=-1):
            if timeout > 0:
                watchers.append(threading.current_thread())
                if len(watchers) == 1:
                    raise KeyboardInterrupt
            return self._gate.acquire(timeout=timeout)

    monkeypatch.setattr(commit_module, "_Waiter", Interrupted)
    monkeypatch.setattr(commit_module, "PATIENCE", 1e9)
    gate, journal, commit = opened()
    gone = threading.Event()
    first = Line(commit, ["a"], lambda: gone.wait(60))
    assert gate.arrived.acquire(timeout=60)
    others = [Line(commit, [key]) for key in "bc"]
    journal.wait_for(3)
    gate.let_go.release(2)
    join(*others)
    gone.set()
    join(first)
    commit.close()
    interrupted, *rest = watchers
    assert isinstance(interrupted.ended, KeyboardInterrupt)
    assert interrupted not in rest
    assert [sorted(batch) for batch in gate.batches] == [["a"], ["b", "c"]]


def test_who_ends_by_an_error_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(commit_module, "PATIENCE", 1e9)
    gate, journal, commit = opened()

    def between():
        raise ValueError("of the user's own")

    first = Line(commit, ["a", "never"], between)
    assert gate.arrived.acquire(timeout=60)
    others = [Line(commit, [key]) for key in "bc"]
    journal.wait_for(3)
    gate.let_go.release(2)
    join(first, *others)
    assert isinstance(first.ended, ValueError)
    commit.close()
    assert [sorted(batch) for batch in gate.batches] == [["a"], ["b", "c"]]


def test_who_holds_a_lock_that_another_needs_is_not_waited_for(endless, monkeypatch):
    """User code may make threads wait for each other between their updates."""
    monkeypatch.setattr(commit_module, "LULL_SECONDS", 0.0005)
    gate, journal, commit = opened()
    turn = threading.Event()
    first = Line(commit, ["a1", "a2"], lambda: turn.wait(60))  # goes on when the other has had its second
    assert gate.arrived.acquire(timeout=60)
    acknowledged = []

    def between():
        acknowledged.append(1)
        if len(acknowledged) == 2:
            turn.set()

    second = Line(commit, ["b1", "b2"], between)
    journal.wait_for(2)
    gate.let_go.release(9)
    join(first, second)
    commit.close()
    assert gate.batches == [["a1"], ["b1"], ["b2"], ["a2"]]


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
    assert isinstance(second.error, SuspendExecution)
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
