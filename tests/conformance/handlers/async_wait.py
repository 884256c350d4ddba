"""Suite 2: waits, under `async def`."""

from __future__ import annotations

from durable_execution_sdk import durable_execution
from durable_execution_sdk.aio import AsyncDurableContext
from durable_execution_sdk.config import Duration
from tests.conformance.handlers import requirement


@requirement("2-1", colour="async")
@durable_execution
async def waits(event, ctx: AsyncDurableContext):
    await ctx.wait(Duration.from_seconds(2))


@requirement("2-3", colour="async")
@durable_execution
async def waits_twice(event, ctx: AsyncDurableContext):
    await ctx.wait(Duration.from_seconds(2), name="wait-1")
    await ctx.wait(Duration.from_seconds(2), name="wait-2")
    return {"completedWaits": 2}


@requirement("2-5", colour="async")
@durable_execution
async def waits_long(event, ctx: AsyncDurableContext):
    await ctx.wait(Duration.from_hours(1))
