"""A handler that carries out a program it is given: a list of operations as plain data, nested at will.

What a program does depends on itself alone, so that every run of it, on either SDK, must end the same. One operation is
`[kind, options]`; `tests/compat/programs.py` makes them up.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

from tests.compat.scenarios.registry import Boom, caught, retries, scenario, seconds
from tests.compat.service import Outcome, Script

# Results of steps; programs name them by index.
VALUES: tuple[Any, ...] = (
    None,
    7,
    "é\n",
    [1, [True, None]],
    {"k": (1, b"\x00"), "n": None},
    Decimal("1.50"),
    [{"a": 0.1}],
    "x" * 300,
)

OUTSIDE = Script(
    callbacks={
        "yes": Outcome(result="approved"),
        "no": Outcome("FAILED", error={"ErrorMessage": "refused", "ErrorType": "Refused", "ErrorData": "d"}),
        "late": Outcome("TIMED_OUT", error={"ErrorMessage": "too late", "ErrorType": "Callback.Timeout"}),
        "yes create callback id": Outcome(result="submitted"),
        "no create callback id": Outcome("FAILED", error={"ErrorMessage": "refused", "ErrorType": "Refused"}),
        "late create callback id": Outcome("TIMED_OUT", error={"ErrorMessage": "l", "ErrorType": "Callback.Timeout"}),
    },
    invokes={
        "double": Outcome(result='{"doubled": 2}'),
        "fails": Outcome("FAILED", error={"ErrorMessage": "bad", "ErrorType": "Bad"}),
        "quick": Outcome(result="[1]"),
    },
    at_once=frozenset({"quick"}),
)


@scenario(payload="[]", script=OUTSIDE)
def program(sdk: Any, event: Any, ctx: Any) -> Any:
    return body_of(sdk, ctx, event)


def body_of(sdk: Any, ctx: Any, operations: Any) -> Any:
    """Carry out the operations in order; errors are caught and told."""
    return [repr(caught(partial(KINDS[kind], sdk, ctx, options))) for kind, options in operations]


def step(sdk: Any, ctx: Any, options: Any) -> Any:
    def body(attempt: Any) -> Any:
        if attempt.attempt <= options["failures"]:
            raise Boom(f"attempt {attempt.attempt}")
        return VALUES[options["value"]]

    semantics = sdk.config.StepSemantics[options["semantics"]]
    config = sdk.config.StepConfig(retry_strategy=retries(sdk, options["attempts"]), step_semantics=semantics)
    return ctx.step(body, options["name"], config)


def wait(sdk: Any, ctx: Any, options: Any) -> Any:
    return ctx.wait(seconds(sdk, options["seconds"]), options["name"])


def child(sdk: Any, ctx: Any, options: Any) -> Any:
    def body(inner: Any) -> Any:
        found = body_of(sdk, inner, options["body"])
        if options["fails"]:
            raise Boom("child")
        return ["x" * 270_000, found] if options["large"] else found

    config = sdk.config.ChildConfig(is_virtual=options["virtual"])
    found = ctx.run_in_child_context(body, options["name"], config)
    return [len(found[0]), found[1]] if options["large"] else found


def condition(sdk: Any, ctx: Any, options: Any) -> Any:
    decision = sdk.waits.WaitForConditionDecision

    def decide(state: Any, attempt: int) -> Any:
        if state[0] >= options["checks"]:
            return decision.stop_polling()
        return decision.continue_waiting(seconds(sdk, 3 * attempt))

    def check(state: Any, _: Any) -> Any:
        if state[0] == options["breaks"]:
            raise Boom("check")
        return (state[0] + 1,)

    config = sdk.waits.WaitForConditionConfig(wait_strategy=decide, initial_state=(0,))
    return ctx.wait_for_condition(check, config, options["name"])


def callback(sdk: Any, ctx: Any, options: Any) -> Any:
    handle = ctx.create_callback(options["answer"], sdk.config.CallbackConfig(timeout=seconds(sdk, 60)))
    between = body_of(sdk, ctx, options["between"])
    return [between, caught(handle.result)]


def wait_for_callback(sdk: Any, ctx: Any, options: Any) -> Any:
    def submit(callback_id: str, context: Any) -> None:
        if options["breaks"]:
            raise Boom("submitter")

    config = sdk.config.WaitForCallbackConfig(retry_strategy=retries(sdk, 2))
    return ctx.wait_for_callback(submit, options["answer"], config)


def invoke(sdk: Any, ctx: Any, options: Any) -> Any:
    return ctx.invoke(options["function"], {"n": 1}, options["name"])


def retried(sdk: Any, ctx: Any, options: Any) -> Any:
    def body(inner: Any, attempt: int) -> Any:
        found = body_of(sdk, inner, options["body"])
        if attempt < options["runs"]:
            raise Boom(f"run {attempt}")
        return found

    config = sdk.retries.WithRetryConfig(
        retry_strategy=retries(sdk, 2), wrap_with_run_in_child_context=options["wrapped"]
    )
    return sdk.retries.with_retry(ctx, body, config, options["name"])


def batch(sdk: Any, ctx: Any, options: Any) -> Any:
    branches = options["branches"]

    def run(branch: Any, index: int) -> Any:
        found = body_of(sdk, branch, branches[index])
        if index in options["failing"]:
            raise Boom(f"branch {index}")
        return ["x" * 100_000, found] if options["large"] else found

    shared = {
        "max_concurrency": options["at_once"],
        "completion_config": completion(sdk, options),
        "nesting_type": sdk.config.NestingType[options["nesting"]],
    }
    if options["kind"] == "map":
        config = sdk.config.MapConfig(**shared)
        found = ctx.map(branches, lambda branch, item, index, items: run(branch, index), options["name"], config)
    else:
        functions = [partial(lambda index, branch: run(branch, index), index) for index in range(len(branches))]
        found = ctx.parallel(functions, options["name"], sdk.config.ParallelConfig(**shared))
    items = [
        [item.index, item.status.value, str(item.result)[-200:], item.error and item.error.to_dict()]
        for item in found.all
    ]
    return [items, found.completion_reason.value, found.status.value]


def completion(sdk: Any, options: Any) -> Any:
    """Several branches at once run to their end: which have started when a batch ends early would depend on time."""
    rule = options["rule"] if options["at_once"] == 1 else "all"
    configs: dict[str, Callable[[], Any]] = {
        "all": sdk.config.CompletionConfig.all_completed,
        "fail fast": sdk.config.CompletionConfig,
        "first": lambda: sdk.config.CompletionConfig(min_successful=1 if options["branches"] else None),
        "one failure": lambda: sdk.config.CompletionConfig(tolerated_failure_count=1),
    }
    return configs[rule]()


KINDS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "step": step,
    "wait": wait,
    "child": child,
    "condition": condition,
    "callback": callback,
    "wait for callback": wait_for_callback,
    "invoke": invoke,
    "retried": retried,
    "batch": batch,
}
