"""Each operation through the driver: what is sent, in which requests, and what user code gets."""

from __future__ import annotations

import pytest

from durable_execution_sdk._drivers.binding import (
    durable_step,
    durable_wait_for_callback,
    durable_with_child_context,
)
from durable_execution_sdk._drivers.invocation import DurableFunction
from durable_execution_sdk._drivers.retrying import with_retry
from durable_execution_sdk._model.config import (
    CallbackConfig,
    ChildConfig,
    InvokeConfig,
    StepConfig,
    StepSemantics,
    WaitForCallbackConfig,
    WithRetryConfig,
)
from durable_execution_sdk._model.duration import Duration
from durable_execution_sdk._model.errors import (
    CallbackExternalError,
    CallbackSubmitterError,
    CallbackTimeoutError,
    ChildContextError,
    InvocationError,
    InvokeError,
    SerDesError,
    StepError,
    StepInterruptedError,
    ValidationError,
    WaitForConditionError,
)
from durable_execution_sdk._model.strategies import RetryDecision, WaitForConditionConfig, WaitForConditionDecision
from tests.support.fake_service import Crash, FakeService, LambdaContext
from tests.unit.drivers.scenario import first, sent, whole

ONCE = StepConfig(step_semantics=StepSemantics.AT_MOST_ONCE_PER_RETRY)


def after(seconds, attempts=3):
    return lambda error, attempt: (
        RetryDecision.retry(Duration(seconds)) if attempt < attempts else RetryDecision.no_retry()
    )


def caught(call):
    try:
        return call()
    except Exception as error:
        return error


# --- step -------------------------------------------------------------------------------------------------------------


def test_a_step_is_one_request():
    output, service = first(lambda got, ctx: [ctx.step(lambda step: step.attempt, name="a"), ctx.step(lambda step: 2)])
    assert output["Result"] == "[1, 2]"
    assert sent(service) == [
        [("STEP", "START", "a"), ("STEP", "SUCCEED", "a")],
        [("STEP", "START", ""), ("STEP", "SUCCEED", "")],
    ]


def test_a_step_that_runs_at_most_once_is_confirmed_first():
    _, service = first(lambda got, ctx: ctx.step(lambda step: 1, "a", ONCE))
    assert sent(service) == [[("STEP", "START", "a")], [("STEP", "SUCCEED", "a")]]


def test_retries_count_attempts_and_wait_in_between():
    attempts = []

    def body(step):
        attempts.append(step.attempt)
        if step.attempt < 3:
            raise ValueError(step.attempt)
        return "done"

    output, service = whole(lambda got, ctx: ctx.step(body, "a", StepConfig(after(7))))
    assert output["Result"] == '"done"'
    assert attempts == [1, 2, 3]
    assert service.invocations == 3
    assert service.clock.now_ms() - service.execution["StartMs"] == 14_000
    retry = service.requests[0][1]
    assert retry["Error"] == {"ErrorMessage": "1", "ErrorType": "ValueError"}
    assert retry["StepOptions"] == {"NextAttemptDelaySeconds": 7}


def test_delays_are_at_least_a_second(caplog):
    _, service = first(lambda got, ctx: ctx.step(lambda step: 1 / 0, "a", StepConfig(after(0))))
    assert service.requests[0][1]["StepOptions"] == {"NextAttemptDelaySeconds": 1}
    assert "at least 1" in caplog.text


def test_a_failed_step_raises_the_same_at_replay():
    seen = []

    def handler(got, ctx):
        error = caught(lambda: ctx.step(lambda step: 1 / 0, "a", StepConfig(after(1, attempts=1))))
        seen.append((type(error), str(error), error.error_type, type(error.__cause__), error.__context__))
        ctx.wait(Duration(1))

    whole(handler)
    assert len(seen) == 2
    assert seen[0] == seen[1]
    assert seen[0][:3] == (StepError, "division by zero", "ZeroDivisionError")


