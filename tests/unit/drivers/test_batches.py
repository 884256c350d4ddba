"""Maps and parallels through the thread driver: what is sent, and what user code gets."""

from __future__ import annotations

import json
import threading

import pytest

from durable_execution_sdk._drivers.binding import durable_parallel_branch, durable_with_child_context
from durable_execution_sdk._model.batch import ConcurrentExecutionItem
from durable_execution_sdk._model.completion import CompletionConfig, complete_batch, continue_batch
from durable_execution_sdk._model.config import (
    ConcurrencyConfig,
    MapConfig,
    NestingType,
    ParallelBranch,
    ParallelConfig,
)
from durable_execution_sdk._model.duration import Duration
from durable_execution_sdk._model.errors import (
    ChildContextError,
    ExecutionError,
    RetryableSerDesError,
    ValidationError,
)
from tests.unit.drivers.branches import result, ten_times, told
from tests.unit.drivers.scenario import first, sent, whole

FLAT = NestingType.FLAT
ALL = CompletionConfig.all_completed()
ONE = MapConfig(max_concurrency=1)


# --- what is sent -----------------------------------------------------------------------------------------------------


def test_a_map_is_a_context_with_a_context_per_item():
    output, service = first(lambda got, ctx: told(ctx.map([1, 2], ten_times, "m", ONE)))
    assert result(output) == [[["SUCC", 10], ["SUCC", 20]], "ALL_COMPLETED"]
    assert [update for request in sent(service) for update in request] == [
        ("CONTEXT", "START", "m"),
        ("CONTEXT", "START", "map-item-0"),
        ("STEP", "START", "ten times"),
        ("STEP", "SUCCEED", "ten times"),
        ("CONTEXT", "SUCCEED", "map-item-0"),
        ("CONTEXT", "START", "map-item-1"),
        ("STEP", "START", "ten times"),
        ("STEP", "SUCCEED", "ten times"),
        ("CONTEXT", "SUCCEED", "map-item-1"),
        ("CONTEXT", "SUCCEED", "m"),
    ]
    kinds = {update["Name"]: update["SubType"] for update in service.updates()}
    assert (kinds["m"], kinds["map-item-0"]) == ("Map", "MapIteration")


def test_flat_branches_leave_no_trace_of_their_own():
    config = MapConfig(max_concurrency=1, nesting_type=FLAT)
    output, service = first(lambda got, ctx: told(ctx.map([1, 2], ten_times, "m", config)))
    assert result(output)[0] == [["SUCC", 10], ["SUCC", 20]]
    names = [(update["Name"], update.get("ParentId")) for update in service.updates() if update["Action"] == "SUCCEED"]
    batch = service.updates()[0]["Id"]
    assert names == [("ten times", batch), ("ten times", batch), ("m", None)]


def test_an_empty_map_is_started_and_ended():
    output, service = first(lambda got, ctx: told(ctx.map([], ten_times, "m")))
    assert result(output) == [[], "ALL_COMPLETED"]
    assert sent(service) == [[("CONTEXT", "START", "m"), ("CONTEXT", "SUCCEED", "m")]]


def test_branches_of_a_parallel_are_named_by_hand_or_by_place():
    @durable_parallel_branch("third")
    def third(branch, value):
        return value

    @durable_with_child_context
    def bound(branch):
        return "bound"

    branches = [lambda branch: 1, ParallelBranch(lambda branch: 2, ""), third(3), bound()]
    output, service = first(lambda got, ctx: ctx.parallel(branches, "p").get_results())
    assert result(output) == [1, 2, 3, "bound"]
    started = [update for update in service.updates() if update["Action"] == "START" and "ParentId" in update]
    assert sorted(update.get("Name", "") for update in started) == [
        "",
        "parallel-branch-0",
        "parallel-branch-3",
        "third",
    ]
    assert {update["SubType"] for update in started} == {"ParallelBranch"}


