"""The coordinator, event by event."""

from __future__ import annotations

import pytest

from durable_execution_sdk._model.completion import (
    BatchItemStatus,
    CompletionConfig,
    CompletionOutcome,
    CompletionReason,
    complete_batch,
    continue_batch,
)
from durable_execution_sdk._model.errors import ErrorObject, InvalidStateError
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
from durable_execution_sdk._operations.coordinator import PATIENCE_MS, TRANSITIONS, BranchState, Coordinator, Phase

OOPS = ErrorObject("oops", "ValueError", None, None)
ALL = CompletionConfig.all_completed()


class Batch:
    """A coordinator with a hand on the clock."""

    def __init__(self, total, config=ALL, limit=None, names=None):
        self.machine = Coordinator(total, config, limit, names)
        self.now_ms = 1_000

    def on(self, event):
        commands = self.machine.on(event, self.now_ms)
        assert len(commands) <= 2
        return commands[0] if len(commands) == 1 else (commands or None)

    def begin(self, lanes=100):
        first = self.on(Begun())
        return first if first is not None else self.started(self.on(Lanes(lanes)))

    @staticmethod
    def started(command):
        return list(command.indexes) if isinstance(command, Start | Resume) else command

    def end(self):
        """The result after `Drain`."""
        command = self.on(Drained())
        assert isinstance(command, Finish), command
        return told(command.result)


def told(result):
    return [item.status.value[:4] for item in result.all], result.completion_reason.value


def ok(index):
    return Succeeded(index, index * 10)


def bad(index, retryable=None):
    return Failed(index, OOPS, retryable)


def test_all_branches_start_in_index_order_and_come_back_by_index():
    batch = Batch(3)
    assert batch.begin() == [0, 1, 2]
    assert batch.on(ok(2)) is None
    assert batch.on(ok(0)) is None
    assert batch.on(ok(1)) == Drain()
    command = batch.on(Drained())
    assert command.result.get_results() == [0, 10, 20]
    assert command.result.completion_reason is CompletionReason.ALL_COMPLETED


def test_an_empty_batch_is_complete():
    batch = Batch(0, CompletionConfig())
    assert batch.on(Begun()) == Drain()
    assert batch.end() == ([], "ALL_COMPLETED")


def test_as_many_as_there_are_lanes_and_no_more_than_the_limit():
    batch = Batch(5, limit=3)
    batch.on(Begun())
    assert batch.machine.runnable == 3
    assert batch.started(batch.on(Lanes(2))) == [0, 1]
    assert batch.machine.runnable == 1
    assert batch.started(batch.on(Lanes(9))) == [2]
    assert batch.on(Lanes(9)) is None
    assert batch.on(ok(1)) is None
    assert batch.started(batch.on(Lanes(1))) == [3]


def test_a_suspended_branch_keeps_its_place():
    batch = Batch(3, limit=2)
    batch.begin()
    batch.on(Suspended(0, None))
    assert batch.machine.runnable == 0
    batch.on(ok(1))
    assert batch.started(batch.on(Lanes(5))) == [2]
    assert batch.on(ok(2)) == Suspend(None)


def test_nothing_runs_so_the_batch_suspends_until_the_first_moment():
    batch = Batch(3)
    batch.begin()
    batch.on(Suspended(0, 9_000))
    batch.on(Suspended(1, 5_000))
    assert batch.on(Suspended(2, None)) == Suspend(5_000)
    assert batch.machine.phase is Phase.ENDED


def test_a_due_wave_goes_on_in_process_in_index_order():
    batch = Batch(4)
    batch.begin()
    for index in (2, 0):
        batch.on(Suspended(index, 5_000))
    batch.on(Suspended(1, 7_000))
    assert batch.machine.wake_ms == 5_000
    assert batch.on(Tick()) is None
    batch.now_ms = 5_000
    assert batch.on(Tick()) == Refresh()
    assert batch.machine.wake_ms is None
    assert batch.on(Refreshed()) is None
    assert batch.on(Lanes(9)) == Resume([0, 2])
    assert batch.machine.wake_ms == 7_000


def test_a_moment_that_has_come_is_no_reason_to_suspend():
    batch = Batch(1)
    batch.begin()
    assert batch.on(Suspended(0, 900)) == Refresh()
    assert batch.on(Refreshed()) is None
    assert batch.on(Lanes(1)) == Resume([0])


