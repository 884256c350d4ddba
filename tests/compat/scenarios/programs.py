"""One scenario that carries out whatever workflow its input describes, so that workflows can be generated."""

from __future__ import annotations

from typing import Any

from tests.compat.scenarios.registry import Boom, caught, retries, scenario, seconds
from tests.compat.service import Outcome, Script

OUTSIDE = Script(
    callbacks={
        "yes": Outcome(result="approved"),
        "no": Outcome("FAILED", error={"ErrorMessage": "refused", "ErrorType": "Refused"}),
        "w create callback id": Outcome(result="written"),
    },
    invokes={
        "double": Outcome(result='{"doubled": 2}'),
        "fails": Outcome("FAILED", error={"ErrorMessage": "bad", "ErrorType": "Bad"}),
    },
)


@scenario(payload='{"program": []}', script=OUTSIDE)
def generated(sdk: Any, event: Any, ctx: Any) -> Any:
    """Run `event["program"]`; `event["raises"]` makes the handler raise in the end."""
    found = [_run(sdk, ctx, operation) for operation in event["program"]]
    if event.get("raises"):
        raise Boom("in the end")
    return found


def _run(sdk: Any, ctx: Any, operation: list[Any]) -> Any:
    kind, *rest = operation
    return _KINDS[kind](sdk, ctx, *rest)


def _step(sdk: Any, ctx: Any, name: str | None, value: Any, failures: int, attempts: int) -> Any:
    def body(step: Any) -> Any:
        if step.attempt <= failures:
            raise Boom(f"attempt {step.attempt}")
        return {"value": value, "tuple": (value, b"\x00")} if name == "rich" else value

    config = sdk.config.StepConfig(retry_strategy=retries(sdk, attempts))
    found = caught(lambda: ctx.step(body, name, config))
    return repr(found)


def _wait(sdk: Any, ctx: Any, length: int, name: str | None) -> Any:
    return ctx.wait(seconds(sdk, length), name)


def _child(sdk: Any, ctx: Any, name: str | None, virtual: bool, fails: bool, body: list[Any]) -> Any:
    def child(context: Any) -> Any:
        found = [_run(sdk, context, inner) for inner in body]
        if fails:
            raise Boom("child")
        return found

    config = sdk.config.ChildConfig(is_virtual=virtual)
    return caught(lambda: ctx.run_in_child_context(child, name, config))


def _condition(sdk: Any, ctx: Any, checks: int) -> Any:
    def strategy(state: int, attempt: int) -> Any:
        decision = sdk.waits.WaitForConditionDecision
        return decision.stop_polling() if state >= checks else decision.continue_waiting(seconds(sdk, 2))

    config = sdk.waits.WaitForConditionConfig(wait_strategy=strategy, initial_state=0)
    return ctx.wait_for_condition(lambda state, check: state + 1, config)


def _callback(sdk: Any, ctx: Any, name: str) -> Any:
    return caught(ctx.create_callback(name).result)


def _wait_for_callback(sdk: Any, ctx: Any) -> Any:
    return caught(lambda: ctx.wait_for_callback(lambda callback_id, context: None, "w"))


def _invoke(sdk: Any, ctx: Any, function: str) -> Any:
    return caught(lambda: ctx.invoke(function, {"n": 1}, function))


def _retry(sdk: Any, ctx: Any, runs: int, wrapped: bool, body: list[Any]) -> Any:
    def attempt(context: Any, number: int) -> Any:
        found = [_run(sdk, context, inner) for inner in body]
        if number < runs:
            raise Boom(f"run {number}")
        return found

    config = sdk.retries.WithRetryConfig(retry_strategy=retries(sdk, 2), wrap_with_run_in_child_context=wrapped)
    return caught(lambda: sdk.top.with_retry(ctx, attempt, config, "again"))


def _batch(
    sdk: Any, ctx: Any, is_map: bool, flat: bool, at_once: int | None, enough: int | None, branches: list[Any]
) -> Any:
    def branch(context: Any, body: list[Any], index: int) -> Any:
        found = [_run(sdk, context, inner) for inner in body]
        if index == 1:
            raise Boom("the second branch")
        return found

    rule = sdk.config.CompletionConfig.all_completed()
    if at_once == 1 and enough is not None:
        rule = sdk.config.CompletionConfig(min_successful=min(enough, len(branches)) or None)
    nesting = sdk.config.NestingType.FLAT if flat else sdk.config.NestingType.NESTED
    options = {"max_concurrency": at_once, "completion_config": rule, "nesting_type": nesting}
    if is_map:
        config = sdk.config.MapConfig(**options)
        done = ctx.map(branches, lambda context, item, index, items: branch(context, item, index), "m", config)
    else:
        functions = [
            lambda context, body=body, index=index: branch(context, body, index) for index, body in enumerate(branches)
        ]
        done = ctx.parallel(functions, "p", sdk.config.ParallelConfig(**options))
    items = [[item.status.name, item.result, item.error and item.error.message] for item in done.all]
    return [items, done.completion_reason.name]


_KINDS = {
    "step": _step,
    "wait": _wait,
    "child": _child,
    "condition": _condition,
    "callback": _callback,
    "wait for callback": _wait_for_callback,
    "invoke": _invoke,
    "retry": _retry,
    "batch": _batch,
}