def test_items_are_named_by_the_namer():
    config = MapConfig(max_concurrency=1, item_namer=lambda item, index: f"{item}@{index}")
    _, service = first(lambda got, ctx: told(ctx.map(["a"], lambda branch, *rest: 1, config=config)))
    assert sent(service)[0][1] == ("CONTEXT", "START", "a@0")


def test_the_primitive_labels_and_names_as_told():
    items = [ConcurrentExecutionItem(id=f"shard-{n}", data=n, index=n, name="two" if n else None) for n in range(2)]
    config = ConcurrencyConfig(max_concurrency=1, top_level_sub_type="Shards", iteration_sub_type="Shard")

    def handler(got, ctx):
        batch = ctx.execute_concurrently(items, lambda item, branch: item.data + 1, "all", config)
        plain = ctx.execute_concurrently(items[:1], lambda item, branch: item.id)
        return [batch.get_results(), plain.get_results()]

    output, service = first(handler)
    assert result(output) == [[1, 2], ["shard-0"]]
    starts = [(update.get("Name"), update["SubType"]) for update in service.updates() if update["Action"] == "START"]
    assert starts == [
        ("all", "Shards"),
        ("shard-0", "Shard"),
        ("two", "Shard"),
        (None, "RunInChildContext"),
        ("shard-0", "RunInChildContext"),
    ]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda ctx: ctx.map((n for n in range(2)), ten_times), "inputs must have a length"),
        (lambda ctx: ctx.parallel([1]), r"functions\[0\] must be callable"),
        (
            lambda ctx: ctx.map([1], ten_times, config=MapConfig(completion_config=CompletionConfig(min_successful=2))),
            "at most the number of items, 1",
        ),
        (
            lambda ctx: ctx.execute_concurrently([ConcurrentExecutionItem("a", 1, 1)], lambda item, branch: 1),
            r"items\[0\].index",
        ),
    ],
)
def test_bad_arguments_take_no_id(call, words):
    def handler(got, ctx):
        with pytest.raises(ValidationError, match=words):
            call(ctx)
        ctx.step(lambda step: 1, name="first")

    _, service = first(handler)
    assert sent(service) == [[("STEP", "START", "first"), ("STEP", "SUCCEED", "first")]]
    assert service.updates()[0]["Id"].startswith("1ced8f5b")


def test_a_set_can_be_mapped():
    output, _ = first(lambda got, ctx: ctx.map({7}, ten_times).get_results())
    assert result(output) == [70]


def test_async_bodies_run_in_branches():
    async def body(branch, item, index, items):
        return branch.step(lambda step: item + 1)

    output, _ = first(lambda got, ctx: ctx.map([1, 2], body).get_results())
    assert result(output) == [2, 3]


# --- failures ---------------------------------------------------------------------------------------------------------


def test_a_failed_item_tells_of_the_error_itself():
    def item(branch, value, index, items):
        return 1 // value

    def handler(got, ctx):
        batch = ctx.map([1, 0], item, "m", MapConfig(max_concurrency=1, completion_config=ALL))
        ctx.wait(Duration(1))
        with pytest.raises(ChildContextError) as caught:
            batch.throw_if_error()
        error = batch.all[1].error
        return [error.type, error.message, type(caught.value.__cause__).__name__, told(batch)[1]]

    output, service = whole(handler)
    kind, message, cause, reason = result(output)
    assert (kind, reason) == ("ZeroDivisionError", "ALL_COMPLETED")
    assert "zero" in message
    assert cause == "DurableOperationError"
    failed = [update for update in service.updates() if update["Action"] == "FAIL"]
    assert [update["Error"]["ErrorType"] for update in failed] == ["ZeroDivisionError"]


