"""Maps and parallels through the thread driver: suspension, replay, and which threads run."""

from __future__ import annotations

import contextvars
import threading

import pytest

from durable_execution_sdk._drivers import batches
from durable_execution_sdk._drivers.invocation import DurableFunction
from durable_execution_sdk._model.completion import CompletionConfig
from durable_execution_sdk._model.config import (
    MapConfig,
    NestingType,
    StepConfig,
)
from durable_execution_sdk._model.duration import Duration
from durable_execution_sdk._model.strategies import RetryDecision
from durable_execution_sdk._serdes.text import ExtendedTypeSerDes
from tests.support.fake_service import Crash, FakeService
from tests.unit.drivers.branches import result, ten_times, told
from tests.unit.drivers.scenario import first, sent, whole

FLAT = NestingType.FLAT
ALL = CompletionConfig.all_completed()
ONE = MapConfig(max_concurrency=1)


# --- suspension -------------------------------------------------------------------------------------------------------


def test_branches_that_wait_suspend_the_map_until_the_first_is_due():
    def item(branch, value, index, items):
        branch.wait(Duration(value))
        return branch.step(lambda step: value)

    output, service = whole(lambda got, ctx: ctx.map([30, 10, 20], item, "m").get_results())
    assert result(output) == [30, 10, 20]
    assert service.invocations == 4
    assert service.clock.now_ms() - service.execution["StartMs"] == 30_000


def test_a_waiting_branch_goes_on_while_another_runs():
    service = FakeService()
    resumed = threading.Event()
    seen = []

    def waits(branch):
        seen.append(branch.is_replaying())
        branch.wait(Duration(1))
        resumed.set()
        return "waited"

    def runs(branch):
        def body(step):
            waiting.wait(20)
            service.clock.time_ms += 1_000
            assert resumed.wait(20)
            return "ran"

        return branch.step(body)

    waiting = threading.Event()
    checkpoint = service.checkpoint

    def watched(arn, request):
        answer = checkpoint(arn, request)
        if any(update.operation_type.value == "WAIT" for update in request.updates):
            waiting.set()
        return answer

    service.checkpoint = watched
    output, _ = first(lambda got, ctx: ctx.parallel([waits, runs], "p").get_results(), service)
    assert result(output) == ["waited", "ran"]
    assert service.invocations == 1
    assert seen == [False, True]


def test_retries_in_branches_wait_together():
    config = StepConfig(lambda error, attempt: RetryDecision.retry(Duration(5)))

    def item(branch, value, index, items):
        def flaky(step):
            if step.attempt <= value:
                raise ValueError
            return step.attempt

        return branch.step(flaky, "flaky", config)

    output, service = whole(lambda got, ctx: ctx.map([0, 1, 2], item, "m").get_results())
    assert result(output) == [1, 2, 3]
    assert service.invocations == 3


def test_a_nested_batch_that_waits_suspends_its_branch():
    def inner(branch, value, index, items):
        branch.wait(Duration(value))
        return value

    def outer(branch, value, index, items):
        return branch.map([value, value + 1], inner, "inner").get_results()

    output, service = whole(lambda got, ctx: ctx.map([10, 20], outer, "outer").get_results())
    assert result(output) == [[10, 11], [20, 21]]
    assert service.invocations == 5


def test_finally_blocks_of_a_suspended_branch_record_nothing():
    def item(branch, value, index, items):
        try:
            branch.wait(Duration(5))
        finally:
            branch.step(lambda step: 1, name="clean up")
        return value

    output, service = whole(lambda got, ctx: ctx.map([1, 2], item, "m").get_results())
    assert result(output) == [1, 2]
    assert [name for request in sent(service)[:2] for _, _, name in request if name == "clean up"] == []


def test_an_error_instead_of_a_suspension_is_not_the_item_s():
    def item(branch, value, index, items):
        try:
            branch.wait(Duration(5))
        except BaseException as signal:
            raise ValueError("swallowed") from signal
        return value

    output, _ = whole(lambda got, ctx: told(ctx.map([1, 2], item, "m")))
    assert result(output) == [[["SUCC", 1], ["SUCC", 2]], "ALL_COMPLETED"]


# --- replay -----------------------------------------------------------------------------------------------------------


