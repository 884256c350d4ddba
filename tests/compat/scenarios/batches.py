"""Map and parallel."""

from __future__ import annotations

from typing import Any

from tests.compat.scenarios.registry import Boom, caught, no_retry, retries, scenario, seconds


def told(batch: Any) -> Any:
    """All that a batch result says."""
    return {
        "items": [
            [
                item.index,
                item.status.value,
                item.result,
                None if item.error is None else [item.error.type, item.error.message],
            ]
            for item in batch.all
        ],
        "reason": batch.completion_reason.value,
        "status": batch.status.value,
        "counts": [batch.success_count, batch.failure_count, batch.started_count, batch.total_count],
        "thrown": caught(batch.throw_if_error),
    }


def one_step(child: Any, item: Any, index: int, items: Any) -> Any:
    return child.step(lambda _: item * 10 + index, "times ten")


@scenario()
def map_of_steps(sdk: Any, event: Any, ctx: Any) -> Any:
    batch = ctx.map([1, 2, 3], one_step, "map")
    ctx.wait(seconds(sdk, 1), "look again")
    return told(batch)


@scenario()
def map_one_at_a_time(sdk: Any, event: Any, ctx: Any) -> Any:
    config = sdk.config.MapConfig(max_concurrency=1, item_namer=lambda item, index: f"order {item} at {index}")
    return told(ctx.map([1, 2, 3], one_step, "map", config))


@scenario()
def map_flat(sdk: Any, event: Any, ctx: Any) -> Any:
    config = sdk.config.MapConfig(max_concurrency=1, nesting_type=sdk.config.NestingType.FLAT)
    batch = ctx.map([1, 2, 3], one_step, "flat", config)
    ctx.wait(seconds(sdk, 1), "look again")
    return told(batch)


@scenario()
def map_of_nothing(sdk: Any, event: Any, ctx: Any) -> Any:
    return [told(ctx.map([], one_step, "empty")), told(ctx.parallel([], "empty too"))]


@scenario()
def map_with_waits(sdk: Any, event: Any, ctx: Any) -> Any:
    def item(child: Any, value: int, index: int, items: Any) -> Any:
        first = child.step(lambda _: value, "before")
        child.wait(seconds(sdk, 10 * (index + 1)), "wait")
        return first + child.step(lambda _: 100, "after")

    return told(ctx.map([1, 2, 3], item, "map"))


@scenario()
def map_with_failures_tolerated(sdk: Any, event: Any, ctx: Any) -> Any:
    def item(child: Any, value: int, index: int, items: Any) -> Any:
        if value % 2:
            raise Boom(f"odd {value}")
        return child.step(lambda _: value, "even")

    config = sdk.config.MapConfig(max_concurrency=1, completion_config=sdk.config.CompletionConfig.all_completed())
    batch = ctx.map([1, 2, 3, 4], item, "map", config)
    ctx.wait(seconds(sdk, 1), "look again")
    return told(batch)


@scenario()
def map_fails_fast(sdk: Any, event: Any, ctx: Any) -> Any:
    def item(child: Any, value: int, index: int, items: Any) -> Any:
        if value == 2:
            child.step(_boom, "boom", no_retry(sdk))
        return child.step(lambda _: value, "fine")

    batch = ctx.map([1, 2, 3, 4], item, "map", sdk.config.MapConfig(max_concurrency=1))
    ctx.wait(seconds(sdk, 1), "look again")
    return told(batch)


def _boom(_: Any) -> None:
    raise Boom("inside")


@scenario()
def map_until_enough(sdk: Any, event: Any, ctx: Any) -> Any:
    config = sdk.config.MapConfig(max_concurrency=1, completion_config=sdk.config.CompletionConfig(min_successful=2))
    batch = ctx.map([1, 2, 3, 4], one_step, "map", config)
    ctx.wait(seconds(sdk, 1), "look again")
    return told(batch)


@scenario()
def map_until_the_predicate_says_so(sdk: Any, event: Any, ctx: Any) -> Any:
    def enough(status: Any) -> Any:
        if status.completed_count >= 3:
            return sdk.config.complete_batch(sdk.config.CompletionOutcome.FAILED)
        return sdk.config.continue_batch()

    config = sdk.config.MapConfig(
        max_concurrency=1, completion_config=sdk.config.CompletionConfig(should_complete=enough)
    )
    batch = ctx.map([1, 2, 3, 4], one_step, "map", config)
    ctx.wait(seconds(sdk, 1), "look again")
    return told(batch)