def test_the_first_failure_ends_a_map():
    def item(branch, value, index, items):
        if value == 2:
            raise ValueError("two")
        return value

    output, _ = first(lambda got, ctx: told(ctx.map([1, 2, 3], item, "m", ONE)))
    assert result(output) == [[["SUCC", 1], ["FAIL", None]], "FAILURE_TOLERANCE_EXCEEDED"]


def test_nondeterminism_in_a_branch_is_not_tolerated():
    def item(branch, value, index, items):
        raise ExecutionError("stop everything")

    output, service = first(lambda got, ctx: told(ctx.map([1], item, "m", MapConfig(completion_config=ALL))))
    assert output["Status"] == "FAILED"
    assert output["Error"]["ErrorMessage"] == "stop everything"
    assert all(update["Action"] == "START" for update in service.updates())


def test_an_error_that_a_retry_cures_ends_the_invocation():
    tries = []

    class Moody:
        def serialize(self, value, context):
            tries.append(value)
            if len(tries) == 1:
                raise RetryableSerDesError("later")
            return json.dumps(value)

        def deserialize(self, text, context):
            return json.loads(text)

    config = MapConfig(item_serdes=Moody(), completion_config=ALL, max_concurrency=1)
    output, service = whole(lambda got, ctx: told(ctx.map([1, 2], lambda branch, value, *rest: value, "m", config)))
    assert result(output)[0] == [["SUCC", 1], ["SUCC", 2]]
    assert service.invocations == 2
    assert not [update for update in service.updates() if update["Action"] == "FAIL"]


def test_what_the_predicate_raises_fails_the_map():
    def broken(status):
        raise LookupError("no such thing")

    config = MapConfig(completion_config=CompletionConfig(should_complete=broken))

    def handler(got, ctx):
        with pytest.raises(ChildContextError, match="no such thing"):
            ctx.map([1], ten_times, "m", config)

    output, service = first(handler)
    assert output["Status"] == "SUCCEEDED"
    assert sent(service) == [[("CONTEXT", "START", "m"), ("CONTEXT", "FAIL", "m")]]


# --- completion -------------------------------------------------------------------------------------------------------


def test_enough_successes_end_a_map():
    config = MapConfig(max_concurrency=1, completion_config=CompletionConfig(min_successful=2))
    output, _ = first(lambda got, ctx: told(ctx.map([1, 2, 3], ten_times, "m", config)))
    assert result(output) == [[["SUCC", 10], ["SUCC", 20]], "MIN_SUCCESSFUL_REACHED"]


def test_the_predicate_is_called_on_the_batch_s_own_thread():
    seen = []

    def enough(status):
        seen.append((threading.get_ident(), status.completed_count, [item.name for item in status.items]))
        return complete_batch() if status.completed_count == 2 else continue_batch()

    config = MapConfig(
        completion_config=CompletionConfig(should_complete=enough),
        item_namer=lambda item, index: f"n{index}",
        max_concurrency=1,
    )
    output, _ = first(lambda got, ctx: told(ctx.map([1, 2, 3], ten_times, "m", config)))
    assert result(output) == [[["SUCC", 10], ["SUCC", 20]], "CUSTOM_COMPLETION_SUCCEEDED"]
    assert seen == [(threading.get_ident(), done, ["n0", "n1", "n2"]) for done in (0, 1, 2)]


def test_branches_that_run_on_are_reported_and_stopped_at_their_next_operation():
    go_on = threading.Event()
    steps = []

    def slow(branch):
        go_on.wait(20)
        branch.step(lambda step: steps.append("never"))

    def handler(got, ctx):
        batch = ctx.parallel(
            [slow, lambda branch: "quick"], "p", ParallelConfig(completion_config=CompletionConfig.first_successful())
        )
        go_on.set()
        return told(batch)

    output, service = first(handler)
    assert result(output) == [[["STAR", None], ["SUCC", "quick"]], "MIN_SUCCESSFUL_REACHED"]
    assert steps == []
    assert not any(update["Type"] == "STEP" for update in service.updates())
