"""Steps and waits."""

from __future__ import annotations

import datetime
import decimal
import uuid
from typing import Any

from tests.compat.scenarios.registry import Boom, caught, no_retry, retries, scenario, seconds


@scenario()
def three_steps(sdk: Any, event: Any, ctx: Any) -> Any:
    return [ctx.step(lambda _, n=n: {"n": n, "half": n / 2}, f"step {n}") for n in range(3)]


@scenario()
def unnamed_steps(sdk: Any, event: Any, ctx: Any) -> Any:
    @sdk.top.durable_step
    def add(step: Any, left: int, right: int = 1) -> int:
        return left + right + step.attempt

    def plain(_: Any) -> str:
        return "plain"

    return [ctx.step(add(1)), ctx.step(add(1, right=5)), ctx.step(plain), ctx.step(add(2), name="named")]


@scenario()
def values_of_every_kind(sdk: Any, event: Any, ctx: Any) -> Any:
    values: list[Any] = [
        None,
        True,
        0,
        -(2**70),
        1.5,
        -0.0,
        1e22,
        1e-7,
        "",
        'quo"te \\ \n \x7f é 😀 \ud800',
        b"\x00\xff",
        [],
        [1, [2.0, "x", None]],
        {},
        {"a": {"b": [1, {"c": ()}]}},
        (1, (2, [3])),
        {2: "int", 1.5: "float", None: "none", True: "bool"},
        decimal.Decimal("1.50"),
        uuid.UUID("12345678-1234-5678-1234-567812345678"),
        datetime.datetime(2024, 1, 2, 3, 4, 5, 678, tzinfo=datetime.UTC),
        datetime.date(2024, 2, 29),
        {"t": "m", "v": 1},
        [{"nested": [datetime.date(2024, 1, 1)]}],
    ]
    return [repr(ctx.step(lambda _, value=value: value, "value")) for value in values]


@scenario(own_words=True)
def values_that_cannot_be_stored(sdk: Any, event: Any, ctx: Any) -> Any:
    found = []
    for value in ({1, 2}, object(), {(1, 2): 3}, [datetime.time(1)]):
        outcome = caught(lambda value=value: ctx.step(lambda _: value, "value", no_retry(sdk)))
        found.append([outcome["class"], outcome["error_type"]])
    return found


@scenario()
def step_fails_for_good(sdk: Any, event: Any, ctx: Any) -> Any:
    def boom(_: Any) -> None:
        raise Boom("it broke")

    first = caught(lambda: ctx.step(boom, "boom", no_retry(sdk)))
    ctx.wait(seconds(sdk, 1))
    return [first, ctx.step(lambda _: "after", "after")]


@scenario()
def step_fails_uncaught(sdk: Any, event: Any, ctx: Any) -> Any:
    def boom(_: Any) -> None:
        raise ValueError("no such order")

    ctx.step(boom, "boom", no_retry(sdk))


@scenario()
def step_is_retried(sdk: Any, event: Any, ctx: Any) -> Any:
    def flaky(step: Any) -> str:
        if step.attempt < 3:
            raise Boom(f"attempt {step.attempt}")
        return f"attempt {step.attempt}"

    config = sdk.config.StepConfig(retry_strategy=retries(sdk, 5, initial_delay=seconds(sdk, 2)))
    return [ctx.step(flaky, "flaky", config), ctx.step(lambda step: step.attempt, "next")]


@scenario()
def step_runs_out_of_attempts(sdk: Any, event: Any, ctx: Any) -> Any:
    def hopeless(step: Any) -> str:
        raise ConnectionError(f"attempt {step.attempt}")

    config = sdk.config.StepConfig(retry_strategy=retries(sdk, 3))
    return caught(lambda: ctx.step(hopeless, "hopeless", config))


@scenario()
def only_some_errors_are_retried(sdk: Any, event: Any, ctx: Any) -> Any:
    def raises(error: Exception) -> Any:
        def body(step: Any) -> int:
            if step.attempt < 2:
                raise error
            return int(step.attempt)

        return body

    by_type = sdk.config.StepConfig(retry_strategy=retries(sdk, 3, retryable_error_types=[KeyError]))
    by_text = sdk.config.StepConfig(retry_strategy=retries(sdk, 3, retryable_errors=["throttled"]))
    return [
        caught(lambda: ctx.step(raises(KeyError("k")), "key", by_type)),
        caught(lambda: ctx.step(raises(ValueError("v")), "value", by_type)),
        caught(lambda: ctx.step(raises(OSError("was throttled")), "text", by_text)),
        caught(lambda: ctx.step(raises(OSError("gone")), "other text", by_text)),
    ]