def test_what_user_code_gets_is_what_the_serdes_reads():
    given = {"a": (1, 2), 3: None}
    output, _ = first(lambda got, ctx: repr(ctx.step(lambda step: given)))
    assert output["Result"] == "\"{'a': (1, 2), '3': None}\""


def test_a_result_that_cannot_be_written_fails_the_step_without_retry():
    output, service = first(lambda got, ctx: str(type(caught(lambda: ctx.step(lambda step: {1}, "a")))))
    assert SerDesError.__name__ in output["Result"]
    assert sent(service) == [[("STEP", "START", "a"), ("STEP", "FAIL", "a")]]


def test_a_payload_over_the_limit_fails_the_step_with_its_size():
    _, service = first(lambda got, ctx: caught(lambda: ctx.step(lambda step: "x" * 6_291_456, "big")) and None)
    [[_, fail]] = service.requests
    assert "6291458 bytes" in fail["Error"]["ErrorMessage"]
    assert "'big'" in fail["Error"]["ErrorMessage"]


def test_a_payload_that_the_service_may_refuse_is_warned_of(caplog):
    first(lambda got, ctx: ctx.step(lambda step: "x" * 1_048_576, "big"))
    assert "1048578 bytes" in caplog.text


def test_an_interrupted_attempt_is_the_strategys_business():
    told = []

    def strategy(error, attempt):
        told.append((type(error), attempt))
        return RetryDecision.retry(Duration(2))

    crashes = []

    def crash_once(phase, number):
        if phase == "before" and number == 2 and not crashes:
            crashes.append(number)
            raise Crash

    service = FakeService(fault=crash_once)
    runs = []
    config = StepConfig(strategy, StepSemantics.AT_MOST_ONCE_PER_RETRY)
    output, _ = whole(lambda got, ctx: ctx.step(lambda step: runs.append(step.attempt), "a", config), service)
    assert output["Status"] == "SUCCEEDED"
    assert told == [(StepInterruptedError, 1)]
    assert runs == [1, 2]


def test_signals_and_exits_of_a_body_record_nothing():
    def body(step):
        raise KeyboardInterrupt

    service = FakeService()
    with pytest.raises(KeyboardInterrupt):
        first(lambda got, ctx: ctx.step(body, "a"), service)
    assert sent(service) == []


def test_names():
    @durable_step
    def charge(step, order, *, fee=0):
        return [order, fee]

    _, service = first(
        lambda got, ctx: [
            ctx.step(charge(7, fee=1)),
            ctx.step(charge(7), name="other"),
            ctx.step(charge(7), name=""),
            ctx.step(lambda step: 1),
        ]
    )
    assert [request[0][2] for request in sent(service)] == ["charge", "other", "charge", ""]


# --- wait -------------------------------------------------------------------------------------------------------------


def test_a_wait_suspends_until_its_time():
    output, service = first(lambda got, ctx: ctx.wait({"minutes": 1}, "w"))
    assert output == {"Status": "PENDING"}
    assert service.requests[0][0]["WaitOptions"] == {"WaitSeconds": 60}
    output, service = whole(lambda got, ctx: ctx.wait(Duration(60)))
    assert output == {"Status": "SUCCEEDED", "Result": "null"}
    assert service.clock.now_ms() - service.execution["StartMs"] == 60_000


@pytest.mark.parametrize("duration", [Duration(0), 5, {"weeks": 1}, None])
def test_a_bad_duration_takes_no_id(duration):
    def handler(got, ctx):
        with pytest.raises(ValidationError, match="duration"):
            ctx.wait(duration)
        return ctx.step(lambda step: 1)

    _, service = first(handler)
    assert service.requests[0][0]["Id"].startswith("1ced8f5b")


# --- child contexts ---------------------------------------------------------------------------------------------------


def test_a_child_with_a_step():
    def child(ctx):
        return ctx.step(lambda step: 1, "in")

    output, service = first(lambda got, ctx: ctx.run_in_child_context(child, "kid"))
    assert output["Result"] == "1"
    assert sent(service) == [
        [("CONTEXT", "START", "kid"), ("STEP", "START", "in"), ("STEP", "SUCCEED", "in")],
        [("CONTEXT", "SUCCEED", "kid")],
    ]
    assert service.requests[0][1]["ParentId"] == service.requests[0][0]["Id"]
    assert service.requests[0][1]["Id"].startswith("974bfc63")


