"""Suite 5: chained invokes, under `async def`."""

from __future__ import annotations

from durable_execution_sdk import durable_execution
from durable_execution_sdk.aio import AsyncDurableContext
from durable_execution_sdk.config import Duration, InvokeConfig
from tests.conformance.handlers import requirement
from tests.conformance.handlers.invoke import Shouting, broken, echo, measure


@durable_execution
async def durable_echo(event, ctx: AsyncDurableContext):
    return await ctx.step(lambda _: event)


@requirement("5-1", colour="async", targets={"echo": echo})
@durable_execution
async def invokes(event, ctx: AsyncDurableContext):
    return await ctx.invoke("echo", event)


@requirement("5-3", colour="async", targets={"durable-echo": durable_echo})
@durable_execution
async def invokes_durable(event, ctx: AsyncDurableContext):
    result = await ctx.invoke("durable-echo", event)
    assert result == event
    return result


@requirement("5-5", colour="async", targets={"broken": broken})
@durable_execution
async def target_fails(event, ctx: AsyncDurableContext):
    return await ctx.invoke("broken", event)


@requirement("5-7", colour="async", targets={"measure": measure})
@durable_execution
async def large_payload(event, ctx: AsyncDurableContext):
    size = 600_000
    assert await ctx.invoke("measure", {"data": "x" * size}) == size
    return size


@requirement("5-9", colour="async", targets={"echo": echo})
@durable_execution
async def invoke_is_replayed(event, ctx: AsyncDurableContext):
    result = await ctx.invoke("echo", "once")
    await ctx.wait(Duration.from_seconds(1))
    return result


@requirement("5-11", colour="async", targets={"echo": echo})
@durable_execution
async def step_then_invoke(event, ctx: AsyncDurableContext):
    value = await ctx.step(lambda _: "from the step")
    return await ctx.invoke("echo", value)


@requirement("5-13", colour="async", targets={"echo": echo})
@durable_execution
async def invoke_in_child(event, ctx: AsyncDurableContext):
    return await ctx.run_in_child_context(lambda child: child.invoke("echo", "inside"))


@requirement("5-15", colour="async", targets={"echo": echo})
@durable_execution
async def payload_serdes(event, ctx: AsyncDurableContext):
    result = await ctx.invoke("echo", event, config=InvokeConfig(serdes_payload=Shouting()))
    assert result == {"data": "HELLO"}
    return result
