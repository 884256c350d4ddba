"""One workflow from one source, written `def`, `async def`, or with bodies of either colour.

A program is a tree of nodes. Its interpreter is a coroutine that awaits what an async context returns; for a `def`
context there is nothing to await, so the coroutine ends at once and `driven` gives its value.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from durable_execution_sdk._model.completion import CompletionConfig
from durable_execution_sdk._model.config import ChildConfig, MapConfig, NestingType, ParallelConfig, StepConfig
from durable_execution_sdk._model.duration import Duration
from durable_execution_sdk._model.errors import ChildContextError, StepError
from durable_execution_sdk._model.strategies import RetryDecision

Node = tuple[Any, ...]
ALL = CompletionConfig.all_completed()

steps = st.tuples(st.just("step"), st.integers(0, 9))
failing = st.tuples(st.just("fail"), st.integers(0, 2))
waits = st.tuples(st.just("wait"), st.integers(1, 4))


def _inner(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    body = st.lists(nodes, max_size=3)
    branches = st.lists(body, max_size=4)
    limits = st.sampled_from([None, 1, 2])
    nesting = st.sampled_from([NestingType.NESTED, NestingType.FLAT])
    return st.one_of(
        st.tuples(st.just("child"), body, st.booleans()),
        st.tuples(st.just("map"), branches, limits, nesting),
        st.tuples(st.just("parallel"), branches, limits, nesting),
    )


programs = st.lists(st.recursive(st.one_of(steps, failing, waits), _inner, max_leaves=12), max_size=5)


async def settled(value: Any) -> Any:
    """What an operation gives, in either colour."""
    return await value if inspect.isawaitable(value) else value


def driven(coroutine: Any) -> Any:
    """The value of a coroutine that has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("a def body waited on a loop")


def _again(error: Exception, attempt: int) -> RetryDecision:
    return RetryDecision.retry(Duration(1)) if attempt < 2 else RetryDecision.no_retry()


def handler_of(program: list[Node], colour: str) -> Callable[[Any, Any], Any]:
    """A handler: `def`, `async`, or `mixed` (async, with every other body `def`)."""

    def body(nodes: list[Node], salt: int) -> Callable[..., Any]:
        def plain(ctx: Any, *_: Any) -> Any:
            return driven(interpret(ctx, nodes))

        async def native(ctx: Any, *_: Any) -> Any:
            return await interpret(ctx, nodes)

        return plain if colour == "def" or (colour == "mixed" and salt % 2) else native

    def step_body(value: int, salt: int) -> Callable[[Any], Any]:
        async def native(step: Any) -> int:
            await asyncio.sleep(0)
            return value

        return native if salt % 2 else (lambda step: value)

    async def interpret(ctx: Any, nodes: list[Node]) -> list[Any]:
        found: list[Any] = []
        for place, node in enumerate(nodes):
            match node:
                case ("step", value):
                    found.append(await settled(ctx.step(step_body(value, place), f"step {value}")))
                case ("fail", until):

                    def flaky(step: Any, until: int = until) -> int:
                        if step.attempt <= until:
                            raise ValueError(f"attempt {step.attempt}")
                        return int(step.attempt)

                    try:
                        found.append(await settled(ctx.step(flaky, "flaky", StepConfig(retry_strategy=_again))))
                    except StepError as error:
                        found.append(str(error))
                case ("wait", seconds):
                    await settled(ctx.wait(Duration(seconds), f"wait {seconds}"))
                case ("child", inner, virtual):
                    try:
                        child = ctx.run_in_child_context(body(inner, place), "child", ChildConfig(is_virtual=virtual))
                        found.append(await settled(child))
                    except ChildContextError as error:
                        found.append(str(error))
                case ("map", branches, limit, nesting):
                    config = MapConfig(max_concurrency=limit, completion_config=ALL, nesting_type=nesting)

                    def plain(item: Any, nodes: list[Node], index: int, _: Any) -> Any:
                        return driven(interpret(item, nodes))

                    async def native(item: Any, nodes: list[Node], index: int, _: Any) -> Any:
                        return await interpret(item, nodes)

                    is_def = colour == "def" or (colour == "mixed" and place % 2)
                    batch = await settled(ctx.map(branches, plain if is_def else native, "map", config))
                    found.append([item.result for item in batch.all])
                case ("parallel", branches, limit, nesting):
                    options = ParallelConfig(max_concurrency=limit, completion_config=ALL, nesting_type=nesting)
                    functions = [body(inner, index) for index, inner in enumerate(branches)]
                    batch = await settled(ctx.parallel(functions, "parallel", options))
                    found.append([item.result for item in batch.all])
        return found

    if colour == "def":
        return lambda event, ctx: driven(interpret(ctx, program))

    async def handler(event: Any, ctx: Any) -> Any:
        return await interpret(ctx, program)

    return handler
