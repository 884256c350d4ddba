"""async def handlers: what is sent, what user code gets, and what is left behind."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from typing import Any

import pytest

from durable_execution_sdk import (
    CallbackExternalError,
    ChildContextError,
    DurablePromise,
    InvokeError,
    StepError,
    ValidationError,
)
from durable_execution_sdk._drivers.invocation import DurableFunction
from durable_execution_sdk._model.config import ChildConfig, StepConfig, StepSemantics
from durable_execution_sdk._model.duration import Duration
from durable_execution_sdk._model.strategies import RetryDecision, WaitForConditionConfig, WaitForConditionDecision
from tests.support.fake_service import Crash, FakeService
from tests.unit.drivers.scenario import first, sent, whole


def again(seconds: int = 1, attempts: int = 3) -> StepConfig:
    return StepConfig(
        retry_strategy=lambda error, attempt: (
            RetryDecision.retry(Duration(seconds)) if attempt < attempts else RetryDecision.no_retry()
        )
    )


async def five(step: Any) -> int:
    await asyncio.sleep(0)
    return 5


def result(output: dict[str, Any]) -> Any:
    import json

    assert output["Status"] == "SUCCEEDED", output
    return json.loads(output["Result"])


def test_a_step_is_one_request_and_a_replay_none() -> None:
    async def handler(event: Any, ctx: Any) -> int:
        return await ctx.step(five, name="five")

    output, service = whole(handler)
    assert result(output) == 5
    assert sent(service) == [[("STEP", "START", "five"), ("STEP", "SUCCEED", "five")]]
    before = len(service.requests)
    output, _ = first(handler, service)
    assert result(output) == 5
    assert len(service.requests) == before


def test_promises_are_futures() -> None:
    async def handler(event: Any, ctx: Any) -> Any:
        promise = ctx.step(five)
        assert isinstance(promise, DurablePromise)
        assert asyncio.isfuture(promise)
        assert promise.is_executed
        assert not promise.done()
        found = [await promise, await promise, promise.result()]
        done, _ = await asyncio.wait([ctx.step(five), ctx.step(five)])
        shielded = await asyncio.shield(ctx.step(five))
        return [*found, sorted(p.result() for p in done), shielded]

    assert result(whole(handler)[0]) == [5, 5, 5, [5, 5], 5]


def test_steps_retry_and_fail_as_in_def_handlers() -> None:
    async def flaky(step: Any) -> int:
        if step.attempt < 2:
            raise ValueError("not yet")
        return step.attempt

    def broken(step: Any) -> None:
        raise KeyError("gone")

    async def handler(event: Any, ctx: Any) -> Any:
        attempts = await ctx.step(flaky, name="flaky", config=again())
        with pytest.raises(StepError) as caught:
            await ctx.step(broken, name="broken", config=again(attempts=1))
        return [attempts, caught.value.error_type]

    output, service = whole(handler)
    assert result(output) == [2, "KeyError"]
    assert [entry[1] for request in sent(service) for entry in request if entry[2] == "flaky"] == [
        "START",
        "RETRY",
        "START",
        "SUCCEED",
    ]


def test_an_interrupted_at_most_once_step_does_not_run_again() -> None:
    ran: list[int] = []

    async def once(step: Any) -> None:
        ran.append(step.attempt)
        raise Crash

    async def handler(event: Any, ctx: Any) -> str:
        config = StepConfig(again(attempts=1).retry_strategy, StepSemantics.AT_MOST_ONCE_PER_RETRY)
        try:
            await ctx.step(once, name="once", config=config)
        except StepError as error:
            return str(error.error_type)
        return "no error"

    service = FakeService()
    with pytest.raises(Crash):
        first(handler, service)
    output, _ = whole(handler, service)
    assert result(output).endswith("StepInterruptedError")
    assert ran == [1]


def test_tasks_number_for_themselves_whatever_the_timing() -> None:
    delays = iter([3, 0, 2, 1, 0, 3, 2, 1] * 20)

    async def body(step: Any) -> int:
        for _ in range(next(delays)):
            await asyncio.sleep(0)
        return 1

    async def handler(event: Any, ctx: Any) -> Any:
        async def worker(number: int) -> list[int]:
            found = [await ctx.step(body, name=f"{number}.{k}") for k in range(3)]
            await ctx.wait(Duration(1 + number), name=f"wait {number}")
            return [number, *found]

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(worker(number)) for number in range(3)]
        return [task.result() for task in tasks]

    output, service = whole(handler)
    assert result(output) == [[number, 1, 1, 1] for number in range(3)]
    assert len({update["Id"] for request in service.requests for update in request}) == 12


def test_children_of_either_colour() -> None:
    threads: list[str] = []

    async def soft(child: Any) -> Any:
        return [await child.step(five, name="s"), await child.step(lambda step: 6)]

    def hard(child: Any) -> int:
        threads.append(threading.current_thread().name)
        value = child.step(lambda step: 7, name="h")
        child.wait(Duration(2))
        return int(value)

    async def failing(child: Any) -> None:
        raise RuntimeError("no")

    async def handler(event: Any, ctx: Any) -> Any:
        found = [
            await ctx.run_in_child_context(soft, name="soft"),
            await ctx.run_in_child_context(hard, name="hard"),
            await ctx.run_in_child_context(lambda child: child.step(five), config=ChildConfig(is_virtual=True)),
        ]
        with pytest.raises(ChildContextError) as caught:
            await ctx.run_in_child_context(failing)
        return [*found, caught.value.error_type]

    assert result(whole(handler)[0]) == [[5, 6], 7, 5, "RuntimeError"]
    assert set(threads) == {"durable-body"}


def test_a_large_child_result_replays_its_children() -> None:
    runs: list[str] = []

    async def large(child: Any) -> str:
        runs.append("child")
        await child.step(lambda step: runs.append("step"), name="s")
        return "x" * 300_000

    async def handler(event: Any, ctx: Any) -> int:
        text = await ctx.run_in_child_context(large)
        await ctx.wait(Duration(1))
        return len(text)

    assert result(whole(handler)[0]) == 300_000
    assert runs == ["child", "step", "child"]


def test_callbacks_invokes_and_conditions() -> None:
    async def handler(event: Any, ctx: Any) -> Any:
        promise, callback_id = await ctx.create_callback("cb")
        await ctx.step(lambda step: None, name="send")
        found = [await promise, callback_id != ""]
        found.append(await ctx.invoke("double", 4, name="i"))
        with pytest.raises(InvokeError):
            await ctx.invoke("nobody", 4, name="n")

        def strategy(state: int, attempt: int) -> Any:
            if state >= 2:
                return WaitForConditionDecision.stop_polling()
            return WaitForConditionDecision.continue_waiting(Duration(1))

        async def check(state: int, context: Any) -> int:
            return state + 1

        found.append(await ctx.wait_for_condition(check, WaitForConditionConfig(strategy, 0)))
        return found

    service = FakeService()
    service.functions["double"] = lambda value: value * 2
    output, _ = first(handler, service)
    assert output == {"Status": "PENDING"}
    (callback,) = [op for op in service.operations.values() if op["Type"] == "CALLBACK"]
    service.complete_callback(callback["CallbackId"], result="yes")
    assert result(whole(handler, service)[0]) == ["yes", True, 8, 2]


def test_wait_for_callback_raises_the_callbacks_own_error() -> None:
    async def handler(event: Any, ctx: Any) -> str:
        async def submit(callback_id: str, context: Any) -> None:
            context.logger.info("sent")

        try:
            return str(await ctx.wait_for_callback(submit, name="w"))
        except CallbackExternalError as error:
            return f"refused: {error}"

    service = FakeService()
    first(handler, service)
    (callback,) = [op for op in service.operations.values() if op["Type"] == "CALLBACK"]
    service.complete_callback(callback["CallbackId"], error={"ErrorMessage": "no"})
    assert result(whole(handler, service)[0]) == "refused: no"


def test_suspension_parks_and_unwinds_nothing() -> None:
    log: list[str] = []

    async def handler(event: Any, ctx: Any) -> str:
        try:
            await ctx.wait(Duration(5))
        finally:
            log.append("finally")
        return "done"

    service = FakeService()
    assert first(handler, service)[0] == {"Status": "PENDING"}
    gc.collect()
    assert log == []
    assert result(whole(handler, service)[0]) == "done"
    assert log == ["finally"]


def test_work_from_outside_keeps_the_invocation_alive() -> None:
    async def handler(event: Any, ctx: Any) -> Any:
        async def outside() -> str:
            await asyncio.get_running_loop().run_in_executor(None, lambda: None)
            return "outside"

        waiting = asyncio.ensure_future(outside())
        value = await ctx.step(five)
        return [await waiting, value]

    output, _service = first(handler)
    assert result(output) == ["outside", 5]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("callback", "plain callback"),
        ("thread", "another thread"),
        ("body", "step body"),
        ("outer", "another function"),
        ("task", "asyncio.Task"),
        ("as_completed", "as_completed"),
        ("deadline", "promise.timeout"),
    ],
)
def test_what_a_replay_could_not_repeat_raises(name: str, says: str) -> None:
    async def handler(event: Any, ctx: Any) -> str:
        loop = asyncio.get_running_loop()
        caught: list[str] = []

        def attempt(context: Any = ctx) -> None:
            try:
                context.step(five)
            except ValidationError as error:
                caught.append(str(error))

        async def attempt_later() -> None:
            attempt()

        match name:
            case "callback":
                loop.call_soon(attempt)
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            case "thread":
                await loop.run_in_executor(None, attempt)
            case "body":

                async def body(step: Any) -> None:
                    attempt()
                    await asyncio.gather(attempt_later())

                await ctx.step(body)
            case "outer":

                async def child(inner: Any) -> None:
                    attempt(ctx)

                await ctx.run_in_child_context(child)
            case "task":
                await asyncio.Task(attempt_later())
            case "as_completed":
                for done in asyncio.as_completed([attempt_later()]):
                    await done
            case "deadline":
                try:
                    async with asyncio.timeout(60):
                        await ctx.step(five)
                except ValidationError as error:
                    caught.append(str(error))
        return caught[0]

    assert says in result(whole(handler)[0])


def test_a_deadline_around_somebody_elses_durable_wait_is_refused_too() -> None:
    async def handler(event: Any, ctx: Any) -> str:
        async def waits() -> None:
            await ctx.wait(Duration(60))

        task = asyncio.create_task(waits())
        try:
            async with asyncio.timeout(60):
                await task
        except ValidationError as error:
            return str(error)
        return "no error"

    assert "promise.timeout" in result(first(handler)[0])


def test_deadlines_around_plain_io_and_in_bodies_are_fine() -> None:
    async def body(step: Any) -> str:
        async with asyncio.timeout(60):
            await asyncio.sleep(0)
        return "ok"

    async def handler(event: Any, ctx: Any) -> str:
        async with asyncio.timeout(60):
            await asyncio.sleep(0)
        return await ctx.step(body)

    assert result(whole(handler)[0]) == "ok"


def test_a_cancelled_promise_records_nothing_false() -> None:
    log: list[str] = []

    async def slow(step: Any) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            log.append("stopped")

    async def handler(event: Any, ctx: Any) -> str:
        promise = ctx.step(slow, name="slow")
        quick = await ctx.step(five, name="quick")
        promise.cancel()
        with pytest.raises(asyncio.CancelledError):
            await promise
        await ctx.wait(Duration(1))
        return f"{quick} {promise.cancelled()}"

    output, service = whole(handler)
    assert result(output) == "5 True"
    assert [entry[1] for request in sent(service) for entry in request if entry[2] == "slow"] == ["START"]
    assert log == ["stopped"]


def test_a_deadlock_is_told_and_not_waited_for() -> None:
    async def handler(event: Any, ctx: Any) -> None:
        await asyncio.Event().wait()

    output, _ = first(handler)
    assert output["Status"] == "FAILED"
    assert "Event.wait" in output["Error"]["ErrorMessage"]


def test_nothing_is_left_behind() -> None:
    async def handler(event: Any, ctx: Any) -> None:
        left = asyncio.create_task(ctx_wait(ctx))
        await asyncio.sleep(0)
        await ctx.step(lambda step: 1)
        del left

    async def ctx_wait(ctx: Any) -> None:
        await ctx.wait(Duration(3600))

    before = threading.enumerate()
    output, _ = first(handler)
    assert result(output) is None
    assert threading.enumerate() == before


def test_callbacks_that_are_due_when_the_handler_ends_are_called() -> None:
    called: list[str] = []

    async def handler(event: Any, ctx: Any) -> str:
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, called.append, "a turn after the last one")
        return "ended"

    assert first(handler)[0]["Status"] == "SUCCEEDED"
    assert called == ["a turn after the last one"]


def test_under_a_running_loop_the_handler_has_a_thread_of_its_own() -> None:
    async def handler(event: Any, ctx: Any) -> str:
        await ctx.step(five)
        return threading.current_thread().name

    async def outer() -> dict[str, Any]:
        return FakeService().run(DurableFunction(handler))

    before = threading.enumerate()
    with asyncio.Runner() as runner:
        assert result(runner.run(outer())) == "durable-handler"
    assert threading.enumerate() == before


def test_context_variables_flow_into_bodies_of_either_colour() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")

    async def soft(step: Any) -> str:
        return variable.get()

    async def handler(event: Any, ctx: Any) -> list[str]:
        variable.set("here")
        return [await ctx.step(soft), await ctx.step(lambda step: variable.get())]

    assert result(whole(handler)[0]) == ["here", "here"]


def test_failures_of_the_service_end_the_invocation() -> None:
    def fault(moment: str, number: int) -> None:
        if number == 2:
            raise ConnectionError("gone")

    async def handler(event: Any, ctx: Any) -> None:
        await ctx.step(five)
        await ctx.step(five)

    with pytest.raises(ConnectionError):
        first(handler, FakeService(fault=fault))


def test_logs_are_silent_during_replay(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(event: Any, ctx: Any) -> None:
        ctx.logger.warning("before")
        await ctx.step(five)
        await ctx.wait(Duration(1))
        ctx.logger.warning("after")

    whole(handler)
    assert [record.message for record in caplog.records if record.name == "root"] == ["before", "after"]


def test_a_thread_that_ends_closes_its_loop() -> None:
    async def handler(event: Any, ctx: Any) -> int:
        return await ctx.step(five)

    thread = threading.Thread(target=lambda: whole(handler))
    thread.start()
    thread.join()
    del thread
    gc.collect()  # what is not closed warns here, and warnings are errors
