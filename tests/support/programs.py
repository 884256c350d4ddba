"""Random workflows: a tree of operations, and the handler that carries it out.

A program is data, so that hypothesis can shrink it and a failing one can be pasted into a test. What a program does
depends on itself alone, so every run of it must end the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from hypothesis import strategies as st

from durable_execution_sdk._drivers.context import DurableContext
from durable_execution_sdk._drivers.retrying import with_retry
from durable_execution_sdk._model.completion import CompletionConfig
from durable_execution_sdk._model.config import (
    CallbackConfig,
    ChildConfig,
    MapConfig,
    NestingType,
    ParallelConfig,
    StepConfig,
    WithRetryConfig,
)
from durable_execution_sdk._model.duration import Duration
from durable_execution_sdk._model.strategies import RetryDecision, WaitForConditionConfig, WaitForConditionDecision
from tests.support.fake_service import FakeService


@dataclass(frozen=True)
class Step:
    """Fails `failures` times, of `attempts` at most, then gives `value`."""

    name: str | None
    value: Any
    failures: int = 0
    attempts: int = 3


@dataclass(frozen=True)
class Wait:
    seconds: int
    name: str | None = None


@dataclass(frozen=True)
class Child:
    body: tuple[Any, ...]
    name: str | None = None
    virtual: bool = False
    large: bool = False
    fails: bool = False


@dataclass(frozen=True)
class Condition:
    checks: int
    seconds: int = 3


@dataclass(frozen=True)
class Expiring:
    """A callback that nobody completes."""

    seconds: int


@dataclass(frozen=True)
class Invoke:
    number: int


@dataclass(frozen=True)
class Retried:
    body: tuple[Any, ...]
    runs: int
    wrapped: bool


@dataclass(frozen=True)
class Batch:
    """A map or parallel; branches at `failing` raise in the end.

    Which branches are started depends on time where several run at once and not all are run to their end, so only
    batches that run one branch at a time end early here.
    """

    branches: tuple[tuple[Any, ...], ...]
    at_once: int | None = None
    flat: bool = False
    failing: frozenset[int] = frozenset()
    enough: int | None = None
    large: bool = False
    is_map: bool = True


names = st.sampled_from([None, "a", "b"])
seconds = st.integers(1, 90)
values = st.one_of(
    st.none(),
    st.integers(-3, 3),
    st.text(max_size=3),
    st.just((1, (2, "x"))),
    st.just({"k": [1, b"\x00"], "n": None}),
)
leaves = st.one_of(
    st.builds(Step, names, values, st.integers(0, 3), st.integers(1, 3)),
    st.builds(Wait, seconds, names),
    st.builds(Condition, st.integers(1, 3), seconds),
    st.builds(Expiring, seconds),
    st.builds(Invoke, st.integers(0, 3)),
)
operations = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Child, st.lists(inner, max_size=3).map(tuple), names, st.booleans(), st.booleans(), st.booleans()),
        st.builds(Retried, st.lists(inner, max_size=2).map(tuple), st.integers(1, 3), st.booleans()),
        st.builds(
            Batch,
            st.lists(st.lists(inner, max_size=2).map(tuple), max_size=3).map(tuple),
            st.sampled_from([1, 2, None]),
            st.booleans(),
            st.frozensets(st.integers(0, 2), max_size=2),
            st.sampled_from([None, 1]),
            st.booleans(),
            st.booleans(),
        ),
    ),
    max_leaves=6,
)
programs = st.lists(operations, min_size=1, max_size=5).map(tuple)


class Boom(Exception):
    """What programs raise."""


OnBody = Callable[[DurableContext, str], None]
"""Hears of every body of a step or condition that runs: its context and the operation's id."""


def handler_of(program: tuple[Any, ...], on_body: OnBody = lambda context, key: None) -> Any:
    """The handler of a program."""

    def handler(got: Any, ctx: DurableContext) -> Any:
        return [repr(_run(ctx, operation, on_body)) for operation in program]

    return handler


