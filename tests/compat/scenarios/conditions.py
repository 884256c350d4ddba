"""Polling until a condition holds."""

from __future__ import annotations

from typing import Any

from tests.compat.scenarios.registry import Boom, caught, scenario, seconds


def strategy(sdk: Any, until: int, **options: Any) -> Any:
    config = sdk.waits.WaitStrategyConfig(
        should_continue_polling=lambda state: state["n"] < until,
        jitter_strategy=sdk.config.JitterStrategy.NONE,
        **options,
    )
    return sdk.waits.create_wait_strategy(config)


def count(state: Any, _: Any) -> Any:
    return {"n": state["n"] + 1}


@scenario()
def condition_met_at_once(sdk: Any, event: Any, ctx: Any) -> Any:
    config = sdk.waits.WaitForConditionConfig(wait_strategy=strategy(sdk, 1), initial_state={"n": 0})
    return [ctx.wait_for_condition(count, config), ctx.step(lambda _: "after", "after")]


@scenario()
def condition_met_later(sdk: Any, event: Any, ctx: Any) -> Any:
    config = sdk.waits.WaitForConditionConfig(
        wait_strategy=strategy(sdk, 4, initial_delay=seconds(sdk, 3), backoff_rate=2.0), initial_state={"n": 0}
    )
    return [ctx.wait_for_condition(count, config, "polling"), ctx.step(lambda _: "after", "after")]


@scenario()
def condition_by_hand(sdk: Any, event: Any, ctx: Any) -> Any:
    decision = sdk.waits.WaitForConditionDecision

    def decide(state: Any, attempt: int) -> Any:
        if state[-1] >= 2:
            return decision.stop_polling()
        return decision.continue_waiting(seconds(sdk, 10 * attempt))

    config = sdk.waits.WaitForConditionConfig(wait_strategy=decide, initial_state=(0,), serdes=sdk.serdes.JsonSerDes())
    return ctx.wait_for_condition(lambda state, _: [*state, state[-1] + 1], config, "by hand")


@scenario()
def condition_check_fails(sdk: Any, event: Any, ctx: Any) -> Any:
    def check(state: Any, _: Any) -> Any:
        if state["n"] == 1:
            raise Boom("cannot look")
        return count(state, None)

    config = sdk.waits.WaitForConditionConfig(wait_strategy=strategy(sdk, 4), initial_state={"n": 0})
    return caught(lambda: ctx.wait_for_condition(check, config, "polling"))


@scenario(own_words=True)
def condition_runs_out_of_attempts(sdk: Any, event: Any, ctx: Any) -> Any:
    config = sdk.waits.WaitForConditionConfig(wait_strategy=strategy(sdk, 99, max_attempts=3), initial_state={"n": 0})
    outcome = caught(lambda: ctx.wait_for_condition(count, config, "polling"))
    return outcome.get("class", outcome) if isinstance(outcome, dict) else outcome
