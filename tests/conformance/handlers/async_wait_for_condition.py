"""Suite 6: conditions, under `async def`."""

from __future__ import annotations

from durable_execution_sdk import durable_execution
from durable_execution_sdk.aio import AsyncDurableContext
from durable_execution_sdk.config import Duration, JitterStrategy
from durable_execution_sdk.waits import (
    WaitForConditionConfig,
    WaitStrategyConfig,
    create_wait_strategy,
)
from tests.conformance.handlers import requirement
from tests.conformance.handlers.wait_for_condition import Bracketed, count_to, increment, until


@requirement("6-1", colour="async")
@durable_execution
async def counts(event, ctx: AsyncDurableContext):
    return await ctx.wait_for_condition(increment, count_to(event))


@requirement("6-3", colour="async")
@durable_execution
async def named(event, ctx: AsyncDurableContext):
    return await ctx.wait_for_condition(increment, count_to(2), name="poll-status")


@requirement("6-5", colour="async")
@durable_execution
async def fixed_delay(event, ctx: AsyncDurableContext):
    strategy = create_wait_strategy(
        WaitStrategyConfig(
            should_continue_polling=lambda state: state < event,
            initial_delay=Duration.from_seconds(2),
            backoff_rate=1,
            jitter_strategy=JitterStrategy.NONE,
        )
    )
    return await ctx.wait_for_condition(increment, WaitForConditionConfig(strategy, 0))


@requirement("6-7", colour="async")
@durable_execution
async def check_raises(event, ctx: AsyncDurableContext):
    def check(state, _):
        raise ValueError("the check does not work")

    return await ctx.wait_for_condition(check, count_to(1))


@requirement("6-9", colour="async")
@durable_execution
async def object_as_state(event, ctx: AsyncDurableContext):
    def check(state, _):
        attempts = state["attempts"] + 1
        return {"status": "DONE" if attempts == 2 else state["status"], "attempts": attempts}

    config = WaitForConditionConfig(
        until(lambda state: state["status"] != "PENDING"), {"status": "PENDING", "attempts": 0}
    )
    return await ctx.wait_for_condition(check, config)


@requirement("6-11", colour="async")
@durable_execution
async def state_serdes(event, ctx: AsyncDurableContext):
    config = WaitForConditionConfig(until(lambda state: len(state) == 2), "", serdes=Bracketed())
    return await ctx.wait_for_condition(lambda state, _: state + "x", config)


@requirement("6-13", colour="async")
@durable_execution
async def one_after_the_other(event, ctx: AsyncDurableContext):
    first = await ctx.wait_for_condition(increment, count_to(2))
    return await ctx.wait_for_condition(increment, count_to(4, first))
