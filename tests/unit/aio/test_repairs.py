"""What went wrong once under `async def` handlers."""

from __future__ import annotations

import asyncio
import functools
import gc
import threading
from typing import Any

import pytest

from durable_execution_sdk import StepError
from durable_execution_sdk._drivers.bodies import is_async
from durable_execution_sdk._drivers.invocation import DurableFunction
from durable_execution_sdk._model.config import StepConfig
from durable_execution_sdk._model.duration import Duration
from durable_execution_sdk.retries import RetryPresets
from tests.support.fake_service import FakeService
from tests.unit.drivers.scenario import first, sent, whole


def test_ctrl_c_does_not_stop_the_next_invocation() -> None:
    async def interrupted(got: Any, ctx: Any) -> None:
        raise KeyboardInterrupt

    async def handler(got: Any, ctx: Any) -> Any:
        return await ctx.step(lambda step: 1)

    with pytest.raises(KeyboardInterrupt):
        first(interrupted)
    assert first(handler)[0] == {"Status": "SUCCEEDED", "Result": "1"}


def test_ctrl_c_is_raised_and_not_logged_as_well(caplog: pytest.LogCaptureFixture) -> None:
    async def interrupted(got: Any, ctx: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first(interrupted)
    gc.collect()
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []


def test_an_async_generator_may_be_left_half_way() -> None:
    closed = []

    async def numbers() -> Any:
        try:
            for number in range(3):
                yield number
        finally:
            closed.append(True)

    async def handler(got: Any, ctx: Any) -> Any:
        async for number in numbers():
            if number == 1:
                break
        gc.collect()
        await asyncio.sleep(0)  # the loop closes it in the next turn
        await asyncio.sleep(0)
        return await ctx.step(lambda step: len(closed))

    assert first(handler)[0] == {"Status": "SUCCEEDED", "Result": "1"}


def test_errors_have_no_context_of_the_sdk_s_own() -> None:
    async def handler(got: Any, ctx: Any) -> Any:
        try:
            await ctx.step(lambda step: 1 / 0, config=StepConfig(retry_strategy=RetryPresets.none()))
        except StepError as error:
            return repr(error.__context__)

    assert first(handler)[0]["Result"] == '"None"'


@pytest.mark.parametrize("body", ["def", "async"])
def test_a_step_that_takes_a_moment_is_one_request(body: str) -> None:
    """While a body runs the loop is idle; its START waits for the end of the body nevertheless."""

    def on_a_thread(step: Any) -> str:
        return "done"

    async def on_the_loop(step: Any) -> str:
        return await asyncio.get_running_loop().run_in_executor(None, on_a_thread, step)

    async def handler(got: Any, ctx: Any) -> Any:
        work = on_a_thread if body == "def" else on_the_loop
        return [await ctx.step(work, name) for name in ("a", "b", "c")]

    output, service = first(handler)
    assert output["Status"] == "SUCCEEDED"
    assert sent(service) == [[("STEP", "START", name), ("STEP", "SUCCEED", name)] for name in ("a", "b", "c")]


def test_a_long_step_s_start_is_sent_while_it_runs() -> None:
    seen = threading.Event()

    async def handler(got: Any, ctx: Any) -> Any:
        return await ctx.step(lambda step: seen.wait(30), "long")

    class Watched(FakeService):
        def checkpoint(self, arn: Any, request: Any) -> Any:
            seen.set()
            return super().checkpoint(arn, request)

    output, service = first(handler, Watched())
    assert output["Result"] == "true"
    assert sent(service) == [[("STEP", "START", "long")], [("STEP", "SUCCEED", "long")]]


def test_the_colour_of_a_function_is_that_of_its_outside() -> None:
    def plain(step: Any) -> int:
        return 1

    @functools.wraps(plain)
    async def around(*args: Any) -> int:
        return plain(*args)

    async def coroutine(step: Any) -> int:
        return 1

    @functools.wraps(coroutine)
    def through(*args: Any) -> Any:
        return coroutine(*args)

    assert is_async(around)
    assert is_async(through)
    assert not is_async(plain)


@pytest.mark.parametrize("asked", [True, False])
def test_a_callback_may_be_answered_long_before_its_result_is_asked_for(asked: bool) -> None:
    async def handler(got: Any, ctx: Any) -> Any:
        callback = await ctx.create_callback("cb")
        for _ in range(3):
            await ctx.wait(Duration(1))
        return await callback.result() if asked else "not asked"

    service = FakeService()
    assert first(handler, service)[0] == {"Status": "PENDING"}
    [key] = [op["CallbackId"] for op in service.operations.values() if "CallbackId" in op]
    service.complete_callback(key, result="yes")
    output, service = whole(handler, service)
    assert output == {"Status": "SUCCEEDED", "Result": '"yes"' if asked else '"not asked"'}
    assert service.invoke(DurableFunction(handler)) == output


def test_what_a_cancelled_operation_has_on_its_way_fails_nothing() -> None:
    """The step's end is acknowledged after its promise was cancelled: nobody starts it again, and nobody misses it."""

    async def handler(got: Any, ctx: Any) -> Any:
        step = ctx.step(lambda step: 1, "slow")
        await ctx.step(lambda step: 2, "quick")
        step.cancel()
        await ctx.wait(Duration(1))
        await ctx.wait(Duration(1))
        return "went on"

    assert whole(handler)[0]["Result"] == '"went on"'