def test_a_virtual_child_leaves_only_the_prefix():
    def child(ctx):
        assert ctx.is_virtual
        return ctx.step(lambda step: 1, "in")

    _, service = first(lambda got, ctx: ctx.run_in_child_context(child, "kid", ChildConfig(is_virtual=True)))
    [[start, _]] = service.requests
    assert start["Id"].startswith("974bfc63")
    assert "ParentId" not in start


def test_a_large_result_is_made_again_from_the_children():
    bodies = []

    def child(ctx):
        bodies.append(1)
        return [ctx.step(lambda step: "x" * 200_000) for _ in range(2)]

    def handler(got, ctx):
        result = ctx.run_in_child_context(
            child, "kid", ChildConfig(summary_generator=lambda parts: f"{len(parts)} parts")
        )
        ctx.wait(Duration(1))
        return [len(part) for part in result]

    output, service = whole(handler)
    assert output["Result"] == "[200000, 200000]"
    assert len(bodies) == 2
    end = [update for update in service.updates() if update["Action"] == "SUCCEED" and update["Type"] == "CONTEXT"]
    assert [(update["Payload"], update["ContextOptions"]) for update in end] == [("2 parts", {"ReplayChildren": True})]


def test_errors_of_children():
    def handler(got, ctx):
        inner = caught(
            lambda: ctx.run_in_child_context(lambda child: child.step(lambda step: 1 / 0, config=no_retry), "kid")
        )
        return [type(inner).__name__, inner.error_type, type(inner.__cause__).__name__]

    no_retry = StepConfig(after(1, attempts=1))
    output, _ = first(handler)
    assert (
        output["Result"]
        == '["ChildContextError", "aws_durable_execution_sdk_python.exceptions.StepError", "StepError"]'
    )


def test_an_error_mapper_speaks_at_the_call_site_on_every_run():
    class Declined(Exception):
        pass

    seen = []

    def child(ctx):
        raise ValueError("no funds")

    def handler(got, ctx):
        config = ChildConfig(error_mapper=lambda error: Declined(error.message))
        seen.append(caught(lambda: ctx.run_in_child_context(child, "kid", config)))
        ctx.wait(Duration(1))

    whole(handler)
    assert [type(error) for error in seen] == [Declined, Declined]
    assert [str(error) for error in seen] == ["no funds", "no funds"]


def test_children_are_named_after_decorated_functions():
    @durable_with_child_context
    def settle(child, batch):
        return child.step(lambda step: batch)

    output, service = first(lambda got, ctx: ctx.run_in_child_context(settle([1, 2])))
    assert output["Result"] == "[1, 2]"
    assert sent(service)[0][0] == ("CONTEXT", "START", "settle")


# --- callbacks --------------------------------------------------------------------------------------------------------


def answer(service, **outcome):
    """Complete the only callback."""
    [key] = [op["CallbackId"] for op in service.operations.values() if "CallbackId" in op]
    service.complete_callback(key, **outcome)


def test_a_callback_is_created_once_and_answered_from_outside():
    def handler(got, ctx):
        callback = ctx.create_callback("cb", CallbackConfig(timeout=Duration(60)))
        ctx.step(lambda step: callback.callback_id, "tell")
        return callback.result()

    output, service = first(handler)
    assert output == {"Status": "PENDING"}
    assert service.requests[0][0]["CallbackOptions"] == {"TimeoutSeconds": 60, "HeartbeatTimeoutSeconds": 0}
    answer(service, result="yes")
    assert whole(handler, service)[0]["Result"] == '"yes"'


