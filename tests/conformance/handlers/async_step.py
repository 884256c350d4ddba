"""Suite 1: steps, under `async def`."""

from __future__ import annotations

import os

from durable_execution_sdk import durable_execution
from durable_execution_sdk.aio import AsyncDurableContext
from durable_execution_sdk.config import Duration, JitterStrategy, StepConfig, StepSemantics
from durable_execution_sdk.retries import RetryPresets, RetryStrategyConfig, create_retry_strategy
from tests.conformance import console
from tests.conformance.handlers import requirement
from tests.conformance.handlers.retrying import TWICE
from tests.conformance.handlers.step import TransientError, works_from


@requirement("1-1", colour="async")
@durable_execution
async def greets(event, ctx: AsyncDurableContext):
    return await ctx.step(lambda _: f"Hello, {event}!")


@requirement("1-3", colour="async")
@durable_execution
async def second_uses_first(event, ctx: AsyncDurableContext):
    first = await ctx.step(lambda _: "first")
    return await ctx.step(lambda _: f"{first}_second")


@requirement("1-5", colour="async")
@durable_execution
async def returns_nothing(event, ctx: AsyncDurableContext):
    return await ctx.step(lambda _: None)


@requirement("1-7", colour="async")
@durable_execution
async def logs_in_step(event, ctx: AsyncDurableContext):
    def greet(step):
        step.logger.info("Greeting step started for: %s", event)
        greeting = f"Hello, {event}!"
        step.logger.info("Greeting step completed with: %s", greeting)
        return greeting

    return await ctx.step(greet)


@requirement("1-9", colour="async")
@durable_execution
async def step_is_replayed(event, ctx: AsyncDurableContext):
    def work(step):
        step.logger.info("step executed")
        return "cached_value"

    value = await ctx.step(work)
    await ctx.wait(Duration.from_seconds(1))
    return value


@requirement("1-11", colour="async")
@durable_execution
async def second_attempt_works(event, ctx: AsyncDurableContext):
    return await ctx.step(works_from(2), config=StepConfig(retry_strategy=TWICE))


@requirement("1-13", colour="async")
@durable_execution
async def default_strategy(event, ctx: AsyncDurableContext):
    return await ctx.step(works_from(3))


@requirement("1-15", colour="async")
@durable_execution
async def retries_one_kind_of_error(event, ctx: AsyncDurableContext):
    strategy = create_retry_strategy(
        RetryStrategyConfig(
            initial_delay=Duration.from_seconds(1),
            jitter_strategy=JitterStrategy.NONE,
            retryable_error_types=[TransientError],
        )
    )
    return await ctx.step(works_from(2, TransientError), config=StepConfig(retry_strategy=strategy))


@requirement("1-17", colour="async", crashes=True)
@durable_execution
async def interrupted_once(event, ctx: AsyncDurableContext):
    console.listen()

    def crash(step):
        step.logger.info("about to crash: %s", event)
        os._exit(1)

    config = StepConfig(retry_strategy=RetryPresets.none(), step_semantics=StepSemantics.AT_MOST_ONCE_PER_RETRY)
    return await ctx.step(crash, name="at_most_once_flaky_step", config=config)


@requirement("1-19", colour="async")
@durable_execution
async def fails_for_good(event, ctx: AsyncDurableContext):
    return await ctx.step(works_from(9), config=StepConfig(retry_strategy=RetryPresets.none()))
