"""How an execution ends, and what its input may be."""

from __future__ import annotations

from typing import Any

from tests.compat.scenarios.registry import Boom, caught, no_retry, scenario, seconds


@scenario(payload=None)
def no_input(sdk: Any, event: Any, ctx: Any) -> Any:
    return event


@scenario(payload="null")
def null_input(sdk: Any, event: Any, ctx: Any) -> Any:
    return [event, ctx.step(lambda _: None, "none")]


@scenario(payload='[1, "é", {"n": 1.5}]')
def list_input(sdk: Any, event: Any, ctx: Any) -> Any:
    return event


@scenario(payload="{not json")
def broken_input(sdk: Any, event: Any, ctx: Any) -> Any:
    return event


@scenario()
def returns_nothing(sdk: Any, event: Any, ctx: Any) -> Any:
    return None


@scenario()
def returns_what_json_cannot_say(sdk: Any, event: Any, ctx: Any) -> Any:
    return {1, 2}


@scenario()
def returns_much(sdk: Any, event: Any, ctx: Any) -> Any:
    return "x" * (6 * 1024 * 1024 - 40)  # too long for an output, not too long for a payload


@scenario()
def raises_its_own(sdk: Any, event: Any, ctx: Any) -> Any:
    ctx.step(lambda _: 1, "one")
    raise Boom("not today")


@scenario(sends_queued=True)
def raises_an_execution_error(sdk: Any, event: Any, ctx: Any) -> Any:
    def give_up(_: Any) -> None:
        raise sdk.exceptions.ExecutionError("stop it all")

    ctx.run_in_child_context(lambda child: child.step(give_up, "gives up"), "child")


@scenario()
def suspends_by_hand(sdk: Any, event: Any, ctx: Any) -> Any:
    if ctx.is_replaying():
        return "resumed"
    ctx.step(lambda _: 1, "one")
    ctx.wait(seconds(sdk, 1))
    return "never"


@scenario()
def catches_and_goes_on(sdk: Any, event: Any, ctx: Any) -> Any:
    found = []
    for number in range(3):
        try:
            found.append(ctx.step(lambda _, number=number: 1 // number, f"divide {number}", no_retry(sdk)))
        except Exception as error:  # operation errors are ordinary exceptions
            found.append(type(error).__name__)
    return found


@scenario()
def context_tells(sdk: Any, event: Any, ctx: Any) -> Any:
    return [
        ctx.execution_context.durable_execution_arn,
        ctx.lambda_context.aws_request_id,
        ctx.is_virtual,
        caught(lambda: ctx.wait_for_condition(None, None))["class"],
    ]
