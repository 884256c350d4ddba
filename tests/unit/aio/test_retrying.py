"""with_retry in async handlers, and functions whose arguments are bound beforehand."""

from __future__ import annotations

from typing import Any

import pytest

from durable_execution_sdk import ChildContextError, StepError, ValidationError, WithRetryConfig, with_retry
from durable_execution_sdk._drivers.binding import durable_step, durable_wait_for_callback, durable_with_child_context
from durable_execution_sdk._model.config import StepConfig
from durable_execution_sdk._model.duration import Duration
from durable_execution_sdk._model.strategies import RetryDecision
from tests.unit.drivers.branches import result
from tests.unit.drivers.scenario import first, whole


def again(error: Exception, attempt: int) -> RetryDecision:
    return RetryDecision.retry(Duration(2)) if attempt < 3 else RetryDecision.no_retry()


ONCE = StepConfig(retry_strategy=lambda error, attempt: RetryDecision.no_retry())


def flaky(run: int, until: int) -> Any:
    def body(step: Any) -> int:
        if run < until:
            raise ValueError("not yet")
        return run

    return body


def plain_func(until: int) -> Any:
    def func(ctx: Any, run: int) -> Any:
        return ctx.step(flaky(run, until), f"try {run}", ONCE)

    return func


def native_func(until: int) -> Any:
    async def func(ctx: Any, run: int) -> Any:
        return await ctx.step(flaky(run, until), f"try {run}", ONCE)

    return func


def shape(service: Any) -> list[tuple[Any, ...]]:
    return sorted((u["Id"], u["Type"], u["Action"], u.get("Name"), u.get("ParentId")) for u in service.updates())


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("make", [native_func, plain_func])
@pytest.mark.parametrize("until", [1, 3])
def test_histories_are_those_of_def_handlers(wrapped: bool, make: Any, until: int) -> None:
    config: WithRetryConfig[Any] = WithRetryConfig(retry_strategy=again, wrap_with_run_in_child_context=wrapped)

    def plain(event: Any, ctx: Any) -> Any:
        return with_retry(ctx, plain_func(until), config, "ask")

    async def native(event: Any, ctx: Any) -> Any:
        return await with_retry(ctx, make(until), config, "ask")

    if make is plain_func and not wrapped:

        async def refused(event: Any, ctx: Any) -> None:
            with pytest.raises(ValidationError, match="takes an async def function"):
                with_retry(ctx, make(until), config, "ask")

        assert result(first(refused)[0]) is None
        return
    expected, service = whole(plain)
    output, other = whole(native)
    assert result(output) == result(expected) == until
    assert shape(other) == shape(service)


def test_giving_up_raises_what_def_handlers_get() -> None:
    async def handler(event: Any, ctx: Any) -> Any:
        with pytest.raises(ChildContextError, match="not yet"):
            await with_retry(ctx, native_func(9), WithRetryConfig(retry_strategy=again), "wrapped")
        bare: WithRetryConfig[Any] = WithRetryConfig(retry_strategy=again, wrap_with_run_in_child_context=False)
        with pytest.raises(StepError, match="not yet"):
            await with_retry(ctx, native_func(9), bare, "bare")
        return await with_retry(ctx, lambda inner, run: inner.step(lambda step: run), bare)

    assert result(whole(handler)[0]) == 1


def test_bound_functions_keep_name_and_colour() -> None:
    @durable_step
    async def fetch(step: Any, value: int) -> int:
        return value

    @durable_with_child_context
    async def settle(child: Any, value: int) -> int:
        return int(await child.step(fetch(value)))

    @durable_with_child_context
    def settle_def(child: Any, value: int) -> int:
        return int(child.step(fetch(value)))

    @durable_wait_for_callback
    async def ask(callback_id: str, context: Any, whom: str) -> None:
        context.logger.info("asking %s", whom)

    async def handler(event: Any, ctx: Any) -> Any:
        found = [await ctx.run_in_child_context(settle(1)), await ctx.run_in_child_context(settle_def(2))]
        asked = ctx.wait_for_callback(ask("ann"))
        await ctx.wait(Duration(1))
        asked.cancel()
        return found

    output, service = whole(handler)
    assert result(output) == [1, 2]
    names = {u["Name"] for u in service.updates() if u["Type"] == "CONTEXT" and "Name" in u}
    assert names == {"settle", "settle_def", "ask"}
