"""Suite 3: child contexts, under `async def`."""

from __future__ import annotations

from durable_execution_sdk import durable_execution
from durable_execution_sdk.aio import AsyncDurableContext
from durable_execution_sdk.config import Duration, StepConfig
from durable_execution_sdk.exceptions import ChildContextError
from durable_execution_sdk.retries import RetryPresets
from tests.conformance.handlers import requirement
from tests.conformance.handlers.child import fail
from tests.conformance.handlers.retrying import TWICE


@requirement("3-1", colour="async")
@durable_execution
async def child_with_step(event, ctx: AsyncDurableContext):
    return await ctx.run_in_child_context(lambda child: child.step(lambda _: event))


@requirement("3-3", colour="async")
@durable_execution
async def child_with_two_steps(event, ctx: AsyncDurableContext):
    async def body(child):
        first = await child.step(lambda _: event)
        return await child.step(lambda _: first)

    return await ctx.run_in_child_context(body, name="two steps")


@requirement("3-5", colour="async")
@durable_execution
async def child_error_is_caught(event, ctx: AsyncDurableContext):
    async def body(child):
        return await child.step(fail, config=StepConfig(retry_strategy=RetryPresets.none()))

    try:
        return await ctx.run_in_child_context(body)
    except ChildContextError:
        return await ctx.step(lambda _: event)


@requirement("3-7", colour="async")
@durable_execution
async def child_with_retry(event, ctx: AsyncDurableContext):
    def work(step):
        return fail(step) if step.attempt == 1 else event

    async def body(child):
        return await child.step(work, config=StepConfig(retry_strategy=TWICE))

    return await ctx.run_in_child_context(body, name="retries inside")


@requirement("3-9", colour="async")
@durable_execution
async def child_is_replayed(event, ctx: AsyncDurableContext):
    value = await ctx.run_in_child_context(lambda child: child.step(lambda _: event))
    await ctx.wait(Duration.from_seconds(1))
    return value


@requirement("3-11", colour="async")
@durable_execution
async def large_child(event, ctx: AsyncDurableContext):
    ctx.configure_logger(mode_aware=False)

    async def body(child):
        child.logger.info("large child of %s", event)
        return (await child.step(lambda _: event[:1])) * 300_000

    value = await ctx.run_in_child_context(body, name="large")
    await ctx.wait(Duration.from_seconds(1))
    assert value == event[:1] * 300_000
    return len(value)


@requirement("3-13", colour="async")
@durable_execution
async def child_with_wait(event, ctx: AsyncDurableContext):
    async def body(child):
        await child.wait(Duration.from_seconds(1))
        return event

    value = await ctx.run_in_child_context(body, name="waits inside")
    return await ctx.step(lambda _: value)


@requirement("3-15", colour="async")
@durable_execution
async def child_raises(event, ctx: AsyncDurableContext):
    return await ctx.run_in_child_context(fail, name="raises")


@requirement("3-17", colour="async")
@durable_execution
async def child_only_logs(event, ctx: AsyncDurableContext):
    ctx.configure_logger(mode_aware=False)

    async def body(child):
        child.logger.info("child of %s", event)
        return event

    value = await ctx.run_in_child_context(body, name="logs")
    await ctx.wait(Duration.from_seconds(1))
    return value