def test_finished_branches_come_back_without_a_thread():
    bodies = []

    def item(branch, value, index, items):
        bodies.append((index, threading.current_thread().name))
        if index == 50:
            branch.wait(Duration(1))
        return value

    threads = set()

    def handler(got, ctx):
        batch = ctx.map(range(100), item, "m")
        threads.update(t.name for t in threading.enumerate() if t.name.startswith("durable-branch"))
        return batch.get_results()

    service = FakeService()
    assert first(handler, service)[0]["Status"] == "PENDING"
    assert len(bodies) == 100
    bodies.clear()
    threads.clear()
    service.advance()
    output, _ = first(handler, service)
    assert result(output) == list(range(100))
    assert [index for index, _ in bodies] == [50]
    assert len(threads) == 1


def large(branch, item, index, items):
    return branch.step(lambda step: str(item) * 100_000, name="large")


@pytest.mark.parametrize("nesting", list(NestingType))
def test_a_large_map_is_summarised_and_made_again(nesting):
    config = MapConfig(
        max_concurrency=1,
        nesting_type=nesting,
        summary_generator=lambda batch: f"S{batch.total_count}",
        completion_config=CompletionConfig(min_successful=3),
    )
    steps = []

    def item(branch, value, index, items):
        if index == 1:
            raise ValueError("one")
        return branch.step(lambda step: steps.append(index) or str(value) * 100_000, name="large")

    def handler(got, ctx):
        batch = ctx.map([1, 2, 3, 4, 5], item, "m", config)
        ctx.wait(Duration(1))
        return [[len(item.result or "") for item in batch.all], told(batch)[1], batch.all[1].error.message]

    output, service = whole(handler)
    assert result(output) == [[100_000, 0, 100_000, 100_000], "MIN_SUCCESSFUL_REACHED", "one"]
    assert steps == [0, 2, 3]
    assert service.invocations == 2
    end = next(u for u in service.updates() if u.get("Name") == "m" and u["Action"] == "SUCCEED")
    assert end["ContextOptions"] == {"ReplayChildren": True}
    assert end["Payload"] == (
        '{"type": "MapResult", "totalCount": 4, "completionReason": "MIN_SUCCESSFUL_REACHED", "startedIndexes": [],'
        ' "startedCount": 0, "successCount": 3, "failureCount": 1, "status": "FAILED", "summary": "S4"}'
    )


def test_a_large_map_without_a_readable_summary_is_made_again_from_its_branches():
    config = MapConfig(completion_config=CompletionConfig(tolerated_failure_count=1))

    def handler(got, ctx):
        batch = ctx.map([1, 2, 3], large, "m", config)
        ctx.wait(Duration(1))
        return [[len(item.result or "") for item in batch.all], told(batch)[1]]

    service = FakeService()
    first(handler, service)
    batch = next(op for op in service.operations.values() if op.get("Name") == "m")
    batch["Payload"] = "{}"
    service.advance()
    output, _ = first(handler, service)
    assert result(output) == [[100_000] * 3, "ALL_COMPLETED"]


def test_another_nesting_is_noticed_at_replay():
    nestings = [NestingType.NESTED, NestingType.FLAT]

    def handler(got, ctx):
        config = MapConfig(nesting_type=nestings.pop(0), max_concurrency=1)
        batch = ctx.map([1, 2], lambda branch, value, *rest: branch.wait(Duration(value)), "m", config)
        return told(batch)

    output, _ = whole(handler)
    assert output["Status"] == "FAILED"
    assert "nesting" in output["Error"]["ErrorMessage"]


@pytest.mark.parametrize("crash_at", range(1, 9))
def test_a_crash_anywhere_changes_nothing(crash_at):
    def handler(got, ctx):
        batch = ctx.map([1, 2, 3], ten_times, "m", MapConfig(max_concurrency=2))
        return told(batch)

    crashed = []

    def fault(phase, number):
        if phase == "after" and number == crash_at and not crashed:
            crashed.append(number)
            raise Crash

    output, _ = whole(handler, FakeService(fault=fault))
    assert result(output) == [[["SUCC", 10], ["SUCC", 20], ["SUCC", 30]], "ALL_COMPLETED"]


# --- threads ----------------------------------------------------------------------------------------------------------


def test_branches_share_few_threads():
    before = threading.active_count()
    peak = []

    def item(branch, value, index, items):
        peak.append(threading.active_count() - before)
        return branch.step(lambda step: value)

    output, _ = first(lambda got, ctx: sum(ctx.map(range(500), item, "m").get_results()))
    assert result(output) == sum(range(500))
    assert max(peak) <= 63


