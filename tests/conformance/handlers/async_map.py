"""Suite 9: maps, under `async def`."""

from __future__ import annotations

from durable_execution_sdk import durable_execution
from durable_execution_sdk.aio import AsyncDurableContext
from durable_execution_sdk.config import Duration, MapConfig
from durable_execution_sdk.serdes import JsonSerDes
from tests.conformance.handlers import requirement
from tests.conformance.handlers.batches import fail, summary
from tests.conformance.handlers.map import ONE, Joined, one_by_one


async def itself(branch, item, index, items):
    return item


async def upper(branch, item, index, items):
    return item.upper()


async def fails(branch, item, index, items):
    return fail()


@requirement("9-1", colour="async")
@durable_execution
async def greets(event, ctx: AsyncDurableContext):
    async def greet(branch, item, index, items):
        return await branch.step(lambda _: f"Hello, {item}!")

    return (await ctx.map(event, greet, "map", ONE)).get_results()


@requirement("9-3", colour="async")
@durable_execution
async def indexed(event, ctx: AsyncDurableContext):
    async def add(branch, item, index, items):
        return item + index

    return (await ctx.map(event, add, "indexed", ONE)).get_results()


@requirement("9-5", colour="async")
@durable_execution
async def fails_fast(event, ctx: AsyncDurableContext):
    async def work(branch, item, index, items):
        return "ok" if item == 0 else fail()

    result = await ctx.map([0, 1, 2], work, "failfast", one_by_one(tolerated_failure_count=0))
    return summary(result, "completionReason", "status", "successCount", "failureCount", "totalCount")


@requirement("9-7", colour="async")
@durable_execution
async def enough(event, ctx: AsyncDurableContext):
    result = await ctx.map(["a", "b", "c", "d"], itself, "min-successful", one_by_one(min_successful=2))
    return summary(result, "completionReason", "successCount", "totalCount")


@requirement("9-9", colour="async")
@durable_execution
async def too_many_failures(event, ctx: AsyncDurableContext):
    result = await ctx.map([0, 1, 2], fails, "tolerated-exceeded", one_by_one(tolerated_failure_count=1))
    return summary(result, "completionReason", "successCount", "failureCount", "totalCount")


@requirement("9-11", colour="async")
@durable_execution
async def concurrent(event, ctx: AsyncDurableContext):
    return (await ctx.map(["r0", "r1", "r2"], itself, "concurrent", MapConfig(max_concurrency=2))).get_results()


@requirement("9-13", colour="async")
@durable_execution
async def named_items(event, ctx: AsyncDurableContext):
    async def tenfold(branch, item, index, items):
        return item * 10

    config = MapConfig(max_concurrency=1, item_namer=lambda item, index: f"item-{item}")
    return (await ctx.map(event, tenfold, "named-items", config)).get_results()


@requirement("9-15", colour="async")
@durable_execution
async def suspended_inside(event, ctx: AsyncDurableContext):
    async def work(branch, item, index, items):
        if index == 1:
            await branch.wait(Duration.from_seconds(1))
        return await branch.step(lambda _: item)

    return (await ctx.map(["r0", "r1"], work, "suspend", ONE)).get_results()


@requirement("9-17", colour="async")
@durable_execution
async def then_waits(event, ctx: AsyncDurableContext):
    result = await ctx.map(["a", "b"], upper, "then-wait", ONE)
    await ctx.wait(Duration.from_seconds(1))
    return result.get_results()


@requirement("9-19", colour="async")
@durable_execution
async def result_serdes(event, ctx: AsyncDurableContext):
    config = MapConfig(max_concurrency=1, serdes=Joined(), item_serdes=JsonSerDes())
    return (await ctx.map(["x", "y"], upper, "op-serde", config)).get_results()