@scenario()
def linear_and_fixed_retries(sdk: Any, event: Any, ctx: Any) -> Any:
    def fails_twice(step: Any) -> int:
        if step.attempt < 3:
            raise Boom("again")
        return int(step.attempt)

    presets = sdk.retries.RetryPresets
    return [
        ctx.step(fails_twice, "linear", sdk.config.StepConfig(retry_strategy=presets.linear())),
        ctx.step(fails_twice, "fixed", sdk.config.StepConfig(retry_strategy=presets.fixed(seconds(sdk, 7)))),
        ctx.step(fails_twice, "critical", sdk.config.StepConfig(retry_strategy=presets.critical())),
    ]


@scenario()
def at_most_once(sdk: Any, event: Any, ctx: Any) -> Any:
    semantics = sdk.config.StepSemantics.AT_MOST_ONCE_PER_RETRY
    config = sdk.config.StepConfig(step_semantics=semantics, retry_strategy=retries(sdk, 2))

    def fails_once(step: Any) -> int:
        if step.attempt < 2:
            raise Boom("once")
        return int(step.attempt)

    return [ctx.step(lambda _: "done", "plain", config), ctx.step(fails_once, "retried", config)]


@scenario()
def custom_sub_type(sdk: Any, event: Any, ctx: Any) -> Any:
    return ctx.step(lambda _: 1, "typed", sdk.config.StepConfig(sub_type="Payment"))


@scenario(own_words=True)
def custom_serdes(sdk: Any, event: Any, ctx: Any) -> Any:
    class Upper(sdk.serdes.SerDes):  # type: ignore[misc]  # the base is known when the scenario runs
        def serialize(self, value: Any, context: Any) -> str:
            return str(value).upper()

        def deserialize(self, data: str, context: Any) -> Any:
            return data + "!"

    class Nothing(sdk.serdes.SerDes):  # type: ignore[misc]  # the base is known when the scenario runs
        def serialize(self, value: Any, context: Any) -> Any:
            return None

        def deserialize(self, data: str, context: Any) -> Any:
            return "never"

    class Broken(sdk.serdes.SerDes):  # type: ignore[misc]  # the base is known when the scenario runs
        def serialize(self, value: Any, context: Any) -> str:
            raise KeyError("broken")

        def deserialize(self, data: str, context: Any) -> Any:
            return data

    config = sdk.config.StepConfig
    broken = caught(lambda: ctx.step(lambda _: "x", "broken", config(serdes=Broken())))
    found = [
        ctx.step(lambda _: "abc", "upper", config(serdes=Upper())),
        ctx.step(lambda _: "abc", "nothing", config(serdes=Nothing())),
        ctx.step(lambda _: {"a": 1}, "json", config(serdes=sdk.serdes.JsonSerDes())),
        ctx.step(lambda _: "raw", "raw", config(serdes=sdk.serdes.PassThroughSerDes())),
        [broken["class"], broken["error_type"]],
    ]
    ctx.wait(seconds(sdk, 1), "look again")
    return found


@scenario()
def waits_between_steps(sdk: Any, event: Any, ctx: Any) -> Any:
    found = []
    for number in range(3):
        found.append(ctx.step(lambda _, number=number: number, f"step {number}"))
        ctx.wait(seconds(sdk, 60 + number), f"wait {number}" if number else None)
    return found


@scenario()
def bad_waits(sdk: Any, event: Any, ctx: Any) -> Any:
    outcome = caught(lambda: ctx.wait(seconds(sdk, 0)))
    ctx.wait(seconds(sdk, 1), "the first id")
    return outcome["class"]


@scenario()
def replay_flag(sdk: Any, event: Any, ctx: Any) -> Any:
    before = ctx.is_replaying()
    flags = [ctx.step(lambda _, before=before: before, "at the start")]
    ctx.wait(seconds(sdk, 1))
    flags.append(ctx.step(lambda _: ctx.is_replaying(), "after the wait"))
    return flags