def test_a_service_that_is_late_is_not_asked_without_pause():
    batch = Batch(2)
    batch.begin()
    batch.on(Suspended(0, 900))
    batch.on(Refreshed())
    batch.on(Lanes(1))
    assert batch.on(Suspended(0, 900)) is None
    assert batch.machine.wake_ms == batch.now_ms + PATIENCE_MS


def test_resumed_branches_come_before_new_ones():
    batch = Batch(3)
    batch.on(Begun())
    batch.on(Lanes(2))
    batch.on(Suspended(0, 900))
    batch.on(Refreshed())
    assert batch.machine.resumable == 1
    assert batch.on(Lanes(2)) == [Resume([0]), Start(range(2, 3))]


def test_waves_are_served_while_branches_wait_for_lanes():
    batch = Batch(3)
    batch.on(Begun())
    batch.on(Lanes(2))
    assert batch.machine.runnable == 1
    assert batch.on(Suspended(0, 900)) == Refresh()


def test_the_first_failure_ends_a_batch_without_criteria():
    batch = Batch(4, CompletionConfig(), limit=2)
    batch.begin()
    assert batch.on(bad(0)) == Drain()
    assert batch.end() == (["FAIL", "STAR"], "FAILURE_TOLERANCE_EXCEEDED")


def test_failures_are_tolerated_up_to_the_number():
    batch = Batch(4, CompletionConfig(tolerated_failure_count=1))
    batch.begin()
    assert batch.on(bad(0)) is None
    assert batch.on(ok(1)) is None
    assert batch.on(bad(2)) == Drain()
    assert batch.end() == (["FAIL", "SUCC", "FAIL", "STAR"], "FAILURE_TOLERANCE_EXCEEDED")


def test_a_share_that_is_just_reached_is_tolerated():
    batch = Batch(4, CompletionConfig(tolerated_failure_percentage=50))
    batch.begin()
    assert batch.on(bad(0)) is None
    assert batch.on(bad(1)) is None
    assert batch.on(bad(2)) == Drain()


def test_ends_while_draining_count_for_items_and_not_for_the_reason():
    batch = Batch(4, CompletionConfig(min_successful=1))
    batch.begin()
    assert batch.on(ok(2)) == Drain()
    assert batch.on(ok(0)) is None
    assert batch.on(bad(1)) is None
    assert batch.on(Suspended(3, None)) is None
    assert batch.end() == (["SUCC", "FAIL", "SUCC", "STAR"], "MIN_SUCCESSFUL_REACHED")
    assert batch.on(ok(3)) is None


def test_branches_never_started_are_left_out():
    batch = Batch(5, CompletionConfig(min_successful=1), limit=1)
    batch.begin()
    batch.on(ok(0))
    assert batch.end() == (["SUCC"], "MIN_SUCCESSFUL_REACHED")


def test_everything_completed_comes_before_enough_succeeded():
    batch = Batch(1, CompletionConfig(min_successful=1))
    batch.begin()
    batch.on(ok(0))
    assert batch.end()[1] == "ALL_COMPLETED"


def test_an_error_that_may_be_cured_is_raised_at_the_end():
    cure = ConnectionError("later")
    batch = Batch(2)
    batch.begin()
    assert batch.on(bad(0, cure)) is None
    assert batch.on(ok(1)) == Drain()
    assert batch.on(Drained()) == Raise(cure)


def test_an_error_that_may_be_cured_is_raised_rather_than_suspending():
    cure = ConnectionError("later")
    batch = Batch(2)
    batch.begin()
    batch.on(bad(0, cure))
    assert batch.on(Suspended(1, None)) == Raise(cure)


def test_a_fatal_error_ends_the_batch_at_once():
    error = SystemExit(3)
    batch = Batch(3)
    batch.begin()
    assert batch.on(Fatal(1, error)) == Raise(error)
    assert batch.on(ok(0)) is None


def test_a_fatal_error_while_draining_is_raised():
    error = SystemExit(3)
    batch = Batch(2, CompletionConfig(min_successful=1))
    batch.begin()
    batch.on(ok(0))
    batch.on(Fatal(1, error))
    assert batch.on(Drained()) == Raise(error)


def test_an_orphan_ends_the_batch_without_a_result():
    batch = Batch(2)
    batch.begin()
    assert batch.on(Orphaned(1)) == Discard()


# --- the predicate ----------------------------------------------------------------------------------------------------

