"""What a glance says is what a close look would have said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.engine import Engine
from durable_execution_sdk.replay import History, read, read_store
from durable_execution_sdk.replay.checking import _clean, _closely
from durable_execution_sdk.replay.glance import glance
from tests.compat import scenarios
from tests.compat.sdk import Sdk
from tests.house.sources import ROOT

OFFICIAL = [*read(ROOT / "tests" / "histories" / "official-3.0.0")]
# Clean, but not plainly so: the close look has to explain why less was asked for than is recorded.
NEEDS_A_CLOSE_LOOK = {
    "a_race_leaves_a_branch_behind",
    "suspends_by_hand",
}


@pytest.mark.parametrize("history", OFFICIAL, ids=lambda history: Path(history.name).stem)
def test_a_glance_agrees_with_a_close_look(history: History) -> None:
    name = Path(history.name).stem
    body = scenarios.REGISTRY[name].body
    sdk = Sdk("durable_execution_sdk")

    @durable_execution
    def handler(event: Any, context: DurableContext) -> Any:
        return body(sdk, event, context)

    report = _clean(handler, history)
    if history.failed or name in NEEDS_A_CLOSE_LOOK:
        assert report is None
    else:
        assert report == _closely(handler, history)


def steps(*names: str) -> Callable[..., Any]:
    @durable_execution
    def handler(event: Any, context: DurableContext) -> None:
        for name in names:
            try:
                context.step(lambda _: None, name=name)
            except Exception:  # as users do
                context.logger.info("went wrong")

    return handler


@pytest.fixture
def history(tmp_path: Path) -> History:
    with Engine(tmp_path / "store.db") as engine:
        engine.run(steps("a", "b", "c"), {}, name="one")
    [found] = read_store(tmp_path / "store.db")
    return found


def test_it_counts_what_the_lane_answered(history: History) -> None:
    seen = glance(steps("a", "b", "c"), history)
    assert seen is not None
    assert (seen.agreed, seen.last) == (3, history.operations[3]["Id"])


def test_tasks_of_an_async_handler_are_counted(tmp_path: Path) -> None:
    async def part(context: Any, name: str) -> None:
        await context.step(lambda _: None, name=name)

    @durable_execution
    async def handler(event: Any, context: Any) -> None:
        await context.step(lambda _: None, name="a")
        await asyncio.gather(part(context, "b"), part(context, "c"))
        await context.run_in_child_context(lambda child: part(child, "d"))

    with Engine(tmp_path / "store.db") as engine:
        engine.run(handler, {}, name="one")
    [history] = read_store(tmp_path / "store.db")
    report = _clean(handler, history)
    assert report is not None
    assert report.agreed == 5
    assert report == _closely(handler, history)


@pytest.mark.parametrize("now", [("a", "b"), ("a", "X", "c"), ("a", "b", "c", "d"), ("b", "a", "c"), ()])
def test_it_leaves_changes_to_the_close_look(history: History, now: tuple[str, ...]) -> None:
    assert glance(steps(*now), history) is None


def test_it_leaves_what_is_not_plain_to_the_close_look(history: History) -> None:
    for other in (
        replace(history, complete=False),
        replace(history, failed=True),
        replace(history, payloads=False),
    ):
        assert glance(steps("a", "b", "c"), other) is None
