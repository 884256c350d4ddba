"""Contexts that failed are looked into, for executions that are in the middle of them; what comes after is unharmed."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.aio import AsyncDurableContext
from durable_execution_sdk.config import StepConfig
from durable_execution_sdk.engine import Engine
from durable_execution_sdk.exceptions import ChildContextError
from durable_execution_sdk.replay import History, check, read_store
from durable_execution_sdk.retries import RetryDecision

Handler = Callable[..., Any]
Kind = Callable[[str], Handler]

ONCE = StepConfig(retry_strategy=lambda error, attempt: RetryDecision.no_retry())
_serial = itertools.count()


def fail(_: Any) -> None:
    raise OSError("out of stock")


def in_a_child(body: str) -> Handler:
    """The steps of a child context, then `after` if it failed. `!x` fails, `?x` is caught, `#` raises something new."""

    @durable_execution
    def handler(event: Any, context: DurableContext) -> str:
        def inside(child: DurableContext) -> None:
            for name in body:
                perform(child, name)

        try:
            context.run_in_child_context(inside, name="reserve")
        except ChildContextError as error:
            context.step(lambda _: None, name=f"after {error.message[:12]}")
        return "done"

    return handler


def perform(context: DurableContext, name: str) -> None:
    if name == "!":
        context.step(fail, name="fails", config=ONCE)
    elif name == "#":
        raise ValueError(f"number {next(_serial)}")
    elif name == "$":
        raise ValueError("as always")
    else:
        context.step(lambda _: name, name=name)


def in_a_child_async(body: str) -> Handler:
    @durable_execution
    async def handler(event: Any, context: AsyncDurableContext) -> str:
        async def inside(child: AsyncDurableContext) -> None:
            for name in body:
                await perform_async(child, name)

        try:
            await context.run_in_child_context(inside, name="reserve")
        except ChildContextError as error:
            await context.step(lambda _: None, name=f"after {error.message[:12]}")
        return "done"

    return handler


async def perform_async(context: AsyncDurableContext, name: str) -> None:
    if name == "!":
        await context.step(fail, name="fails", config=ONCE)
    elif name == "#":
        raise ValueError(f"number {next(_serial)}")
    elif name == "$":
        raise ValueError("as always")
    else:
        await context.step(lambda _: name, name=name)


def in_branches(body: str) -> Handler:
    """Two branches, of which the second does these steps."""

    @durable_execution
    def handler(event: Any, context: DurableContext) -> str:
        def item(child: DurableContext, value: int, index: int, items: Any) -> None:
            for name in "ab" if value == 0 else body:
                perform(child, name)

        result = context.map([0, 1], item, name="items")
        context.step(lambda _: None, name=f"{result.failure_count} failed")
        return "done"

    return handler


def in_branches_async(body: str) -> Handler:
    @durable_execution
    async def handler(event: Any, context: AsyncDurableContext) -> str:
        async def item(child: AsyncDurableContext, value: int, index: int, items: Any) -> None:
            for name in "ab" if value == 0 else body:
                await perform_async(child, name)

        result = await context.map([0, 1], item, name="items")
        await context.step(lambda _: None, name=f"{result.failure_count} failed")
        return "done"

    return handler


KINDS = [in_a_child, in_a_child_async, in_branches, in_branches_async]


def recorded(folder: Path, handler: Handler) -> History:
    with Engine(folder / "store.db", time_scale=0) as engine:
        engine.run(handler, {}, name="one")
    [history] = read_store(folder / "store.db")
    return history


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("before", "now", "verdict", "cause"),
    [
        ("ab!", "ab!", "clean", None),
        ("ab$", "ab$", "clean", None),
        ("ab#", "ab#", "clean", None),  # code that fails in another way every time says nothing
        ("ab!", "aX!", "diverged", "renamed"),
        ("ab$", "aX$", "diverged", "renamed"),
        ("ab#", "aX#", "diverged", "renamed"),
        ("ab!", "aXb!", "diverged", "inserted"),
        ("ab!", "b!", "diverged", "removed"),
        ("ab!", "ba!", "diverged", "reordered"),
        ("ab!", "ab", "ambiguous", "removed"),
        ("abc$", "ab$", "ambiguous", "removed"),
        # It does not fail any more, or does more: executions in the middle of it go on, those past it have its error.
        ("ab$", "ab", "clean", None),
        ("ab$", "abX", "clean", None),
        ("ab$", "abX$", "clean", None),
    ],
)
def test_what_is_in_it_is_compared(
    tmp_path: Path, kind: Kind, before: str, now: str, verdict: str, cause: str | None
) -> None:
    report = check(kind(now), recorded(tmp_path, kind(before)))
    assert (report.verdict, report.cause) == (verdict, cause), str(report)
    if cause is not None:
        assert "in the middle of it" in (report.note or "")
        assert report.hint
    if verdict == "diverged":
        assert (report.line or "").startswith(__file__)


@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_after_it_is_still_compared(tmp_path: Path, kind: Kind) -> None:
    """Also where the code fails in another way now."""
    history = recorded(tmp_path, kind("ab$"))
    for operation in history.operations:
        if (operation.get("Name") or "").startswith(("after", "1 failed")):
            operation["Name"] = "another"  # type: ignore[index]  # a dictionary, read from JSON
    for now in ("ab$", "ab", "ab#"):
        report = check(kind(now), history)
        assert (report.verdict, report.recorded) == ("diverged", "Step 'another'"), str(report)
        assert report.note is None
