"""Callbacks and invokes: what the world outside answers."""

from __future__ import annotations

from typing import Any

from tests.compat.scenarios.registry import Boom, caught, no_retry, retries, scenario, seconds
from tests.compat.service import Outcome, Script

REFUSED = {"ErrorMessage": "refused", "ErrorType": "Approval.Refused", "ErrorData": "by the bank"}
TIMEOUT = {"ErrorMessage": "too late", "ErrorType": "Callback.Timeout"}
HEARTBEAT = {"ErrorMessage": "no heartbeat", "ErrorType": "Callback.Heartbeat"}

ANSWERS = Script(
    callbacks={
        "yes": Outcome(result='{"approved": true}'),
        "empty": Outcome(),
        "no": Outcome("FAILED", error=REFUSED),
        "bare no": Outcome("FAILED"),
        "late": Outcome("TIMED_OUT", error=TIMEOUT),
        "quiet": Outcome("TIMED_OUT", error=HEARTBEAT),
        "at once": Outcome(result="quick"),
        "wfc create callback id": Outcome(result="from outside"),
        "wfc no create callback id": Outcome("FAILED", error=REFUSED),
        "wfc late create callback id": Outcome("TIMED_OUT", error=TIMEOUT),
        "create callback id": Outcome(result="unnamed"),
    },
    at_once=frozenset({"at once"}),
)


@scenario(script=ANSWERS)
def callbacks_answered(sdk: Any, event: Any, ctx: Any) -> Any:
    config = sdk.config.CallbackConfig(timeout=seconds(sdk, 60), heartbeat_timeout=seconds(sdk, 5))
    first, empty = ctx.create_callback("yes"), ctx.create_callback("empty", config)
    ctx.step(lambda _: [first.callback_id, empty.callback_id], "send the ids")
    parsed = sdk.config.CallbackConfig(serdes=sdk.serdes.JsonSerDes(), sub_type="Approval")
    return [
        first.result(),
        empty.result(),
        ctx.create_callback("at once").result(),
        ctx.create_callback("yes", parsed).result(),
        first.result(),
    ]


@scenario(script=ANSWERS)
def callbacks_refused(sdk: Any, event: Any, ctx: Any) -> Any:
    found = []
    for name in ("no", "late", "quiet"):
        callback = ctx.create_callback(name)
        found.append(caught(callback.result))
    bare = caught(ctx.create_callback("bare no").result)
    return [found, bare["class"], bare["error_type"]]


@scenario(script=ANSWERS)
def callback_refused_uncaught(sdk: Any, event: Any, ctx: Any) -> Any:
    ctx.create_callback("no").result()


@scenario(script=ANSWERS)
def wait_for_callback(sdk: Any, event: Any, ctx: Any) -> Any:
    sent = []

    def submit(callback_id: str, context: Any) -> None:
        sent.append(callback_id)

    found = [ctx.wait_for_callback(submit, "wfc")]
    found.append(ctx.wait_for_callback(submit))

    @sdk.top.durable_wait_for_callback
    def named(callback_id: str, context: Any, order: str) -> None:
        sent.append(order + callback_id)

    config = sdk.config.WaitForCallbackConfig(timeout=seconds(sdk, 90), sub_type="Approval")
    found.append(ctx.wait_for_callback(named("A"), "wfc", config))
    return found


@scenario(script=ANSWERS)
def wait_for_callback_fails(sdk: Any, event: Any, ctx: Any) -> Any:
    def submit(callback_id: str, context: Any) -> None:
        return None

    def broken(callback_id: str, context: Any) -> None:
        raise Boom("cannot send")

    once = sdk.config.WaitForCallbackConfig(retry_strategy=sdk.retries.RetryPresets.none())
    return [
        caught(lambda: ctx.wait_for_callback(submit, "wfc no")),
        caught(lambda: ctx.wait_for_callback(submit, "wfc late")),
        caught(lambda: ctx.wait_for_callback(broken, "broken", once)),
    ]


@scenario(script=ANSWERS)
def submitter_is_retried(sdk: Any, event: Any, ctx: Any) -> Any:
    def broken(callback_id: str, context: Any) -> None:
        raise Boom("cannot send yet")

    config = sdk.config.WaitForCallbackConfig(retry_strategy=retries(sdk, 3))
    return caught(lambda: ctx.wait_for_callback(broken, "wfc", config))


INVOKED = Script(
    invokes={
        "double": Outcome(result='{"doubled": 4}'),
        "nothing": Outcome(result=None),
        "fails": Outcome("FAILED", error={"ErrorMessage": "bad", "ErrorType": "Shop.Bad", "ErrorData": "d"}),
        "times-out": Outcome("TIMED_OUT", error={"ErrorMessage": "slow", "ErrorType": "ChainedInvoke.Timeout"}),
        "stopped": Outcome("STOPPED", error={"ErrorMessage": "halt", "ErrorType": "Stopped"}),
        "quick": Outcome(result='"quick"'),
        "raw": Outcome(result="not json"),
    },
    at_once=frozenset({"quick"}),
)


@scenario(script=INVOKED)
def invokes(sdk: Any, event: Any, ctx: Any) -> Any:
    raw = sdk.config.InvokeConfig(
        serdes_payload=sdk.serdes.PassThroughSerDes(), serdes_result=sdk.serdes.PassThroughSerDes(), tenant_id="t-1"
    )
    return [
        ctx.invoke("double", {"n": 2, "text": "é"}, "doubling"),
        ctx.invoke("nothing", None),
        ctx.invoke("quick", [1]),
        ctx.invoke("raw", "as it is", "raw", raw),
    ]


@scenario(script=INVOKED)
def invokes_fail(sdk: Any, event: Any, ctx: Any) -> Any:
    return [caught(lambda name=name: ctx.invoke(name, 1, name)) for name in ("fails", "times-out", "stopped")]


@scenario(script=INVOKED)
def invoke_fails_uncaught(sdk: Any, event: Any, ctx: Any) -> Any:
    ctx.step(lambda _: 1, "one", no_retry(sdk))
    ctx.invoke("fails", 1)
