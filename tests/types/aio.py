"""What type checkers infer from async contexts, promises and combinators; checked, never run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_type

from durable_execution_sdk import (
    BatchResult,
    DurableContext,
    Duration,
    MapConfig,
    ParallelBranch,
    StepContext,
    WithRetryConfig,
    durable_execution,
    durable_parallel_branch,
    durable_step,
    durable_with_child_context,
    with_retry,
)
from durable_execution_sdk.aio import AsyncCallback, AsyncDurableContext, DurablePromise, SettledResult
from durable_execution_sdk.concurrency.models import ConcurrentExecutionItem


@durable_step
async def fetch(step: StepContext, url: str) -> list[str]:
    return [url]


@durable_step
def charge(step: StepContext, order: str) -> float:
    return 1.5


@durable_with_child_context
def settle(child: DurableContext, batch: list[int]) -> dict[str, int]:
    return {"count": len(batch)}


@durable_with_child_context
async def collect(child: AsyncDurableContext, count: int) -> list[int]:
    return [count]


@durable_parallel_branch("mail")
async def mail(branch: AsyncDurableContext, address: str) -> int:
    return len(address)


async def child_body(child: AsyncDurableContext) -> bytes:
    return b""


def plain_body(child: DurableContext) -> str:
    return ""


async def item_body(item: AsyncDurableContext, value: int, index: int, values: Sequence[int]) -> str:
    return str(value)


def plain_item(item: DurableContext, value: int, index: int, values: Sequence[int]) -> bytes:
    return bytes(value)


async def work(item: ConcurrentExecutionItem[int], branch: AsyncDurableContext) -> float:
    return item.data * 1.5


async def again(ctx: AsyncDurableContext, run: int) -> int:
    return run


@durable_execution
async def handler(event: dict[str, Any], ctx: AsyncDurableContext) -> None:
    assert_type(ctx.step(fetch("a")), DurablePromise[list[str]])
    assert_type(await ctx.step(charge("a")), float)
    assert_type(await ctx.wait(Duration(1)), None)
    assert_type(await ctx.run_in_child_context(settle([1])), dict[str, int])
    assert_type(await ctx.run_in_child_context(collect(1)), list[int])
    assert_type(await ctx.run_in_child_context(child_body), bytes)
    assert_type(await ctx.run_in_child_context(plain_body), str)
    assert_type(await ctx.create_callback(), AsyncCallback[Any])

    assert_type(ctx.map([1, 2], item_body), DurablePromise[BatchResult[str]])
    assert_type((await ctx.map([1, 2], item_body, "m", MapConfig())).get_results(), list[str])
    assert_type(await ctx.map([1, 2], plain_item), BatchResult[bytes])
    assert_type(await ctx.parallel([child_body, child_body]), BatchResult[bytes])
    assert_type(await ctx.parallel([ParallelBranch(plain_body, "plain")]), BatchResult[str])
    assert_type(await ctx.parallel([mail("a"), mail("b")]), BatchResult[int])
    items = [ConcurrentExecutionItem(id="a", data=1, index=0)]
    assert_type(await ctx.execute_concurrently(items, work), BatchResult[float])

    assert_type(await with_retry(ctx, again, WithRetryConfig()), int)

    one, two = ctx.step(charge("a")), ctx.step(charge("b"))
    assert_type(await ctx.promise.all([one, two]), list[float])
    assert_type(await ctx.promise.all_settled([one, two]), list[SettledResult[float]])
    assert_type(await ctx.promise.any([one, two]), float)
    assert_type(await ctx.promise.race([one, two]), float)
    assert_type(await ctx.promise.timeout(one, {"minutes": 1}), float)
    assert_type(one.result(), float)
