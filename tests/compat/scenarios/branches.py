"""Map and parallel in depth: every completion rule, both nestings, and every operation inside a branch."""

from __future__ import annotations

import json
import threading
from typing import Any

from tests.compat.scenarios.batches import told
from tests.compat.scenarios.registry import Boom, caught, no_retry, retries, scenario, seconds
from tests.compat.service import Outcome, Script


def even(child: Any, value: int, index: int, items: Any) -> Any:
    """Fails on odd values, after a step."""
    child.step(lambda _: value, "looked at")
    if value % 2:
        raise Boom(f"odd {value}")
    return value


def look_again(sdk: Any, ctx: Any, batch: Any) -> Any:
    """What a batch says, in an invocation that replays it."""
    ctx.wait(seconds(sdk, 1), "look again")
    return told(batch)


@scenario()
def every_completion_rule(sdk: Any, event: Any, ctx: Any) -> Any:
    rule = sdk.config.CompletionConfig
    rules = [
        rule(),
        rule.all_completed(),
        rule.all_successful(),
        rule.first_successful(),
        rule(min_successful=3),
        rule(min_successful=2, tolerated_failure_count=0),
        rule(tolerated_failure_count=1),
        rule(tolerated_failure_count=3),
        rule(tolerated_failure_percentage=20),
        rule(tolerated_failure_percentage=40.0),
        rule(min_successful=5, tolerated_failure_percentage=100),
    ]
    found = [
        told(ctx.map([2, 1, 4, 3, 6], even, f"rule {n}", sdk.config.MapConfig(1, one))) for n, one in enumerate(rules)
    ]
    ctx.wait(seconds(sdk, 1), "look again")
    return found


@scenario()
def all_at_once(sdk: Any, event: Any, ctx: Any) -> Any:
    rule = sdk.config.CompletionConfig.all_completed()
    config = sdk.config.MapConfig(completion_config=rule)
    return look_again(sdk, ctx, ctx.map(list(range(30)), even, "all at once", config))


@scenario()
def two_at_a_time(sdk: Any, event: Any, ctx: Any) -> Any:
    rule = sdk.config.CompletionConfig.all_completed()
    return look_again(sdk, ctx, ctx.map(list(range(9)), even, "two", sdk.config.MapConfig(2, rule)))


@scenario()
def more_branches_than_a_request_holds(sdk: Any, event: Any, ctx: Any) -> Any:
    batch = ctx.map(list(range(300)), lambda child, value, index, items: value, "many")
    return [batch.success_count, sum(batch.get_results())]


@scenario()
def flat_with_failures(sdk: Any, event: Any, ctx: Any) -> Any:
    config = sdk.config.MapConfig(
        1, sdk.config.CompletionConfig.all_completed(), nesting_type=sdk.config.NestingType.FLAT
    )
    return look_again(sdk, ctx, ctx.map([1, 2, 3], even, "flat", config))


@scenario()
def flat_with_waits_and_retries(sdk: Any, event: Any, ctx: Any) -> Any:
    options = sdk.config.StepConfig(retry_strategy=retries(sdk, 3))

    def item(child: Any, value: int, index: int, items: Any) -> Any:
        def flaky(step: Any) -> Any:
            if step.attempt <= index:
                raise Boom("again")
            return [value, step.attempt]

        found = child.step(flaky, "flaky", options)
        # Far apart also after the delays of 5 and 10 seconds: two that end together may or may not share an invocation.
        child.wait(seconds(sdk, (60, 30, 10)[index]), "wait")
        return found

    config = sdk.config.MapConfig(nesting_type=sdk.config.NestingType.FLAT)
    return told(ctx.map([30, 20, 10], item, "flat", config))


@scenario()
def flat_inside_flat(sdk: Any, event: Any, ctx: Any) -> Any:
    flat = sdk.config.MapConfig(nesting_type=sdk.config.NestingType.FLAT)

    def outer(child: Any, value: int, index: int, items: Any) -> Any:
        inner = child.map([value, value + 1], lambda deep, n, *rest: deep.step(lambda _: n * 2, "twice"), "inner", flat)
        child.wait(seconds(sdk, value * 10), "wait")
        return inner.get_results()

    return told(ctx.map([1, 5], outer, "outer", flat))


@scenario()
def nested_with_waits_at_every_level(sdk: Any, event: Any, ctx: Any) -> Any:
    def inner(child: Any, value: int, index: int, items: Any) -> Any:
        child.wait(seconds(sdk, value), "inner wait")
        return child.step(lambda _: value, "inner step")

    def outer(child: Any, value: int, index: int, items: Any) -> Any:
        found = child.map([value, value + 7], inner, "inner").get_results()
        child.wait(seconds(sdk, value), "outer wait")
        return found

    return told(ctx.map([3, 5, 4], outer, "outer"))


@scenario()
def a_slot_is_kept_while_suspended(sdk: Any, event: Any, ctx: Any) -> Any:
    def item(child: Any, value: int, index: int, items: Any) -> Any:
        child.wait(seconds(sdk, value), "wait")
        return index

    return told(ctx.map([40, 10, 20, 5], item, "slots", sdk.config.MapConfig(2)))