@scenario()
def map_items_are_retried(sdk: Any, event: Any, ctx: Any) -> Any:
    config = sdk.config.StepConfig(retry_strategy=retries(sdk, 3))

    def item(child: Any, value: int, index: int, items: Any) -> Any:
        def flaky(step: Any) -> Any:
            if step.attempt <= index:
                raise Boom(f"attempt {step.attempt}")
            return [value, step.attempt]

        return child.step(flaky, "flaky", config)

    return told(ctx.map([1, 2, 3], item, "map", sdk.config.MapConfig(max_concurrency=1)))


@scenario()
def map_with_a_large_result(sdk: Any, event: Any, ctx: Any) -> Any:
    def item(child: Any, value: int, index: int, items: Any) -> Any:
        return child.step(lambda _: str(value) * 100_000, "large")

    config = sdk.config.MapConfig(max_concurrency=1, summary_generator=lambda batch: f"S{batch.total_count}")
    batch = ctx.map([1, 2, 3], item, "map", config)
    ctx.wait(seconds(sdk, 1), "look again")
    return [[len(result) for result in batch.get_results()], batch.completion_reason.value]


@scenario()
def parallel_branches(sdk: Any, event: Any, ctx: Any) -> Any:
    @sdk.top.durable_parallel_branch("named")
    def named(child: Any, value: int) -> Any:
        return child.step(lambda _: value, "in named")

    branches = [
        lambda child: child.step(lambda _: "a", "in a"),
        sdk.config.ParallelBranch(lambda child: child.step(lambda _: "b", "in b"), "branch b"),
        named(7),
    ]
    batch = ctx.parallel(branches, "parallel", sdk.config.ParallelConfig(max_concurrency=1))
    ctx.wait(seconds(sdk, 1), "look again")
    return told(batch)


@scenario()
def parallel_first_to_succeed(sdk: Any, event: Any, ctx: Any) -> Any:
    config = sdk.config.ParallelConfig(
        max_concurrency=1, completion_config=sdk.config.CompletionConfig.first_successful()
    )

    def fails(child: Any) -> Any:
        raise Boom("first fails")

    batch = ctx.parallel([fails, lambda child: "second", lambda child: "third"], "race", config)
    ctx.wait(seconds(sdk, 1), "look again")
    return told(batch)


@scenario()
def parallel_fails(sdk: Any, event: Any, ctx: Any) -> Any:
    def fails(child: Any) -> Any:
        return child.run_in_child_context(lambda deep: deep.step(_boom, "boom", no_retry(sdk)), "inner")

    batch = ctx.parallel([fails, lambda child: 2], "parallel", sdk.config.ParallelConfig(max_concurrency=1))
    batch.throw_if_error()


@scenario()
def nested_batches(sdk: Any, event: Any, ctx: Any) -> Any:
    def outer(child: Any, value: int, index: int, items: Any) -> Any:
        inner = child.map([value, value + 1], one_step, "inner", sdk.config.MapConfig(max_concurrency=1))
        child.wait(seconds(sdk, 5), "wait")
        return inner.get_results()

    return told(ctx.map([1, 5], outer, "outer", sdk.config.MapConfig(max_concurrency=1)))


@scenario()
def batch_result_through_a_step(sdk: Any, event: Any, ctx: Any) -> Any:
    batch = ctx.map([1, 2], one_step, "map", sdk.config.MapConfig(max_concurrency=1))
    again = ctx.step(lambda _: batch, "keep")
    return told(again)


@scenario()
def bad_batches(sdk: Any, event: Any, ctx: Any) -> Any:
    found = [
        caught(lambda: sdk.config.MapConfig(max_concurrency=0)),
        caught(lambda: sdk.config.CompletionConfig(min_successful=0)),
        caught(
            lambda: ctx.map(
                [1],
                one_step,
                "m",
                sdk.config.MapConfig(completion_config=sdk.config.CompletionConfig(min_successful=2)),
            )
        ),
    ]
    ctx.step(lambda _: 1, "the first id")
    return [outcome["class"] for outcome in found]
