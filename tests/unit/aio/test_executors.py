"""Promises that user code makes from an executor."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from durable_execution_sdk import DurablePromise, ValidationError
from durable_execution_sdk._core import operation_id, task_scope_prefix
from durable_execution_sdk._model.duration import Duration
from tests.unit.drivers.branches import result
from tests.unit.drivers.scenario import first, whole


def test_it_starts_when_it_is_awaited_and_numbers_from_when_it_was_made() -> None:
    async def handler(event: Any, ctx: Any) -> Any:
        async def work() -> int:
            await ctx.wait(Duration(1))
            return int(await ctx.step(lambda step: 7, "late"))

        never = DurablePromise(work)
        promise = DurablePromise(work)
        assert isinstance(promise, asyncio.Future)
        assert not promise.is_executed
        await ctx.step(lambda step: 1, "early")
        values = [await promise, await promise]
        assert promise.is_executed
        assert never.cancel()
        return values

    output, service = whole(handler)
    assert result(output) == [7, 7]
    assert result(first(handler, service)[0]) == [7, 7]
    qualname = f"{test_it_starts_when_it_is_awaited_and_numbers_from_when_it_was_made.__qualname__}.<locals>.handler"
    prefix = task_scope_prefix(None, f"{qualname}.<locals>.work", 2)
    late = {update["Id"] for update in service.updates() if update.get("Name") == "late"}
    assert late == {operation_id(prefix, 2)}


def test_errors_and_cancellation_pass_through() -> None:
    stopped: list[str] = []

    async def handler(event: Any, ctx: Any) -> str:
        async def fails() -> None:
            raise ValueError("broken")

        async def waits() -> None:
            try:
                await ctx.wait(Duration(50))
            finally:
                stopped.append("stopped")

        with pytest.raises(ValueError, match="broken"):
            await DurablePromise(fails)
        promise = DurablePromise(waits)
        task = asyncio.create_task(asyncio.wait([promise]))
        await ctx.step(lambda step: 1)
        assert promise.is_executed
        assert promise.cancel()
        await task
        await ctx.step(lambda step: 1)
        return "cancelled"

    assert result(whole(handler)[0]) == "cancelled"
    assert stopped == ["stopped"]


def test_combinators_take_them() -> None:
    async def handler(event: Any, ctx: Any) -> Any:
        async def work() -> int:
            return int(await ctx.step(lambda step: 7))

        return await ctx.promise.all([DurablePromise(work), DurablePromise(work)])

    output, service = whole(handler)
    assert result(output) == [7, 7]
    assert result(first(handler, service)[0]) == [7, 7]


def test_outside_a_handler_there_are_none() -> None:
    async def work() -> int:
        return 1

    async def outside() -> None:
        with pytest.raises(ValidationError, match="outside a durable handler"):
            DurablePromise(work)

    asyncio.run(outside())