def service_for(**options: Any) -> FakeService:
    """A service that knows the function which programs invoke."""
    service = FakeService(**options)
    service.functions["double"] = lambda got: got * 2
    return service


def _caught(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:
        cause = error.__cause__
        return [type(error).__name__, str(error), getattr(error, "error_type", None), type(cause).__name__]


def _run(ctx: DurableContext, operation: Any, on_body: OnBody) -> Any:
    match operation:
        case Step(name, value, failures, attempts):

            def body(step: Any) -> Any:
                on_body(ctx, step.logger._default_extra["operationId"])
                if step.attempt <= failures:
                    raise Boom(step.attempt)
                return value

            config = StepConfig(_up_to(attempts))
            return _caught(lambda: ctx.step(body, name, None if failures == 0 else config))
        case Wait(length, name):
            return ctx.wait(Duration(length), name)
        case Child(inner, name, virtual, large, fails):

            def child(context: DurableContext) -> Any:
                found = [_run(context, one, on_body) for one in inner]
                if fails:
                    raise Boom("child")
                return ["x" * 262_144 if large else "", found]

            config = ChildConfig(is_virtual=virtual) if virtual else None
            found = _caught(lambda: ctx.run_in_child_context(child, name, config))
            return [len(found[0]), found[1]] if not fails else found
        case Condition(checks, length):

            def strategy(state: Any, attempt: int) -> WaitForConditionDecision:
                if state >= checks:
                    return WaitForConditionDecision.stop_polling()
                return WaitForConditionDecision.continue_waiting(Duration(length))

            def check(state: Any, checked: Any) -> Any:
                on_body(ctx, checked.logger._default_extra["operationId"])
                return state + 1

            return ctx.wait_for_condition(check, WaitForConditionConfig(strategy, 0))
        case Expiring(length):
            return _caught(ctx.create_callback(None, CallbackConfig(Duration(length))).result)
        case Invoke(number):
            return ctx.invoke("double", number)
        case Retried(inner, runs, wrapped):

            def attempt(context: DurableContext, run: int) -> Any:
                found = [_run(context, one, on_body) for one in inner]
                if run < runs:
                    raise Boom(run)
                return found

            options: WithRetryConfig[Any] = WithRetryConfig(_up_to(2), wrapped)
            return _caught(lambda: with_retry(ctx, attempt, options, "r"))
        case Batch():
            return _run_batch(ctx, operation, on_body)
    raise AssertionError(operation)


def _run_batch(ctx: DurableContext, batch: Batch, on_body: OnBody) -> Any:
    def branch(context: DurableContext, index: int) -> Any:
        found = [_run(context, one, on_body) for one in batch.branches[index]]
        if index in batch.failing:
            raise Boom(f"branch {index}")
        return ["x" * 100_000 if batch.large else "", found]

    rule = CompletionConfig.all_completed()
    if batch.at_once == 1:
        rule = CompletionConfig(min_successful=min(batch.enough, len(batch.branches)) or None if batch.enough else None)
    nesting = NestingType.FLAT if batch.flat else NestingType.NESTED
    if batch.is_map:
        config: MapConfig[Any] = MapConfig(batch.at_once, rule, nesting_type=nesting)
        found = ctx.map(batch.branches, lambda context, item, index, items: branch(context, index), "m", config)
    else:
        branches = [
            partial(lambda index, context: branch(context, index), index) for index in range(len(batch.branches))
        ]
        found = ctx.parallel(branches, "p", ParallelConfig(batch.at_once, rule, nesting_type=nesting))
    items = [
        [item.status.name, item.result and [len(item.result[0]), item.result[1]], item.error and item.error.message]
        for item in found.all
    ]
    return [items, found.completion_reason.name]


def _up_to(attempts: int) -> Callable[[Exception, int], RetryDecision]:
    return lambda error, attempt: (
        RetryDecision.retry(Duration(attempt * 2)) if attempt < attempts else RetryDecision.no_retry()
    )
