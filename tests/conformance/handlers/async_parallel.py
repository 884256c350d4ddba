"""Suite 8: parallels, under `async def`."""

from __future__ import annotations

from durable_execution_sdk import durable_execution
from durable_execution_sdk.aio import AsyncDurableContext
from durable_execution_sdk.config import ParallelBranch, ParallelConfig
from tests.conformance.handlers import requirement
from tests.conformance.handlers.batches import Wrapping, fail, summary
from tests.conformance.handlers.parallel import FACTS, ONE, one_by_one


def gives(value):
    async def branch(_):
        return value

    return branch


def steps(value):
    async def branch(context):
        return await context.step(lambda _: value)

    return branch


async def fails(_):
    fail()


@requirement("8-1", colour="async")
@durable_execution
async def two_branches(event, ctx: AsyncDurableContext):
    return (await ctx.parallel([steps("task-1"), steps("task-2")], "parallel", ONE)).get_results()


@requirement("8-3", colour="async")
@durable_execution
async def named_branches(event, ctx: AsyncDurableContext):
    branches = [ParallelBranch(gives("one"), "first"), ParallelBranch(gives("two"), "second")]
    return (await ctx.parallel(branches, "named", ONE)).get_results()


@requirement("8-5", colour="async")
@durable_execution
async def no_branches(event, ctx: AsyncDurableContext):
    result = await ctx.parallel([], "empty")
    assert summary(result, "completionReason", "totalCount") == {"completionReason": "ALL_COMPLETED", "totalCount": 0}
    return result.get_results()


@requirement("8-7", colour="async")
@durable_execution
async def rethrows(event, ctx: AsyncDurableContext):
    result = await ctx.parallel([fails, gives("never")], "throwing", one_by_one(tolerated_failure_count=0))
    result.throw_if_error()


@requirement("8-9", colour="async")
@durable_execution
async def tolerates_one(event, ctx: AsyncDurableContext):
    config = one_by_one(tolerated_failure_count=1)
    return summary(await ctx.parallel([gives(0), fails, gives(2)], "tolerated", config), "status", *FACTS)


@requirement("8-11", colour="async")
@durable_execution
async def concurrent(event, ctx: AsyncDurableContext):
    branches = [gives("r0"), gives("r1"), gives("r2")]
    return (await ctx.parallel(branches, "concurrent", ParallelConfig(max_concurrency=2))).get_results()


@requirement("8-13", colour="async")
@durable_execution
async def too_many_failures(event, ctx: AsyncDurableContext):
    config = one_by_one(tolerated_failure_percentage=25)
    return summary(await ctx.parallel([fails, fails, gives(2), gives(3)], "tolerated-pct", config), *FACTS)


@requirement("8-15", colour="async")
@durable_execution
async def item_serdes(event, ctx: AsyncDurableContext):
    config = ParallelConfig(max_concurrency=1, item_serdes=Wrapping())
    return (await ctx.parallel([gives("x"), gives("y")], "serde", config)).get_results()


@requirement("8-17", colour="async")
@durable_execution
async def minimum_not_reached(event, ctx: AsyncDurableContext):
    config = one_by_one(min_successful=3)
    return summary(await ctx.parallel([gives(0), fails, gives(2)], "min-not-reached", config), "status", *FACTS)


@requirement("8-19", colour="async")
@durable_execution
async def no_concurrency(event, ctx: AsyncDurableContext):
    config = ParallelConfig(max_concurrency=0)
    return (await ctx.parallel([gives(0), gives(1)], "bad-concurrency", config)).get_results()


@requirement("8-21", colour="async")
@durable_execution
async def nested(event, ctx: AsyncDurableContext):
    async def outer(branch):
        return (await branch.parallel([steps("i1"), steps("i2")], "inner", ONE)).get_results()

    return (await ctx.parallel([outer], "outer", ONE)).get_results()