def test_a_callback_that_fails_or_times_out():
    def handler(got, ctx):
        error = caught(ctx.create_callback("cb", CallbackConfig(timeout=Duration(60))).result)
        return [type(error).__name__, str(error), error.data]

    _, service = first(handler)
    answer(service, error={"ErrorMessage": "no", "ErrorType": "X", "ErrorData": "d"})
    assert whole(handler, service)[0]["Result"] == f'["{CallbackExternalError.__name__}", "no", "d"]'
    assert CallbackTimeoutError.__name__ in whole(handler)[0]["Result"]


def test_wait_for_callback_hands_the_id_out_in_a_step():
    told = []

    @durable_wait_for_callback
    def ask(callback_id, context, who):
        told.append((callback_id, who))

    def handler(got, ctx):
        return ctx.wait_for_callback(ask("ann"), "approval")

    output, service = first(handler)
    assert output == {"Status": "PENDING"}
    assert sent(service) == [
        [("CONTEXT", "START", "approval"), ("CALLBACK", "START", "approval create callback id")],
        [("STEP", "START", "approval submitter"), ("STEP", "SUCCEED", "approval submitter")],
    ]
    answer(service, result='{"ok": true}')
    output, service = whole(handler, service)
    assert output["Result"] == '"{\\"ok\\": true}"'
    assert len(told) == 1
    assert service.requests[-1][0]["Payload"] == '"{\\"ok\\": true}"'


def test_errors_of_wait_for_callback():
    def handler(got, ctx):
        error = caught(lambda: ctx.wait_for_callback(lambda key, context: None, "a"))
        return [type(error).__name__, str(error)]

    _, service = first(handler)
    answer(service, error={"ErrorMessage": "no"})
    assert whole(handler, service)[0]["Result"] == f'["{CallbackExternalError.__name__}", "no"]'

    def submitter(key, context):
        raise ValueError("unreachable")

    def failing(got, ctx):
        config = WaitForCallbackConfig(retry_strategy=after(1, attempts=1))
        error = caught(lambda: ctx.wait_for_callback(submitter, "a", config))
        return [type(error).__name__, str(error), type(error.__cause__).__name__]

    assert whole(failing)[0]["Result"] == f'["{CallbackSubmitterError.__name__}", "unreachable", "StepError"]'


# --- invoke -----------------------------------------------------------------------------------------------------------


def test_an_invoke_sends_json_and_reads_json():
    service = FakeService()
    service.functions["double"] = lambda got: {"doubled": got["n"] * 2}
    output, _ = whole(lambda got, ctx: ctx.invoke("double", {"n": 2}, "d", InvokeConfig(tenant_id="t1")), service)
    assert output["Result"] == '{"doubled": 4}'
    [[start]] = service.requests
    assert start["Payload"] == '{"n": 2}'
    assert start["ChainedInvokeOptions"] == {"FunctionName": "double", "TenantId": "t1"}


def test_an_invoke_that_fails():
    def handler(got, ctx):
        error = caught(lambda: ctx.invoke("nowhere", None))
        return [type(error).__name__, error.error_type]

    assert first(handler)[0]["Result"] == f'["{InvokeError.__name__}", "ResourceNotFoundException"]'


# --- conditions -------------------------------------------------------------------------------------------------------


def until(limit):
    return lambda state, attempt: (
        WaitForConditionDecision.stop_polling()
        if state >= limit
        else WaitForConditionDecision.continue_waiting(Duration(9))
    )


def test_a_condition_keeps_its_state_between_checks():
    checks = []

    def check(state, context):
        checks.append((state, context.attempt))
        return state + 1

    config = WaitForConditionConfig(wait_strategy=until(3), initial_state=0)
    output, service = whole(lambda got, ctx: ctx.wait_for_condition(check, config, "c"))
    assert output["Result"] == "3"
    assert checks == [(0, 1), (1, 2), (2, 3)]
    assert service.clock.now_ms() - service.execution["StartMs"] == 18_000
    assert [update.get("Payload") for update in service.updates()] == [None, "1", None, "2", None, "3"]


def test_a_check_that_raises_fails_the_condition():
    config = WaitForConditionConfig(wait_strategy=until(3), initial_state=0)

    def handler(got, ctx):
        error = caught(lambda: ctx.wait_for_condition(lambda state, context: 1 / 0, config))
        return [type(error).__name__, error.error_type]

    assert first(handler)[0]["Result"] == f'["{WaitForConditionError.__name__}", "ZeroDivisionError"]'


