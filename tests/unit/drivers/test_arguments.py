"""Bad arguments of every operation: the error names argument, value and what is allowed, and no id is taken."""

from __future__ import annotations

import pytest

from durable_execution_sdk._drivers.retrying import with_retry
from durable_execution_sdk._model.config import (
    CallbackConfig,
    MapConfig,
    StepConfig,
    WaitForCallbackConfig,
)
from durable_execution_sdk._model.duration import Duration
from durable_execution_sdk._model.errors import ValidationError
from tests.unit.drivers.scenario import first, sent


def nothing(*_):
    return None


CALLS = {
    "step, func": (lambda ctx: ctx.step("f"), "func must be callable, got: 'f'"),
    "step, config": (lambda ctx: ctx.step(nothing, config={}), "config must be of type StepConfig or None, got: {}"),
    "step, name": (
        lambda ctx: ctx.step(nothing, 3),
        "name must be 1 to 256 printable ASCII characters, or None (Lambda API), got: 3",
    ),
    "child, name": (lambda ctx: ctx.run_in_child_context(nothing, "n" * 257), "name must be 1 to 256 printable"),
    "map, name": (lambda ctx: ctx.map([1], nothing, "line\nbreak"), "name must be 1 to 256 printable"),
    "default serdes": (lambda ctx: ctx.configure_serdes(4), "default_serdes must be None or a SerDes"),
    "wait, short": (lambda ctx: ctx.wait(Duration(0)), "duration must be 1 to 31622400 seconds (Lambda API), got: "),
    "wait, long": (
        lambda ctx: ctx.wait(Duration.from_days(400)),
        "duration must be 1 to 31622400 seconds (Lambda API), got: ",
    ),
    "child, func": (lambda ctx: ctx.run_in_child_context(None), "func must be callable, got: None"),
    "child, config": (
        lambda ctx: ctx.run_in_child_context(nothing, config=StepConfig()),
        "config must be of type ChildConfig or None, got: StepConfig(",
    ),
    "invoke, name": (lambda ctx: ctx.invoke("", 1), "function_name must be the name or ARN of a function, got: ''"),
    "invoke, config": (lambda ctx: ctx.invoke("f", 1, config=3), "config must be of type InvokeConfig or None, got: 3"),
    "callback, config": (
        lambda ctx: ctx.create_callback(config=5),
        "config must be of type CallbackConfig or None, got: 5",
    ),
    "submitter": (lambda ctx: ctx.wait_for_callback(None), "submitter must be callable, got: None"),
    "submitter, config": (
        lambda ctx: ctx.wait_for_callback(nothing, config=CallbackConfig()),
        "config must be of type WaitForCallbackConfig or None, got: CallbackConfig(",
    ),
    "condition, check": (lambda ctx: ctx.wait_for_condition(1, None), "check must be a function, got: 1"),
    "condition, config": (
        lambda ctx: ctx.wait_for_condition(nothing, None),
        "config must be a WaitForConditionConfig, got: None",
    ),
    "map, func": (lambda ctx: ctx.map([1], None), "func must be callable, got: None"),
    "map, config": (lambda ctx: ctx.map([1], nothing, config=7), "config must be of type MapConfig or None, got: 7"),
    "parallel, function": (lambda ctx: ctx.parallel([None]), "functions[0] must be callable, got: None"),
    "parallel, config": (
        lambda ctx: ctx.parallel([nothing], config=7),
        "config must be of type ParallelConfig or None, got: 7",
    ),
    "items, executor": (lambda ctx: ctx.execute_concurrently([], None), "executor must be callable, got: None"),
    "retry, func": (lambda ctx: with_retry(ctx, None, None), "func must be callable, got: None"),
    "retry, config": (lambda ctx: with_retry(ctx, nothing, None), "config must be a WithRetryConfig, got: None"),
}


def in_def(check, value):
    def handler(got, ctx):
        check(ctx)
        return ctx.step(lambda step: value, name="first")

    return handler


def in_async(check, value):
    async def handler(got, ctx):
        check(ctx)
        return await ctx.step(lambda step: value, name="first")

    return handler


COLOURS = {"def": in_def, "async": in_async}


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("case", CALLS)
def test_a_bad_argument_is_named_and_takes_no_id(case, colour):
    call, words = CALLS[case]

    def check(ctx):
        with pytest.raises(ValidationError) as caught:
            call(ctx)
        assert str(caught.value).startswith(words)

    output, service = first(COLOURS[colour](check, 1))
    assert output["Result"] == "1"
    alone = first(COLOURS[colour](lambda ctx: None, 1))[1]
    assert service.requests[0][0]["Id"] == alone.requests[0][0]["Id"]
    assert {name for request in sent(service) for *_, name in request} == {"first"}


def test_another_configuration_may_serve():
    def handler(got, ctx):
        ctx.create_callback("id", WaitForCallbackConfig())
        return ctx.parallel([lambda branch: 1], "both", MapConfig()).get_results()

    assert first(handler)[0]["Result"] == "[1]"


def test_another_configuration_may_serve_under_async():
    async def handler(got, ctx):
        await ctx.create_callback("id", WaitForCallbackConfig())
        return (await ctx.parallel([lambda branch: 1], "both", MapConfig())).get_results()

    assert first(handler)[0]["Result"] == "[1]"
