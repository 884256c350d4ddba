"""Suite 4: callbacks, under `async def`."""

from __future__ import annotations

import json

from durable_execution_sdk import durable_execution
from durable_execution_sdk.aio import AsyncDurableContext
from durable_execution_sdk.config import CallbackConfig, Duration
from durable_execution_sdk.exceptions import CallbackError
from tests.conformance.handlers import requirement
from tests.conformance.handlers.callback import Stamped


@requirement("4-1", colour="async")
@durable_execution
async def awaits_callback(event, ctx: AsyncDurableContext):
    return json.loads(await (await ctx.create_callback(event)).result())


@requirement("4-3", colour="async")
@durable_execution
async def times_out(event, ctx: AsyncDurableContext):
    return await (await ctx.create_callback(event, CallbackConfig(timeout=Duration.from_seconds(5)))).result()


@requirement("4-5", colour="async")
@durable_execution
async def kept_alive(event, ctx: AsyncDurableContext):
    return await (
        await ctx.create_callback(event, CallbackConfig(heartbeat_timeout=Duration.from_seconds(10)))
    ).result()


@requirement("4-7", colour="async")
@durable_execution
async def step_then_failure(event, ctx: AsyncDurableContext):
    callback = await ctx.create_callback(event)
    await ctx.step(lambda _: "done")
    return await callback.result()


@requirement("4-9", colour="async")
@durable_execution
async def resolved_during_wait(event, ctx: AsyncDurableContext):
    callback = await ctx.create_callback(event)
    await ctx.wait(Duration.from_seconds(5))
    return await callback.result()


@requirement("4-11", colour="async")
@durable_execution
async def times_out_during_wait(event, ctx: AsyncDurableContext):
    callback = await ctx.create_callback(event, CallbackConfig(timeout=Duration.from_seconds(3)))
    await ctx.wait(Duration.from_seconds(6))
    return await callback.result()


@requirement("4-13", colour="async")
@durable_execution
async def failure_is_caught(event, ctx: AsyncDurableContext):
    try:
        message = await (await ctx.create_callback(event)).result()
    except CallbackError as error:
        message = f"failed: {error}"
    await ctx.wait(Duration.from_seconds(2))
    return message


@requirement("4-15", colour="async")
@durable_execution
async def typed_result(event, ctx: AsyncDurableContext):
    received = await (await ctx.create_callback(event, CallbackConfig(serdes=Stamped()))).result()
    return {"received": received | {"timestamp": int(received["timestamp"].timestamp())}}


@requirement("4-17", colour="async")
@durable_execution
async def one_after_the_other(event, ctx: AsyncDurableContext):
    first = await (await ctx.create_callback(event[0])).result()
    return [first, await (await ctx.create_callback(event[1])).result()]


@requirement("4-19", colour="async")
@durable_execution
async def two_at_once(event, ctx: AsyncDurableContext):
    first, second = await ctx.create_callback(event[0]), await ctx.create_callback(event[1])
    later = await second.result()
    return [await first.result(), later]