@pytest.mark.parametrize(("check", "config"), [(None, object()), (lambda state, context: state, None)])
def test_a_condition_without_check_or_config_takes_no_id(check, config):
    def handler(got, ctx):
        with pytest.raises(ValidationError):
            ctx.wait_for_condition(check, config)
        return ctx.step(lambda step: 1)

    _, service = first(handler)
    assert service.requests[0][0]["Id"].startswith("1ced8f5b")


# --- with_retry -------------------------------------------------------------------------------------------------------


def test_with_retry_waits_between_runs():
    def body(ctx, run):
        ctx.step(lambda step: run, f"s{run}")
        if run < 3:
            raise ValueError(run)
        return run

    config = WithRetryConfig(retry_strategy=after(5))
    output, service = whole(lambda got, ctx: with_retry(ctx, body, config, "r"))
    assert output["Result"] == "3"
    names = [update["Name"] for update in service.updates() if update["Action"] == "START"]
    assert names == ["r", "s1", "r-backoff-1", "s2", "r-backoff-2", "s3"]


def test_with_retry_gives_up_with_or_without_a_context():
    def body(ctx, run):
        raise ValueError(run)

    def handler(got, ctx):
        wrapped = caught(lambda: with_retry(ctx, body, WithRetryConfig(retry_strategy=after(5, attempts=1))))
        bare = WithRetryConfig(retry_strategy=after(5, attempts=1), wrap_with_run_in_child_context=False)
        return [type(wrapped).__name__, type(caught(lambda: with_retry(ctx, body, bare))).__name__]

    assert whole(handler)[0]["Result"] == f'["{ChildContextError.__name__}", "ValueError"]'


# --- async bodies -----------------------------------------------------------------------------------------------------


def test_async_bodies_under_a_def_handler():
    async def body(step):
        return step.attempt

    async def check(state, context):
        return state + 1

    def handler(got, ctx):
        config = WaitForConditionConfig(wait_strategy=until(1), initial_state=0)
        return [ctx.step(body), ctx.wait_for_condition(check, config)]

    assert first(handler)[0]["Result"] == "[1, 1]"


# --- the deadline -----------------------------------------------------------------------------------------------------


def test_no_user_code_starts_near_the_deadline():
    remaining = [30_000]
    ran = []

    def body(step):
        ran.append(step.attempt)
        remaining[0] = 1_999

    def handler(got, ctx):
        ctx.step(body, "a")
        ctx.step(body, "b")

    service = FakeService()
    with pytest.raises(InvocationError, match="deadline"):
        service.invoke(DurableFunction(handler), LambdaContext(lambda: remaining[0]))
    assert ran == [1]
    assert sent(service) == [[("STEP", "START", "a"), ("STEP", "SUCCEED", "a")]]


def test_near_the_deadline_the_answer_is_pending_if_the_service_will_have_news():
    remaining = [1_000]

    def handler(got, ctx):
        ctx.create_callback("cb")
        remaining[0] = 100
        ctx.step(lambda step: 1, "late")

    service = FakeService()
    assert service.invoke(DurableFunction(handler), LambdaContext(lambda: remaining[0])) == {"Status": "PENDING"}
    assert sent(service) == [[("CALLBACK", "START", "cb")]]


@pytest.mark.parametrize(("given", "last", "too_late"), [(10_000, 1_001, 999), (60_000, 2_001, 1_999)])
def test_the_guard_band_is_two_seconds_or_a_tenth_of_the_time_given(given, last, too_late):
    remaining = [given]
    ran = []

    def handler(got, ctx):
        for left in (last, too_late, 0):
            ctx.step(lambda step, left=left: ran.append(left))
            remaining[0] = left

    with pytest.raises(InvocationError, match="deadline"):
        FakeService().invoke(DurableFunction(handler), LambdaContext(lambda: remaining[0]))
    assert ran == [last, too_late]
