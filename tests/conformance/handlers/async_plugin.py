"""Suite 10: plugins, under `async def`."""

from __future__ import annotations

from durable_execution_sdk import durable_execution
from durable_execution_sdk.aio import AsyncDurableContext
from durable_execution_sdk.config import Duration, ParallelBranch, ParallelConfig, StepConfig
from durable_execution_sdk.retries import RetryPresets
from tests.conformance.handlers import requirement
from tests.conformance.handlers.plugin import (
    AttemptDump,
    Attempts,
    ContextDump,
    Ends,
    Everything,
    Faulty,
    First,
    InvocationDump,
    Invocations,
    Second,
    Steps,
    StepsAndAttempts,
    UpdatedWaits,
    fails_until,
    greeting,
)
from tests.conformance.handlers.retrying import TWICE


@requirement("10-1", colour="async")
@durable_execution(plugins=[Invocations])
async def one_invocation(event, ctx: AsyncDurableContext):
    return await ctx.step(greeting(event))


@requirement("10-3", colour="async")
@durable_execution(plugins=[Attempts])
async def two_attempts(event, ctx: AsyncDurableContext):
    return await ctx.step(fails_until(2), config=StepConfig(retry_strategy=TWICE))


@requirement("10-5", colour="async")
@durable_execution(plugins=[First, Second])
async def two_plugins(event, ctx: AsyncDurableContext):
    return await ctx.step(greeting(event))


@requirement("10-7", colour="async")
@durable_execution(plugins=[Invocations])
async def fails(event, ctx: AsyncDurableContext):
    return await ctx.step(fails_until(9), config=StepConfig(retry_strategy=RetryPresets.none()))


@requirement("10-9", colour="async")
@durable_execution(plugins=[UpdatedWaits])
async def sees_the_wait(event, ctx: AsyncDurableContext):
    await ctx.wait(Duration.from_seconds(2))


@requirement("10-11", colour="async")
@durable_execution(plugins=[Ends])
async def knows_parents(event, ctx: AsyncDurableContext):
    return await ctx.run_in_child_context(lambda child: child.step(greeting(event)))


@requirement("10-13", colour="async")
@durable_execution(plugins=[Steps])
async def replayed_steps(event, ctx: AsyncDurableContext):
    await ctx.step(lambda _: "A")
    return await ctx.step(fails_until(2), config=StepConfig(retry_strategy=TWICE))


@requirement("10-15", colour="async")
@durable_execution(plugins=[StepsAndAttempts])
async def exhausted(event, ctx: AsyncDurableContext):
    return await ctx.step(fails_until(9), config=StepConfig(retry_strategy=TWICE))


@requirement("10-17", colour="async")
@durable_execution(plugins=[Faulty, Everything])
async def faulty_beside_healthy(event, ctx: AsyncDurableContext):
    return await ctx.step(greeting(event))


@requirement("10-19", colour="async")
@durable_execution(plugins=[InvocationDump])
async def invocation_members(event, ctx: AsyncDurableContext):
    await ctx.wait(Duration.from_seconds(2))
    return f"done-{event}"


@requirement("10-21", colour="async")
@durable_execution(plugins=[AttemptDump])
async def attempt_members(event, ctx: AsyncDurableContext):
    return await ctx.step(fails_until(2, "ok"), name="flaky", config=StepConfig(retry_strategy=TWICE))


@requirement("10-23", colour="async")
@durable_execution(plugins=[ContextDump])
async def context_members(event, ctx: AsyncDurableContext):
    async def first(branch):
        await branch.step(lambda _: "x", name="inner")
        await branch.wait(Duration.from_seconds(2))
        return "a-done"

    async def second(branch):
        return "b-done"

    branches = [ParallelBranch(first, "branch-a"), ParallelBranch(second, "branch-b")]
    return (await ctx.parallel(branches, "ctx", ParallelConfig(max_concurrency=1))).get_results()