@scenario()
def the_predicate_sees_the_items(sdk: Any, event: Any, ctx: Any) -> Any:
    seen: list[Any] = []

    def enough(status: Any) -> Any:
        items = [[item.index, item.name, item.status and item.status.value] for item in status.items]
        seen.append([status.success_count, status.failure_count, status.completed_count, status.total_count, items])
        return sdk.config.complete_batch() if status.success_count == 2 else sdk.config.continue_batch()

    config = sdk.config.MapConfig(
        1,
        sdk.config.CompletionConfig(should_complete=enough),
        item_namer=lambda item, index: None if index == 1 else f"n{index}",
    )
    batch = ctx.map([1, 2, 4, 6], even, "map", config)
    # Recorded, for nobody asks the predicate of a batch whose end is recorded.
    return [told(batch), ctx.step(lambda _: seen, "seen")]


@scenario()
def the_predicate_of_an_empty_batch(sdk: Any, event: Any, ctx: Any) -> Any:
    def at_once(status: Any) -> Any:
        return sdk.config.complete_batch(sdk.config.CompletionOutcome.FAILED)

    rule = sdk.config.CompletionConfig(should_complete=at_once)
    none = told(ctx.map([], even, "none", sdk.config.MapConfig(completion_config=rule)))
    return [none, told(ctx.map([1, 2], even, "some", sdk.config.MapConfig(completion_config=rule)))]


@scenario()
def names_of_branches(sdk: Any, event: Any, ctx: Any) -> Any:
    branch = sdk.config.ParallelBranch
    ctx.parallel([branch(lambda child: 1, ""), branch(lambda child: 2), branch(lambda child: 3, "three")])

    @sdk.top.durable_with_child_context
    def bound(child: Any) -> int:
        return 4

    ctx.parallel([bound()], "bound")
    ctx.map([1], lambda *given: 1, "", sdk.config.MapConfig(item_namer=lambda item, index: ""))
    ctx.wait(seconds(sdk, 1), "look again")
    return None


@scenario()
def errors_of_every_kind_in_branches(sdk: Any, event: Any, ctx: Any) -> Any:
    def step_fails(child: Any) -> None:
        child.step(_boom, "boom", no_retry(sdk))

    def child_fails(child: Any) -> None:
        child.run_in_child_context(step_fails, "inner")

    def map_fails(child: Any) -> None:
        child.map([1], even, "inner map").throw_if_error()

    def plain(child: Any) -> None:
        raise KeyError("k")

    def of_the_sdk(child: Any) -> None:
        raise sdk.exceptions.CallbackError("by hand", "T", "data", ["frame"])

    rule = sdk.config.CompletionConfig.all_completed()
    bodies = [step_fails, child_fails, map_fails, plain, of_the_sdk]
    batch = ctx.parallel(bodies, "errors", sdk.config.ParallelConfig(1, rule))
    ctx.wait(seconds(sdk, 1), "look again")
    errors = [[item.error.type, item.error.message, item.error.data, item.error.stack_trace] for item in batch.all]
    return [told(batch), errors]


def _boom(_: Any) -> None:
    raise Boom("inside")


@scenario(sends_queued=True)
def an_execution_error_in_a_branch(sdk: Any, event: Any, ctx: Any) -> Any:
    def item(child: Any, value: int, index: int, items: Any) -> Any:
        raise sdk.exceptions.ExecutionError("stop everything")

    ctx.map([1], item, "map", sdk.config.MapConfig(1, sdk.config.CompletionConfig.all_completed()))


@scenario()
def code_of_the_user_s_that_fails_beside_the_branches(sdk: Any, event: Any, ctx: Any) -> Any:
    def broken(*given: Any) -> Any:
        raise Boom("broken")

    def large(child: Any, value: int, index: int, items: Any) -> Any:
        return child.step(lambda _: "x" * 140_000, "large")

    config = sdk.config.MapConfig
    found = [
        caught(lambda: ctx.map([1], even, "namer", config(item_namer=broken))),
        caught(lambda: ctx.map([1, 2], large, "summary", config(1, summary_generator=broken))),
        caught(
            lambda: ctx.map(
                [1], even, "rule", config(completion_config=sdk.config.CompletionConfig(should_complete=broken))
            )
        ),
    ]
    ctx.wait(seconds(sdk, 1), "look again")
    return found


@scenario(script=Script(callbacks={"approval": Outcome(result="yes")}, invokes={"price": Outcome(result="7")}))
def operations_that_wait_for_others(sdk: Any, event: Any, ctx: Any) -> Any:
    def approve(child: Any) -> Any:
        return child.create_callback("approval").result()

    def price(child: Any) -> Any:
        return child.invoke("price", {"of": "tea"}, "price")

    def wait(child: Any) -> Any:
        child.wait(seconds(sdk, 5), "wait")
        return "waited"

    return told(ctx.parallel([approve, price, wait], "others"))


