"""Suite 1: steps."""

from __future__ import annotations

import os

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.config import Duration, JitterStrategy, StepConfig, StepSemantics
from durable_execution_sdk.retries import RetryPresets, RetryStrategyConfig, create_retry_strategy
from tests.conformance import console
from tests.conformance.handlers import requirement
from tests.conformance.handlers.retrying import TWICE


class TransientError(Exception):
    """Gone the next time."""


@requirement("1-1")
@durable_execution
def greets(event, ctx: DurableContext):
    return ctx.step(lambda _: f"Hello, {event}!")


@requirement("1-3")
@durable_execution
def second_uses_first(event, ctx: DurableContext):
    first = ctx.step(lambda _: "first")
    return ctx.step(lambda _: f"{first}_second")


@requirement("1-5")
@durable_execution
def returns_nothing(event, ctx: DurableContext):
    return ctx.step(lambda _: None)


@requirement("1-7")
@durable_execution
def logs_in_step(event, ctx: DurableContext):
    def greet(step):
        step.logger.info("Greeting step started for: %s", event)
        greeting = f"Hello, {event}!"
        step.logger.info("Greeting step completed with: %s", greeting)
        return greeting

    return ctx.step(greet)


@requirement("1-9")
@durable_execution
def step_is_replayed(event, ctx: DurableContext):
    def work(step):
        step.logger.info("step executed")
        return "cached_value"

    value = ctx.step(work)
    ctx.wait(Duration.from_seconds(1))
    return value


def works_from(attempt, error=ValueError, result="Operation succeeded"):
    def work(step):
        if step.attempt < attempt:
            raise error(f"attempt {step.attempt} did not work")
        return result

    return work


@requirement("1-11")
@durable_execution
def second_attempt_works(event, ctx: DurableContext):
    return ctx.step(works_from(2), config=StepConfig(retry_strategy=TWICE))


@requirement("1-13")
@durable_execution
def default_strategy(event, ctx: DurableContext):
    return ctx.step(works_from(3))


@requirement("1-15")
@durable_execution
def retries_one_kind_of_error(event, ctx: DurableContext):
    strategy = create_retry_strategy(
        RetryStrategyConfig(
            initial_delay=Duration.from_seconds(1),
            jitter_strategy=JitterStrategy.NONE,
            retryable_error_types=[TransientError],
        )
    )
    return ctx.step(works_from(2, TransientError), config=StepConfig(retry_strategy=strategy))


@requirement("1-17", crashes=True)
@durable_execution
def interrupted_once(event, ctx: DurableContext):
    console.listen()

    def crash(step):
        step.logger.info("about to crash: %s", event)
        os._exit(1)

    config = StepConfig(retry_strategy=RetryPresets.none(), step_semantics=StepSemantics.AT_MOST_ONCE_PER_RETRY)
    return ctx.step(crash, name="at_most_once_flaky_step", config=config)


@requirement("1-19")
@durable_execution
def fails_for_good(event, ctx: DurableContext):
    return ctx.step(works_from(9), config=StepConfig(retry_strategy=RetryPresets.none()))
