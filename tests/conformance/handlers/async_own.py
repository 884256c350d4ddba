"""Handlers of the requirements that are our own, under `async def`."""

from __future__ import annotations

import os

from durable_execution_sdk import durable_execution
from durable_execution_sdk.aio import AsyncDurableContext
from durable_execution_sdk.config import CallbackConfig, Duration, InvokeConfig, StepConfig, StepSemantics
from tests.conformance.handlers import requirement
from tests.conformance.handlers.retrying import TWICE


@requirement("interrupted-then-retried", colour="async", crashes=True)
@durable_execution
async def interrupted_then_retried(event, ctx: AsyncDurableContext):
    async def work(step):
        if step.attempt == 1:
            os._exit(1)
        return event

    config = StepConfig(retry_strategy=TWICE, step_semantics=StepSemantics.AT_MOST_ONCE_PER_RETRY)
    return await ctx.step(work, config=config)


@requirement("nested", colour="async")
@durable_execution
async def nested(event, ctx: AsyncDurableContext):
    async def outer(child):
        return await child.run_in_child_context(lambda inner: inner.step(lambda _: event), name="in")

    return await ctx.run_in_child_context(outer, name="out")


@requirement("tenant", colour="async", targets={"which-tenant": lambda event, context: context.tenant_id})
@durable_execution
async def for_a_tenant(event, ctx: AsyncDurableContext):
    return await ctx.invoke("which-tenant", None, config=InvokeConfig(tenant_id="tenant-1"))


@requirement("heartbeat-missed", colour="async")
@durable_execution
async def heartbeat_missed(event, ctx: AsyncDurableContext):
    callback = await ctx.create_callback(event, CallbackConfig(heartbeat_timeout=Duration.from_seconds(3)))
    return await callback.result()


@requirement("two-waits", colour="async")
@durable_execution
async def two_waits(event, ctx: AsyncDurableContext):
    async def first(branch):
        await branch.wait(Duration.from_seconds(1))
        return await branch.step(lambda _: "one")

    async def second(branch):
        await branch.wait(Duration.from_seconds(3))
        return "three"

    return (await ctx.parallel([first, second])).get_results()
