"""Group commit: who is waited for before a request goes out, and for how long."""

from __future__ import annotations

import threading

import pytest

from durable_execution_sdk._drivers import commit as commit_module
from durable_execution_sdk._drivers.commit import GroupCommit
from tests.unit.drivers.outbox import join, opened, step


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
