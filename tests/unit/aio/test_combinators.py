"""ctx.promise: what is recorded, when it starts, and that a replay asks nobody."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from durable_execution_sdk import PromiseCombinatorError, PromiseTimeoutError, StepError, ValidationError
from durable_execution_sdk._model.config import StepConfig
from durable_execution_sdk._model.duration import Duration
from durable_execution_sdk._model.strategies import RetryDecision
from tests.unit.drivers.branches import result
from tests.unit.drivers.scenario import first, whole

ONCE = StepConfig(retry_strategy=lambda error, attempt: RetryDecision.no_retry())


def fails(text: str) -> Any:
    def body(step: Any) -> None:
        raise ValueError(text)

    return body


def gives(value: Any) -> Any:
    return lambda step: value


def twice(handler: Any) -> Any:
    """The result, after a replay of the finished execution gave the same without a request."""
    output, service = whole(handler)
    before = len(service.requests)
    again, _ = first(handler, service)
    assert again == output
    assert len(service.requests) == before
    return result(output)


def test_all_gives_results_in_order() -> None:
    async def handler(event: Any, ctx: Any) -> Any:
        slow = ctx.run_in_child_context(late)
        return await ctx.promise.all([slow, ctx.step(gives(2))], "both")

    async def late(child: Any) -> int:
        await child.wait(Duration(2))
        return 1

    assert twice(handler) == [1, 2]


def test_all_fails_with_the_first_failure() -> None:
    async def handler(event: Any, ctx: Any) -> Any:
        waiting = ctx.wait(Duration(50))
        with pytest.raises(PromiseCombinatorError, match="broken") as caught:
            await ctx.promise.all([waiting, ctx.step(fails("broken"), None, ONCE)])
        assert isinstance(caught.value.__cause__, StepError)
        assert not waiting.done()
        return "failed at once"

    assert twice(handler) == "failed at once"


def test_all_settled_tells_of_each() -> None:
    async def handler(event: Any, ctx: Any) -> Any:
        left = ctx.wait(Duration(9))
        left.cancel()
        ends = await ctx.promise.all_settled([ctx.step(gives(1)), ctx.step(fails("broken"), None, ONCE), left])
        return [[end.status, end.value, end.reason and type(end.reason).__name__, str(end.reason)] for end in ends]

    assert twice(handler) == [
        ["fulfilled", 1, None, "None"],
        ["rejected", None, "StepError", "broken"],
        ["rejected", None, "PromiseCombinatorError", "the promise was cancelled"],
    ]


def test_any_takes_the_first_success() -> None:
    async def handler(event: Any, ctx: Any) -> Any:
        found = await ctx.promise.any([ctx.step(fails("a"), None, ONCE), ctx.step(gives(2)), ctx.wait(Duration(9))])
        with pytest.raises(PromiseCombinatorError, match="all 2 promises failed: StepError: a; StepError: b"):
            await ctx.promise.any([ctx.step(fails("a"), None, ONCE), ctx.step(fails("b"), None, ONCE)])
        return found

    assert twice(handler) == 2


def test_race_takes_the_first_end_and_cancels_nobody() -> None:
    async def handler(event: Any, ctx: Any) -> Any:
        loser = ctx.wait(Duration(3))
        found = await ctx.promise.race([loser, ctx.step(gives(2))])
        with pytest.raises(PromiseCombinatorError, match="broken"):
            await ctx.promise.race([loser, ctx.step(fails("broken"), None, ONCE)])
        with pytest.raises(ValidationError, match="no promises"):
            ctx.promise.race([])
        await loser
        return found

    assert twice(handler) == 2


def test_a_timeout_survives_suspension_and_cancels() -> None:
    async def handler(event: Any, ctx: Any) -> Any:
        waiting = ctx.wait(Duration(60))
        with pytest.raises(TimeoutError, match="within 5 seconds") as caught:
            await ctx.promise.timeout(waiting, {"seconds": 5}, "patience")
        assert isinstance(caught.value, PromiseTimeoutError)
        assert waiting.cancelled()
        in_time = await ctx.promise.timeout(ctx.step(gives(3)), Duration(9))
        with pytest.raises(PromiseCombinatorError, match="broken"):
            await ctx.promise.timeout(ctx.step(fails("broken"), None, ONCE), Duration(9))
        await ctx.wait(Duration(2))
        return in_time

    assert twice(handler) == 3


def test_combinations_are_lazy_and_take_their_id_at_the_call() -> None:
    async def handler(event: Any, ctx: Any) -> Any:
        never = ctx.promise.all([ctx.step(gives(1), "one")], "never")
        later = ctx.promise.all([ctx.step(gives(2), "two")], "later")
        after = ctx.step(gives(3), "three")
        assert (never.is_executed, later.is_executed, after.is_executed) == (False, False, True)
        await after
        gathered = await asyncio.gather(later)
        assert later.is_executed
        assert never.cancel()
        return gathered

    output, service = whole(handler)
    assert result(output) == [[2]]
    ids = {update["Name"]: update["Id"] for update in service.updates()}
    assert sorted(ids) == ["later", "one", "three", "two"]

    from durable_execution_sdk._core import operation_id

    assert [ids[name] for name in ("one", "two", "later", "three")] == [
        operation_id(None, number) for number in (1, 3, 4, 5)
    ]


def test_what_is_too_large_is_asked_of_the_winner_again() -> None:
    async def handler(event: Any, ctx: Any) -> Any:
        async def late(child: Any) -> str:
            await child.wait(Duration(30))
            return "never"

        slow = ctx.run_in_child_context(late)
        found = await ctx.promise.race([slow, ctx.step(gives("x" * 300_000))])
        everything = await ctx.promise.all([ctx.step(gives("y" * 300_000))])
        await ctx.wait(Duration(1))
        return [len(found), len(everything[0])]

    assert twice(handler) == [300_000, 300_000]


def test_only_futures_are_combined() -> None:
    async def handler(event: Any, ctx: Any) -> None:
        with pytest.raises(ValidationError, match=r"promises\[0\] must be a durable promise or a task"):
            ctx.promise.all([5])

    assert result(first(handler)[0]) is None
