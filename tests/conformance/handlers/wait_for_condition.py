"""Suite 6: conditions."""

from __future__ import annotations

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.config import Duration, JitterStrategy
from durable_execution_sdk.serdes import SerDes
from durable_execution_sdk.waits import (
    WaitForConditionConfig,
    WaitForConditionDecision,
    WaitStrategyConfig,
    create_wait_strategy,
)
from tests.conformance.handlers import requirement


def until(stops):
    def decide(state, attempts):
        return (
            WaitForConditionDecision.stop_polling()
            if stops(state)
            else WaitForConditionDecision.continue_waiting(Duration.from_seconds(1))
        )

    return decide


def count_to(limit, start=0):
    return WaitForConditionConfig(until(lambda state: state >= limit), start)


def increment(state, _):
    return state + 1


@requirement("6-1")
@durable_execution
def counts(event, ctx: DurableContext):
    return ctx.wait_for_condition(increment, count_to(event))


@requirement("6-3")
@durable_execution
def named(event, ctx: DurableContext):
    return ctx.wait_for_condition(increment, count_to(2), name="poll-status")


@requirement("6-5")
@durable_execution
def fixed_delay(event, ctx: DurableContext):
    strategy = create_wait_strategy(
        WaitStrategyConfig(
            should_continue_polling=lambda state: state < event,
            initial_delay=Duration.from_seconds(2),
            backoff_rate=1,
            jitter_strategy=JitterStrategy.NONE,
        )
    )
    return ctx.wait_for_condition(increment, WaitForConditionConfig(strategy, 0))


@requirement("6-7")
@durable_execution
def check_raises(event, ctx: DurableContext):
    def check(state, _):
        raise ValueError("the check does not work")

    return ctx.wait_for_condition(check, count_to(1))


@requirement("6-9")
@durable_execution
def object_as_state(event, ctx: DurableContext):
    def check(state, _):
        attempts = state["attempts"] + 1
        return {"status": "DONE" if attempts == 2 else state["status"], "attempts": attempts}

    config = WaitForConditionConfig(
        until(lambda state: state["status"] != "PENDING"), {"status": "PENDING", "attempts": 0}
    )
    return ctx.wait_for_condition(check, config)


class Bracketed(SerDes):
    def serialize(self, value, serdes_context):
        return f"<{value}>"

    def deserialize(self, data, serdes_context):
        return data.removeprefix("<").removesuffix(">")


@requirement("6-11")
@durable_execution
def state_serdes(event, ctx: DurableContext):
    config = WaitForConditionConfig(until(lambda state: len(state) == 2), "", serdes=Bracketed())
    return ctx.wait_for_condition(lambda state, _: state + "x", config)


@requirement("6-13")
@durable_execution
def one_after_the_other(event, ctx: DurableContext):
    first = ctx.wait_for_condition(increment, count_to(2))
    return ctx.wait_for_condition(increment, count_to(4, first))