def test_nested_batches_end_however_few_threads_there_are():
    def deepest(branch, value, index, items):
        return branch.step(lambda step: value)

    def deeper(branch, value, index, items):
        return sum(branch.map([value] * 3, deepest).get_results())

    def deep(branch, value, index, items):
        return sum(branch.map([value] * 3, deeper).get_results())

    def handler(got, ctx):
        return sum(ctx.map([1] * 70, deep).get_results())

    for limit in (0, 1, 2, 62):
        service = FakeService()
        output = service.run(DurableFunction(handler, branch_threads=limit))
        assert result(output) == 70 * 9


def test_without_threads_the_handler_s_own_runs_the_branches():
    idents = set()

    def item(branch, value, index, items):
        idents.add(threading.get_ident())
        return value

    output = FakeService().run(
        DurableFunction(lambda got, ctx: ctx.map([1, 2, 3], item).get_results(), branch_threads=0)
    )
    assert result(output) == [1, 2, 3]
    assert idents == {threading.get_ident()}


def test_max_concurrency_is_kept():
    lock = threading.Lock()
    now = [0]
    peak = [0]

    def item(branch, value, index, items):
        with lock:
            now[0] += 1
            peak[0] = max(peak[0], now[0])
        branch.step(lambda step: value)
        with lock:
            now[0] -= 1

    first(lambda got, ctx: told(ctx.map(range(50), item, config=MapConfig(max_concurrency=3))))
    assert 1 <= peak[0] <= 3


@pytest.mark.parametrize("prompt_seconds", [batches.PROMPT_SECONDS, 0.0])
def test_branches_that_wait_for_each_other_need_a_thread_each(monkeypatch, prompt_seconds):
    """A batch begins with a few threads, and gets them one by one where the interpreter is busy, but it gets them."""
    monkeypatch.setattr(batches, "PROMPT_SECONDS", prompt_seconds)
    barrier = threading.Barrier(3 * batches.FIRST_THREADS)

    def item(branch, value, index, items):
        barrier.wait(60)
        return value

    output, _ = first(lambda got, ctx: len(ctx.map(range(barrier.parties), item).get_results()))
    assert result(output) == barrier.parties


def test_variables_of_the_caller_are_seen_and_those_of_branches_are_their_own():
    variable = contextvars.ContextVar("variable", default="unset")

    def item(branch, value, index, items):
        seen = variable.get()
        variable.set(f"branch {index}")
        return seen

    def handler(got, ctx):
        variable.set("handler")
        return [ctx.map([1, 2, 3], item, config=ONE).get_results(), variable.get()]

    output, _ = first(handler)
    assert result(output) == [["handler"] * 3, "handler"]


def test_ends_of_branches_share_requests_while_their_threads_go_on():
    output, service = first(lambda got, ctx: sum(ctx.map(range(300), ten_times, "m").get_results()))
    assert result(output) == sum(range(300)) * 10
    ends = [update["Name"] for update in service.updates() if update["Action"] == "SUCCEED"]
    assert len(ends) == len(set(ends) - {"ten times"}) + 300
    assert ends[-1] == "m"


def test_the_end_of_a_branch_that_cannot_be_written_ends_the_invocation():
    broken = []

    def fault(phase, number):
        if phase == "before" and number >= 5:
            broken.append(number)
            raise ConnectionError("gone")

    with pytest.raises(ConnectionError, match="gone"):
        first(lambda got, ctx: told(ctx.map(range(200), ten_times, "m")), FakeService(fault=fault))
    assert len(broken) == 1


class OwnSerDes(ExtendedTypeSerDes):
    """The default serdes, but not the instance that the lane knows."""


@pytest.mark.parametrize("waiting", [0, 1])
@pytest.mark.parametrize("total", [3, 400])
def test_finished_branches_answer_the_same_with_the_lane_and_without(total, waiting):
    """A large batch is made again from its branches when it is replayed; one that is not finished goes on from them."""
    told_by_serdes = []
    for serdes in (None, OwnSerDes()):
        config = MapConfig(item_serdes=serdes, completion_config=ALL)

        def item(branch, value, index, items):
            if value >= total:
                branch.wait(Duration.from_hours(1))
            if value == 1:
                raise ValueError("one fails")
            return {"value": value, "padding": "x" * 1000}

        def handler(got, ctx, config=config, item=item):
            batch = ctx.map(range(total + waiting), item, "m", config)
            ctx.wait(Duration.from_hours(1))
            return [item.result and item.result["value"] for item in batch.all], batch.completion_reason.value

        output, service = whole(handler)
        told_by_serdes.append((result(output), sorted(map(str, service.updates()))))
    assert told_by_serdes[0] == told_by_serdes[1]
    assert told_by_serdes[0][0][0][:3] == [0, None, 2]
