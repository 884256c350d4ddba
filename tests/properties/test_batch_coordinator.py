"""The coordinator under every order of events that a driver can bring about."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from durable_execution_sdk._model.batch import BatchResult
from durable_execution_sdk._model.completion import (
    BatchItemStatus,
    CompletionConfig,
    CompletionOutcome,
    CompletionPolicy,
    CompletionReason,
    complete_batch,
    continue_batch,
)
from durable_execution_sdk._model.errors import ErrorObject
from durable_execution_sdk._operations.batch_events import (
    Ask,
    Begun,
    Decided,
    Discard,
    Drain,
    Drained,
    Failed,
    Fatal,
    Finish,
    Lanes,
    Orphaned,
    Raise,
    Refresh,
    Refreshed,
    Resume,
    Start,
    Succeeded,
    Suspend,
    Suspended,
    Tick,
)
from durable_execution_sdk._operations.batch_record import CompletionRecord, summary_writer
from durable_execution_sdk._operations.coordinator import Coordinator, Phase

OOPS = ErrorObject("oops", "ValueError", None, None)
CURABLE = ConnectionError("later")
LIMITS = st.one_of(st.none(), st.integers(1, 6))


def predicate(status):
    """Content with three successes, unhappy with two failures."""
    if status.failure_count >= 2:
        return complete_batch(CompletionOutcome.FAILED)
    return complete_batch() if status.success_count >= 3 else continue_batch()


configs = st.one_of(
    st.builds(
        CompletionConfig,
        min_successful=st.one_of(st.none(), st.integers(1, 3)),
        tolerated_failure_count=st.one_of(st.none(), st.integers(0, 3)),
        tolerated_failure_percentage=st.one_of(st.none(), st.sampled_from([0, 25, 50, 100])),
    ),
    st.just(CompletionConfig.all_completed()),
    st.just(CompletionConfig(should_complete=predicate)),
)


class Batches(RuleBasedStateMachine):
    """A driver that does everything drivers may do, beside a model that only counts."""

    @initialize(total=st.integers(0, 5), config=configs, limit=LIMITS)
    def begin(self, total, config, limit):
        self.total, self.config, self.limit = total, config, total if limit is None else limit
        self.machine = Coordinator(total, config, limit)
        self.now_ms = 0
        self.running: set[int] = set()
        self.open: set[int] = set()
        self.waiting: dict[int, int] = {}
        self.resumed_ms: dict[int, int] = {}
        self.ends: dict[int, str] = {}
        self.counted = {"succeeded": 0, "failed": 0}
        self.started = 0
        self.asked = None
        self.refreshing: set[int] = set()
        self.draining = False
        self.curable = False
        self.fatal = False
        self.outcome = None
        self.reason = None
        self.obey(self.machine.on(Begun(), self.now_ms))

    @property
    def over(self):
        return self.outcome is not None

    def on(self, event):
        self.obey(self.machine.on(event, self.now_ms))

    def obey(self, commands):
        for command in commands:
            assert not self.over, f"{command} after the end"
            match command:
                case Start(indexes):
                    assert list(indexes) == list(range(self.started, self.started + len(indexes))), "out of order"
                    self.started += len(indexes)
                    self.running.update(indexes)
                    self.open.update(indexes)
                case Resume(indexes):
                    assert set(indexes) <= self.open - self.running, "resumed while it runs, or after its end"
                    assert not set(indexes) & set(self.waiting), "resumed before its time"
                    self.running.update(indexes)
                    self.resumed_ms |= dict.fromkeys(indexes, self.now_ms)
                case Ask(status):
                    assert self.asked is None
                    assert self.config.should_complete is not None
                    assert (status.success_count, status.failure_count) == self.counts_when_taken(status)
                    self.asked = status
                case Refresh():
                    assert not self.refreshing
                    self.refreshing = {index for index, due in self.waiting.items() if due <= self.now_ms}
                    assert self.refreshing, "news nobody waits for"
                    for index in self.refreshing:
                        del self.waiting[index]
                case Drain():
                    assert not self.draining
                    self.draining = True
                    policy = CompletionPolicy(self.total, self.config)
                    decision = None if self.asked is None else predicate(self.asked)
                    if self.asked is None:
                        self.counted = {
                            "succeeded": self.count("succeeded"),
                            "failed": self.count("failed"),
                        }
                    else:
                        self.counted = {"succeeded": self.asked.success_count, "failed": self.asked.failure_count}
                    self.reason = policy.reason_given(self.counted["succeeded"], self.counted["failed"], decision)
                    assert self.reason is not None, "ended without a reason"
                case Finish(result):
                    self.check(result)
                    self.outcome = command
                case Suspend(due_ms):
                    assert not self.running
                    assert not self.curable, "suspended over an error that a new invocation cures"
                    assert due_ms == (min(self.waiting.values()) if self.waiting else None)
                    assert self.open, "suspended with nothing suspended"
                    assert len(self.open) >= self.limit or self.started == self.total, "suspended with work to do"
                    self.outcome = command
                case Raise(error):
                    assert (error is CURABLE and self.curable) or (isinstance(error, SystemExit) and self.fatal)
                    self.outcome = command
                case Discard():
                    self.outcome = command

    def count(self, how):
        return sum(end == how for end in self.ends.values())

    def counts_when_taken(self, status):
        """What the predicate may be told: never more than has happened, and nothing twice."""
        assert status.success_count <= self.count("succeeded")
        assert status.failure_count <= self.count("failed")
        assert status.completed_count == status.success_count + status.failure_count
        assert len(status.items) == status.total_count == self.total
        listed = [item.status for item in status.items]
        assert listed[self.started :] == [None] * (self.total - self.started)
        return listed.count(BatchItemStatus.SUCCEEDED), listed.count(BatchItemStatus.FAILED)

    def check(self, result: BatchResult):
        assert self.draining
        assert not self.curable
        assert not self.fatal
        assert result.completion_reason is self.reason
        statuses = {item.index: item.status for item in result.all}
        assert list(statuses) == list(range(self.started)), "every admitted branch is accounted for, and no other"
        for index, status in statuses.items():
            wanted = {"succeeded": BatchItemStatus.SUCCEEDED, "failed": BatchItemStatus.FAILED}
            assert status is wanted.get(self.ends.get(index, ""), BatchItemStatus.STARTED)
        for item in result.succeeded():
            assert item.result == item.index * 10
        record = CompletionRecord.from_summary_payload(summary_writer("Map", None)(result))
        assert record == CompletionRecord(
            result.completion_reason, len(result.all), frozenset(item.index for item in result.started())
        )

    # --- what a driver does ---

    @rule(free=st.integers(1, 5))
    def lanes(self, free):
        before = self.machine.runnable
        ran = len(self.running)
        self.on(Lanes(free))
        assert len(self.running) - ran == min(free, before)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), how=st.sampled_from(["succeeded", "failed", "failed", "curable", "parked", "timed", "timed"]))
    def a_branch_ends(self, data, how):
        index = data.draw(st.sampled_from(sorted(self.running)))
        after = self.over
        self.running.discard(index)
        match how:
            case "succeeded":
                self.settle(index, "succeeded")
                event = Succeeded(index, index * 10)
            case "failed" | "curable":
                self.settle(index, "failed")
                self.curable |= how == "curable" and not after
                event = Failed(index, OOPS, CURABLE if how == "curable" else None)
            case "parked":
                event = Suspended(index, None)
            case _:
                # What is due no later than when the branch was resumed is put off, which has a test of its own.
                due_ms = max(self.now_ms + data.draw(st.integers(-50, 200)), self.resumed_ms.get(index, -100) + 1)
                event = Suspended(index, due_ms)
                if not self.draining:
                    self.waiting[index] = due_ms
        self.on(event)

    def settle(self, index, how):
        if not self.over:
            self.ends[index] = how
            self.open.discard(index)

    @precondition(lambda self: self.running and len(self.ends) >= 3)
    @rule(data=st.data(), orphan=st.booleans())
    def a_branch_meets_the_end_of_everything(self, data, orphan):
        index = data.draw(st.sampled_from(sorted(self.running)))
        self.running.discard(index)
        if orphan:
            self.on(Orphaned(index))
        else:
            self.fatal |= not self.over
            self.on(Fatal(index, SystemExit()))

    @precondition(lambda self: self.asked is not None)
    @rule()
    def the_predicate_answers(self):
        decision = predicate(self.asked)
        asked, self.asked = self.asked, (self.asked if decision.complete else None)
        self.on(Decided(decision))
        if decision.complete:
            assert self.draining or self.over
            self.asked = None
        assert asked is not None

    @precondition(lambda self: self.refreshing)
    @rule()
    def news_arrive(self):
        self.refreshing = set()
        self.on(Refreshed())

    @rule(ms=st.integers(0, 150))
    def time_passes(self, ms):
        self.now_ms += ms
        self.on(Tick())

    @precondition(lambda self: self.draining and not self.over)
    @rule()
    def nothing_is_under_way(self):
        self.on(Drained())
        assert self.over

    # --- what always holds ---

    @invariant()
    def at_most_as_many_as_allowed_are_under_way(self):
        if hasattr(self, "machine"):
            assert len(self.open) <= self.limit

    @invariant()
    def it_is_never_stuck(self):
        """Somebody will carry the next event: a branch, the predicate, news, the clock, or whoever offers a lane."""
        if hasattr(self, "machine") and not self.over:
            machine = self.machine
            assert (
                self.running
                or self.asked is not None
                or self.refreshing
                or self.draining
                or machine.runnable
                or machine.wake_ms is not None
            ), machine.states
            assert machine.phase is not Phase.ENDED

    @invariant()
    def some_reasons_need_some_counts(self):
        if hasattr(self, "machine") and self.reason is CompletionReason.ALL_COMPLETED:
            assert sum(self.counted.values()) == self.total


Batches.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
TestBatches = Batches.TestCase
