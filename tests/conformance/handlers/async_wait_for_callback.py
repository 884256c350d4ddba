"""Suite 7: callbacks with a submitter, under `async def`."""

from __future__ import annotations

from durable_execution_sdk import durable_execution
from durable_execution_sdk.aio import AsyncDurableContext
from durable_execution_sdk.config import Duration, WaitForCallbackConfig
from tests.conformance.handlers import requirement
from tests.conformance.handlers.retrying import TWICE
from tests.conformance.handlers.wait_for_callback import Json, submit


@requirement("7-1", colour="async")
@durable_execution
async def submits(event, ctx: AsyncDurableContext):
    return await ctx.wait_for_callback(submit, event)


@requirement("7-3", colour="async")
@durable_execution
async def without_a_name(event, ctx: AsyncDurableContext):
    return await ctx.wait_for_callback(lambda callback_id, _: None)


@requirement("7-5", colour="async")
@durable_execution
async def times_out(event, ctx: AsyncDurableContext):
    return await ctx.wait_for_callback(submit, event, WaitForCallbackConfig(timeout=Duration.from_seconds(3)))


@requirement("7-7", colour="async")
@durable_execution
async def submitter_fails(event, ctx: AsyncDurableContext):
    def fail(callback_id, _):
        raise ValueError("cannot be submitted")

    return await ctx.wait_for_callback(fail, event, WaitForCallbackConfig(retry_strategy=TWICE))


@requirement("7-9", colour="async")
@durable_execution
async def one_after_the_other(event, ctx: AsyncDurableContext):
    await ctx.wait_for_callback(submit, "first")
    return await ctx.wait_for_callback(submit, "second")


@requirement("7-11", colour="async")
@durable_execution
async def json_result(event, ctx: AsyncDurableContext):
    return (await ctx.wait_for_callback(submit, event, WaitForCallbackConfig(serdes=Json())))["status"]


@requirement("7-13", colour="async")
@durable_execution
async def kept_alive(event, ctx: AsyncDurableContext):
    config = WaitForCallbackConfig(heartbeat_timeout=Duration.from_seconds(10))
    return await ctx.wait_for_callback(submit, event, config)


@requirement("7-15", colour="async")
@durable_execution
async def without_a_payload(event, ctx: AsyncDurableContext):
    return await ctx.wait_for_callback(submit, event)