@scenario()
def a_batch_in_a_retried_block(sdk: Any, event: Any, ctx: Any) -> Any:
    runs = sdk.retries.WithRetryConfig(retry_strategy=retries(sdk, 3))

    def block(child: Any, attempt: int) -> Any:
        batch = child.map([attempt, attempt + 1], even, f"run {attempt}", sdk.config.MapConfig(1))
        batch.throw_if_error()
        return batch.get_results()

    return caught(lambda: sdk.top.with_retry(ctx, block, runs, "retried"))


class Reversed:
    """A serdes of the user's own."""

    def serialize(self, value: Any, context: Any) -> str:
        return json.dumps(value)[::-1]

    def deserialize(self, text: str, context: Any) -> Any:
        return json.loads(text[::-1])


@scenario()
def serdes_of_items(sdk: Any, event: Any, ctx: Any) -> Any:
    class Items(Reversed, sdk.serdes.SerDes):  # type: ignore[name-defined,misc]  # the SDK is chosen at run time
        pass

    class Whole(sdk.serdes.SerDes):  # type: ignore[name-defined,misc]  # the SDK is chosen at run time
        def serialize(self, value: Any, context: Any) -> str:
            return json.dumps(value.to_dict() if hasattr(value, "to_dict") else value)

        def deserialize(self, text: str, context: Any) -> Any:
            data = json.loads(text)
            if isinstance(data, dict) and "all" in data:
                return sdk.top.BatchResult.from_dict(data)
            return data

    def tell(child: Any, value: int, index: int, items: Any) -> Any:
        return {"value": value}

    config = sdk.config.MapConfig
    batches = [
        ctx.map([1, 2], tell, "items", config(1, item_serdes=Items())),
        ctx.map([1, 2], tell, "whole", config(1, serdes=Whole())),
        ctx.map([1, 2], tell, "both", config(1, serdes=Whole(), item_serdes=Items())),
    ]
    ctx.wait(seconds(sdk, 1), "look again")
    return [told(batch) for batch in batches]


def _race(sdk: Any, ctx: Any, name: str, size: int, nesting: Any) -> Any:
    """One branch wins while another is suspended for an hour."""
    suspended = threading.Event()

    def waits(child: Any) -> None:
        try:
            child.wait(seconds(sdk, 3600), f"{name} an hour")
        finally:
            suspended.set()

    def wins(child: Any) -> Any:
        return child.step(lambda _: "w" * size if suspended.wait(30) else "late", f"{name} wins")

    config = sdk.config.ParallelConfig(
        completion_config=sdk.config.CompletionConfig.first_successful(), nesting_type=nesting
    )
    return ctx.parallel([waits, wins], name, config)


@scenario()
def a_race_leaves_a_branch_behind(sdk: Any, event: Any, ctx: Any) -> Any:
    batch = _race(sdk, ctx, "race", 3, sdk.config.NestingType.NESTED)
    flat = _race(sdk, ctx, "flat race", 3, sdk.config.NestingType.FLAT)
    ctx.wait(seconds(sdk, 1), "look again")
    return [told(batch), told(flat)]


@scenario()
def a_large_race_is_summarised(sdk: Any, event: Any, ctx: Any) -> Any:
    batch = _race(sdk, ctx, "race", 270_000, sdk.config.NestingType.NESTED)
    flat = _race(sdk, ctx, "flat race", 270_000, sdk.config.NestingType.FLAT)
    ctx.wait(seconds(sdk, 1), "look again")
    return [
        [[item.status.value, len(item.result or "")] for item in found.all] + [found.completion_reason.value]
        for found in (batch, flat)
    ]


@scenario()
def large_and_flat_with_failures(sdk: Any, event: Any, ctx: Any) -> Any:
    def item(child: Any, value: int, index: int, items: Any) -> Any:
        found = child.step(lambda _: str(value) * 100_000, "large")
        if value % 2:
            raise Boom(f"odd {value}")
        return found

    rule = sdk.config.CompletionConfig(min_successful=3)
    config = sdk.config.MapConfig(1, rule, nesting_type=sdk.config.NestingType.FLAT)
    batch = ctx.map([2, 1, 4, 6, 8], item, "large", config)
    ctx.wait(seconds(sdk, 1), "look again")
    return [[item.status.value, len(item.result or ""), item.error and item.error.message] for item in batch.all]


@scenario()
def a_large_branch_in_a_large_batch(sdk: Any, event: Any, ctx: Any) -> Any:
    def item(child: Any, value: int, index: int, items: Any) -> Any:
        return [child.step(lambda _: "x" * 150_000, f"part {part}") for part in range(2)]

    batch = ctx.map([1, 2], item, "large", sdk.config.MapConfig(1))
    ctx.wait(seconds(sdk, 1), "look again")
    return [len(part) for parts in batch.get_results() for part in parts]


@scenario()
def a_branch_goes_on_while_another_runs(sdk: Any, event: Any, ctx: Any) -> Any:
    resumed = threading.Event()

    def waits(child: Any) -> Any:
        child.wait(seconds(sdk, 1), "a second")
        resumed.set()
        return child.step(lambda _: "after", "after the wait")

    def runs(child: Any) -> Any:
        return child.step(lambda _: resumed.wait(30), "runs meanwhile")

    return told(ctx.parallel([waits, runs], "in process"))