CUSTOM = CompletionConfig(should_complete=lambda status: continue_batch())


def test_the_predicate_is_asked_before_anything_starts_and_after_every_change():
    batch = Batch(2, CUSTOM, names=["a", None])
    first = batch.on(Begun()).status
    assert (first.success_count, first.failure_count, first.completed_count, first.total_count) == (0, 0, 0, 2)
    assert [(item.index, item.name, item.status) for item in first.items] == [(0, "a", None), (1, None, None)]
    assert batch.machine.runnable == 0
    assert batch.on(Decided(continue_batch())) is None
    assert batch.started(batch.on(Lanes(2))) == [0, 1]
    asked = batch.on(Suspended(1, None))
    assert isinstance(asked, Ask)
    assert [item.status for item in asked.status.items] == [BatchItemStatus.STARTED] * 2
    batch.on(Decided(continue_batch()))
    asked = batch.on(bad(0))
    assert (asked.status.failure_count, asked.status.items[0].status) == (1, BatchItemStatus.FAILED)


def test_the_predicate_sees_one_change_at_a_time():
    batch = Batch(3, CUSTOM)
    batch.on(Begun())
    batch.on(Decided(continue_batch()))
    batch.on(Lanes(3))
    assert batch.on(ok(0)).status.success_count == 1
    assert batch.on(ok(1)) is None
    assert batch.on(ok(2)) is None
    assert batch.on(Decided(continue_batch())).status.success_count == 2
    assert batch.on(Decided(complete_batch())) == Drain()
    assert batch.end() == (["SUCC", "SUCC", "SUCC"], "CUSTOM_COMPLETION_SUCCEEDED")


def test_a_predicate_may_declare_a_failure():
    batch = Batch(3, CUSTOM)
    batch.on(Begun())
    assert batch.on(Decided(complete_batch(CompletionOutcome.FAILED))) == Drain()
    assert batch.end() == ([], "CUSTOM_COMPLETION_FAILED")


def test_a_predicate_makes_up_its_mind_about_nothing_too():
    batch = Batch(0, CUSTOM)
    assert isinstance(batch.on(Begun()), Ask)
    assert batch.on(Decided(continue_batch())) == Drain()
    assert batch.end() == ([], "ALL_COMPLETED")


def test_a_predicate_switches_the_tolerance_off():
    batch = Batch(2, CUSTOM)
    batch.on(Begun())
    batch.on(Decided(continue_batch()))
    batch.on(Lanes(2))
    batch.on(bad(0))
    batch.on(Decided(continue_batch()))
    batch.on(bad(1))
    assert batch.on(Decided(continue_batch())) == Drain()
    assert batch.end() == (["FAIL", "FAIL"], "ALL_COMPLETED")


def test_a_wave_that_is_refreshed_while_the_predicate_is_asked_goes_on_afterwards():
    batch = Batch(3, CUSTOM)
    batch.on(Begun())
    batch.on(Decided(continue_batch()))
    batch.on(Lanes(3))
    batch.on(Suspended(0, 900))
    assert batch.on(Decided(continue_batch())) == Refresh()
    batch.on(ok(1))
    assert batch.on(Refreshed()) is None
    assert batch.on(Lanes(1)) is None
    assert batch.on(Decided(continue_batch())) is None
    assert batch.on(Lanes(1)) == Resume([0])


# --- faults of a driver -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event", [ok(0), bad(0), Suspended(0, None), Lanes(1), Drained(), Tick(), Decided(continue_batch()), Refreshed()]
)
def test_events_before_the_first_are_refused(event):
    with pytest.raises(InvalidStateError, match=rf"{type(event).__name__}.*new"):
        Batch(2).on(event)


@pytest.mark.parametrize("event", [Begun(), Drained(), Decided(continue_batch()), Refreshed()])
def test_events_that_answer_nothing_are_refused(event):
    batch = Batch(2)
    batch.begin()
    with pytest.raises(InvalidStateError, match=rf"{type(event).__name__}.*open"):
        batch.on(event)


def test_a_branch_that_does_not_run_cannot_end():
    batch = Batch(2, limit=1)
    batch.begin()
    with pytest.raises(InvalidStateError, match="Succeeded for branch 1 while that was waiting"):
        batch.on(ok(1))


def test_every_state_is_reached_by_the_table():
    reached = set(TRANSITIONS.values()) | {BranchState.WAITING, BranchState.TIMED}
    assert reached == set(BranchState)
