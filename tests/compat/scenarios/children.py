"""Child contexts and retried blocks."""

from __future__ import annotations

from typing import Any

from tests.compat.scenarios.registry import Boom, caught, no_retry, retries, scenario, seconds


def boom(_: Any) -> None:
    raise Boom("inside")


@scenario()
def child_with_steps(sdk: Any, event: Any, ctx: Any) -> Any:
    def body(child: Any) -> Any:
        first = child.step(lambda _: 1, "first")
        child.wait(seconds(sdk, 5), "in between")
        return {"sum": first + child.step(lambda _: 2, "second"), "virtual": child.is_virtual}

    return [ctx.run_in_child_context(body, "child"), ctx.step(lambda _: "after", "after")]


@scenario()
def nested_children(sdk: Any, event: Any, ctx: Any) -> Any:
    def level(depth: int) -> Any:
        def body(child: Any) -> Any:
            mine = [child.step(lambda _: depth, f"step {depth}")]
            if depth:
                mine.append(child.run_in_child_context(level(depth - 1), f"level {depth - 1}"))
            child.wait(seconds(sdk, 1 + depth), f"wait {depth}")
            return mine

        return body

    return ctx.run_in_child_context(level(3), "level 3")


@scenario()
def decorated_child(sdk: Any, event: Any, ctx: Any) -> Any:
    @sdk.top.durable_with_child_context
    def settle(child: Any, order: str, *, cents: int) -> Any:
        return child.step(lambda _: f"{order} {cents}")

    return [ctx.run_in_child_context(settle("A", cents=5)), ctx.run_in_child_context(settle("B", cents=6), "named")]


@scenario()
def child_fails(sdk: Any, event: Any, ctx: Any) -> Any:
    def plain(_: Any) -> None:
        raise ValueError("plain")

    def through_step(child: Any) -> None:
        child.step(boom, "boom", no_retry(sdk))

    def through_child(child: Any) -> None:
        child.run_in_child_context(through_step, "inner")

    found = [
        caught(lambda body=body: ctx.run_in_child_context(body, body.__name__))
        for body in (plain, through_step, through_child)
    ]
    ctx.wait(seconds(sdk, 1), "look again")
    return found


@scenario()
def child_fails_uncaught(sdk: Any, event: Any, ctx: Any) -> Any:
    ctx.run_in_child_context(lambda child: child.step(boom, "boom", no_retry(sdk)), "child")


@scenario()
def virtual_child(sdk: Any, event: Any, ctx: Any) -> Any:
    config = sdk.config.ChildConfig(is_virtual=True)

    def body(child: Any) -> Any:
        first = child.step(lambda _: "first", "first")
        child.wait(seconds(sdk, 1), "wait")
        inner = child.run_in_child_context(lambda deep: [deep.is_virtual, deep.step(lambda _: 1, "deep")], "inner")
        return {"first": first, "inner": inner, "virtual": child.is_virtual}

    failed = caught(lambda: ctx.run_in_child_context(boom, "failing", config))
    return [ctx.run_in_child_context(body, "virtual", config), failed, ctx.step(lambda _: "after", "after")]


@scenario()
def large_child_result(sdk: Any, event: Any, ctx: Any) -> Any:
    def body(child: Any) -> Any:
        part = child.step(lambda _: "x" * 150_000, "half")
        return [part, child.step(lambda _: "y" * 150_000, "other half")]

    summarised = sdk.config.ChildConfig(summary_generator=lambda result: f"{len(result)} halves")
    first = ctx.run_in_child_context(body, "large")
    second = ctx.run_in_child_context(body, "summarised", summarised)
    ctx.wait(seconds(sdk, 1), "look again")
    return [[len(part) for part in first], [len(part) for part in second]]


@scenario()
def child_serdes_and_sub_type(sdk: Any, event: Any, ctx: Any) -> Any:
    config = sdk.config.ChildConfig(serdes=sdk.serdes.JsonSerDes(), sub_type="Settlement")
    found = ctx.run_in_child_context(lambda child: {"n": child.step(lambda _: 1, "one")}, "typed", config)
    ctx.wait(seconds(sdk, 1))
    return found


@scenario()
def retried_block(sdk: Any, event: Any, ctx: Any) -> Any:
    def body(inner: Any, attempt: int) -> Any:
        inner.step(lambda _: attempt, f"attempt {attempt}")
        if attempt < 3:
            raise Boom(f"attempt {attempt}")
        return attempt

    config = sdk.retries.WithRetryConfig(retry_strategy=retries(sdk, 4))
    return [sdk.retries.with_retry(ctx, body, config, "block"), ctx.step(lambda _: "after", "after")]


@scenario()
def retried_block_gives_up(sdk: Any, event: Any, ctx: Any) -> Any:
    def body(inner: Any, attempt: int) -> Any:
        raise Boom(f"attempt {attempt}")

    wrapped = sdk.retries.WithRetryConfig(retry_strategy=retries(sdk, 2))
    bare = sdk.retries.WithRetryConfig(retry_strategy=retries(sdk, 2), wrap_with_run_in_child_context=False)
    return [
        caught(lambda: sdk.retries.with_retry(ctx, body, wrapped, "wrapped")),
        caught(lambda: sdk.retries.with_retry(ctx, body, bare, "bare")),
        caught(lambda: sdk.retries.with_retry(ctx, body, bare)),
    ]
