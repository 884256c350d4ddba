"""Maps and parallels of async handlers: what is sent, and what user code gets."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from durable_execution_sdk import ExecutionError, RetryableSerDesError, ValidationError
from durable_execution_sdk._core import operation_id
from durable_execution_sdk._drivers.binding import durable_parallel_branch
from durable_execution_sdk._drivers.invocation import DurableFunction
from durable_execution_sdk._model.batch import ConcurrentExecutionItem
from durable_execution_sdk._model.completion import BatchItemStatus, CompletionConfig, complete_batch, continue_batch
from durable_execution_sdk._model.config import MapConfig, NestingType, ParallelBranch, ParallelConfig
from durable_execution_sdk._model.duration import Duration
from tests.support.fake_service import FakeService
from tests.unit.drivers.branches import result, told
from tests.unit.drivers.scenario import first, sent, whole

ALL = CompletionConfig.all_completed()
NESTINGS = [NestingType.NESTED, NestingType.FLAT]


async def ten_times(item: Any, value: int, index: int, _: Any) -> int:
    async def times(step: Any) -> int:
        await asyncio.sleep(0)
        return value * 10

    outcome: int = await item.step(times, "ten times")
    return outcome


def test_branches_are_contexts_that_start_together() -> None:
    async def handler(event: Any, ctx: Any) -> Any:
        return told(await ctx.map([1, 2], ten_times, "m"))

    output, service = first(handler)
    assert result(output) == [[["SUCC", 10], ["SUCC", 20]], "ALL_COMPLETED"]
    assert sent(service)[0][:3] == [
        ("CONTEXT", "START", "m"),
        ("CONTEXT", "START", "map-item-0"),
        ("CONTEXT", "START", "map-item-1"),
    ]
    before = len(service.requests)
    assert result(first(handler, service)[0]) == result(output)
    assert len(service.requests) == before


def test_each_branch_has_a_colour_and_a_name() -> None:
    def plain(branch: Any) -> Any:
        assert threading.current_thread() is not threading.main_thread()
        return branch.step(lambda step: "plain")

    async def native(branch: Any) -> Any:
        return await branch.step(lambda step: "native")

    @durable_parallel_branch("bound def")
    def bound(branch: Any, value: str) -> Any:
        return branch.step(lambda step: value)

    @durable_parallel_branch("bound async")
    async def bound_native(branch: Any, value: str) -> Any:
        return await branch.step(lambda step: value)

    async def handler(event: Any, ctx: Any) -> Any:
        branches = [plain, ParallelBranch(native, "mine"), bound("a"), bound_native("b"), lambda branch: 5]
        return told(await ctx.parallel(branches, "p"))

    output, service = whole(handler)
    assert [value for _, value in result(output)[0]] == ["plain", "native", "a", "b", 5]
    starts = [u["Name"] for u in service.updates() if u["Type"] == "CONTEXT" and u["Action"] == "START"]
    assert starts == ["p", "parallel-branch-0", "mine", "bound def", "bound async", "parallel-branch-4"]


def test_the_primitive_takes_items() -> None:
    async def work(item: Any, branch: Any) -> Any:
        return await branch.step(lambda step: item.data + 1)

    async def handler(event: Any, ctx: Any) -> Any:
        items = [ConcurrentExecutionItem(id=f"shard-{n}", data=n, index=n) for n in range(2)]
        return told(await ctx.execute_concurrently(items, work, "shards"))

    assert [value for _, value in result(whole(handler)[0])[0]] == [1, 2]


def test_bad_arguments_take_no_id() -> None:
    async def handler(event: Any, ctx: Any) -> int:
        with pytest.raises(ValidationError, match="must have a length"):
            ctx.map(iter([]), ten_times)
        with pytest.raises(ValidationError, match=r"functions\[0\]"):
            ctx.parallel([5])
        with pytest.raises(ValidationError, match=r"items\[0\].index"):
            ctx.execute_concurrently([ConcurrentExecutionItem("a", 1, 7)], lambda item, branch: 0)
        return int(await ctx.step(lambda step: 1))

    output, service = whole(handler)
    assert result(output) == 1
    assert {update["Id"] for update in service.updates()} == {operation_id(None, 1)}


@pytest.mark.parametrize("nesting", NESTINGS)
def test_at_most_so_many_are_under_way(nesting: NestingType) -> None:
    running: list[int] = []
    most: list[int] = []

    async def work(item: Any, value: int, index: int, _: Any) -> int:
        running.append(index)
        most.append(len(running))
        await item.wait(Duration(1))
        await item.step(lambda step: value)
        running.remove(index)
        return value

    async def handler(event: Any, ctx: Any) -> Any:
        running.clear()
        return told(await ctx.map(range(5), work, "m", MapConfig(max_concurrency=2, nesting_type=nesting)))

    output, _ = whole(handler)
    assert [value for _, value in result(output)[0]] == [0, 1, 2, 3, 4]
    assert max(most) == 2


def test_the_first_failure_ends_a_map_and_cancels_the_rest() -> None:
    cancelled: list[int] = []

    async def work(item: Any, value: int, index: int, _: Any) -> int:
        if value == 0:
            raise ValueError("broken")
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            cancelled.append(value)
            raise
        return value

    async def handler(event: Any, ctx: Any) -> Any:
        batch = await ctx.map([0, 1, 2], work, "m")
        await ctx.step(lambda step: 1, "after")
        return [told(batch), batch.all[0].error.type]

    output, service = first(handler)
    assert result(output) == [
        [[["FAIL", None], ["STAR", None], ["STAR", None]], "FAILURE_TOLERANCE_EXCEEDED"],
        "ValueError",
    ]
    assert cancelled == [1, 2]
    assert result(first(handler, service)[0]) == result(output)


def test_a_branch_left_waiting_does_not_disturb_what_follows() -> None:
    async def work(item: Any, value: int, index: int, _: Any) -> int:
        if value:
            await item.wait(Duration(value))
        return value

    async def handler(event: Any, ctx: Any) -> Any:
        config = MapConfig(completion_config=CompletionConfig(min_successful=1))
        batch = await ctx.map([2, 0], work, "m", config)
        await ctx.wait(Duration(5), "longer than the branch")
        await ctx.step(lambda step: 1)
        await ctx.wait(Duration(5))
        return told(batch)

    assert result(whole(handler)[0]) == [[["STAR", None], ["SUCC", 0]], "MIN_SUCCESSFUL_REACHED"]


def test_the_predicate_sees_one_change_at_a_time() -> None:
    seen: list[int] = []

    def enough(status: Any) -> Any:
        seen.append(status.completed_count)
        return complete_batch() if status.success_count == 2 else continue_batch()

    async def handler(event: Any, ctx: Any) -> Any:
        config = MapConfig(completion_config=CompletionConfig(should_complete=enough))
        batch = await ctx.map([1, 2, 3, 4], ten_times, "m", config)
        return batch.success_count

    assert result(whole(handler)[0]) == 2
    assert seen == [0, 1, 2]


def test_finished_branches_end_in_the_order_of_history() -> None:
    seen: list[list[int]] = []

    def watch(status: Any) -> Any:
        seen.append([item.index for item in status.items if item.status is BatchItemStatus.SUCCEEDED])
        return continue_batch()

    async def work(item: Any, value: int, index: int, _: Any) -> int:
        if value:
            await item.wait(Duration(value))
        return index

    async def handler(event: Any, ctx: Any) -> Any:
        seen.clear()
        config = MapConfig(completion_config=CompletionConfig(should_complete=watch))
        return told(await ctx.map([3, 2, 0, 9], work, "m", config))

    service = FakeService()
    function = DurableFunction(handler)
    for _ in range(3):
        assert service.invoke(function)["Status"] == "PENDING"
        service.advance()
    assert result(service.invoke(function))[1] == "ALL_COMPLETED"
    assert seen == [[], [2], [1, 2], [0, 1, 2], [0, 1, 2, 3]]


def test_what_no_batch_tolerates_passes_through() -> None:
    async def fatal(branch: Any) -> None:
        raise ExecutionError("for good")

    async def cancels(branch: Any) -> None:
        raise asyncio.CancelledError

    async def handler(event: Any, ctx: Any) -> Any:
        with pytest.raises(ExecutionError, match="for good"):
            await ctx.parallel([fatal], config=ParallelConfig(completion_config=ALL))
        with pytest.raises(asyncio.CancelledError):
            await ctx.parallel([cancels], config=ParallelConfig(completion_config=ALL))
        return "caught"

    assert result(whole(handler)[0]) == "caught"


def test_an_error_that_a_retry_cures_is_raised_instead_of_a_suspension() -> None:
    async def curable(branch: Any) -> None:
        raise RetryableSerDesError("try again")

    async def waits(branch: Any) -> None:
        await branch.wait(Duration(60))

    async def handler(event: Any, ctx: Any) -> Any:
        return told(await ctx.parallel([curable, waits], config=ParallelConfig(completion_config=ALL)))

    with pytest.raises(RetryableSerDesError):
        FakeService().invoke(DurableFunction(handler))


@pytest.mark.parametrize("nesting", NESTINGS)
@pytest.mark.parametrize("stops_at", [None, 2])
def test_a_large_map_is_summarised_and_made_again(nesting: NestingType, stops_at: int | None) -> None:
    async def work(item: Any, value: int, index: int, _: Any) -> str:
        if index == 2:
            await item.wait(Duration(3))
        return str(await item.step(lambda step: str(value) * 150_000, f"step {value}"))

    async def handler(event: Any, ctx: Any) -> Any:
        config = MapConfig(nesting_type=nesting, completion_config=CompletionConfig(min_successful=stops_at))
        batch = await ctx.map([1, 2, 3], work, "large", config)
        await ctx.wait(Duration(5))
        await ctx.step(lambda step: 1)
        await ctx.wait(Duration(5))
        return [[item.status.value, item.result and item.result[0]] for item in batch.all]

    output, service = whole(handler)
    last = ["STARTED", None] if stops_at else ["SUCCEEDED", "3"]
    assert result(output) == [["SUCCEEDED", "1"], ["SUCCEEDED", "2"], last]
    ends = [u for u in service.updates() if u["Action"] == "SUCCEED" and u.get("Name") == "large"]
    assert [end["ContextOptions"]["ReplayChildren"] for end in ends] == [True]


def test_blocked_bodies_leave_threads_for_those_they_wait_for() -> None:
    def inner(item: Any, value: int, index: int, _: Any) -> int:
        return int(item.step(lambda step: value))

    def outer(item: Any, value: int, index: int, _: Any) -> int:
        return sum(item.map([value, value], inner).get_results())

    async def handler(event: Any, ctx: Any) -> int:
        return sum((await ctx.map(range(70), outer)).get_results())

    assert result(whole(handler)[0]) == 2 * sum(range(70))


def test_finished_records_inside_a_finished_context_are_no_divergence() -> None:
    async def child(ctx: Any) -> int:
        return int(await ctx.step(lambda step: 1, "inner"))

    async def handler(event: Any, ctx: Any) -> int:
        value = await ctx.run_in_child_context(child)
        await ctx.wait(Duration(1))
        await ctx.wait(Duration(1))
        return int(value)

    class Talkative(FakeService):
        """Shows what lies below finished contexts, too."""

        def _visible(self) -> list[dict[str, Any]]:
            return [self.execution, *self.operations.values()]

    assert result(whole(handler, Talkative())[0]) == 1
