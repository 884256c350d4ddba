"""The envelope: events, inputs, outcomes, sizes."""

from __future__ import annotations

import json
import threading

import pytest

from durable_execution_sdk._drivers.invocation import RESPONSE_LIMIT_BYTES, DurableFunction
from durable_execution_sdk._model.api_errors import CheckpointError, DurableApiErrorCategory, GetExecutionStateError
from durable_execution_sdk._model.duration import Duration
from durable_execution_sdk._model.errors import (
    DurableExecutionsError,
    ExecutionError,
    InvocationError,
    SerDesError,
    ValidationError,
)
from durable_execution_sdk._model.signals import SuspendExecution, TimedSuspendExecution
from tests.support.fake_service import ARN, EXECUTION_ID, FakeService, LambdaContext, VirtualClock
from tests.unit.drivers.scenario import first

OFFICIAL = "aws_durable_execution_sdk_python.exceptions"


def echo(event, ctx):
    return event


def event(**changes):
    return {"DurableExecutionArn": ARN, "CheckpointToken": "t", "InitialExecutionState": {"Operations": []}} | changes


def invoke(sent, handler=echo, transport=None):
    return DurableFunction(handler).invoke(sent, LambdaContext(), transport or FakeService(), VirtualClock())


# --- events -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad",
    [
        None,
        [],
        "text",
        {},
        {"DurableExecutionArn": ARN},
        {"CheckpointToken": "t"},
        event(InitialExecutionState=None),
        event(InitialExecutionState={"Operations": [{"Type": "STEP", "Status": "STARTED"}]}),
    ],
)
def test_an_event_of_another_kind_is_raised(bad):
    with pytest.raises(ExecutionError, match=r"[Uu]nexpected payload"):
        invoke(bad)


@pytest.mark.parametrize("field", ["Type", "Status"])
def test_unknown_types_and_statuses_are_raised(field):
    operation = {"Id": "a", "Type": "STEP", "Status": "STARTED", field: "NEW_IN_2030"}
    with pytest.raises(ValueError, match="NEW_IN_2030"):
        invoke(event(InitialExecutionState={"Operations": [operation]}))


@pytest.mark.parametrize(
    "state", [{}, {"Operations": None}, {"Operations": [], "NextMarker": ""}, {"NextMarker": None}]
)
def test_an_empty_first_page_is_an_empty_history(state):
    assert invoke(event(InitialExecutionState=state, Surplus=1)) == {"Status": "SUCCEEDED", "Result": "{}"}


def test_a_missing_first_page_is_an_empty_history():
    sent = event()
    del sent["InitialExecutionState"]
    assert invoke(sent) == {"Status": "SUCCEEDED", "Result": "{}"}


# --- input ------------------------------------------------------------------------------------------------------------


def execution(payload, **changes):
    details = {} if payload is None else {"InputPayload": payload}
    operation = {"Id": EXECUTION_ID, "Type": "EXECUTION", "Status": "STARTED", "ExecutionDetails": details} | changes
    return event(InitialExecutionState={"Operations": [operation]})


@pytest.mark.parametrize(
    ("payload", "result"),
    [
        (None, "{}"),
        ("", "{}"),
        (" \n", "{}"),
        ("null", "null"),
        ("[1]", "[1]"),
        ("3", "3"),
        ('{"a": "é"}', '{"a": "\\u00e9"}'),
    ],
)
def test_inputs(payload, result):
    assert invoke(execution(payload)) == {"Status": "SUCCEEDED", "Result": result}


def test_input_that_is_not_json_is_raised():
    with pytest.raises(json.JSONDecodeError):
        invoke(execution("{"))


def test_the_execution_is_the_operation_named_by_the_arn():
    other = execution('"mine"')["InitialExecutionState"]["Operations"]
    operations = [{"Id": "zz", "Type": "STEP", "Status": "STARTED"}, *other]
    assert invoke(event(InitialExecutionState={"Operations": operations}))["Result"] == '"mine"'
    with pytest.raises(DurableExecutionsError, match="EXECUTION"):
        invoke(execution("1", Type="STEP"))


def test_the_execution_may_come_on_a_later_page():
    service = FakeService({"n": 1}, page_size=1)

    def handler(got, ctx):
        return [ctx.step(lambda step: got["n"], name=f"s{i}") for i in range(3)]

    assert service.run(DurableFunction(handler))["Result"] == "[1, 1, 1]"
    sent = service.event()
    sent["InitialExecutionState"] = {"Operations": [], "NextMarker": "all:0"}
    again = DurableFunction(handler).invoke(sent, LambdaContext(), service, service.clock)
    assert again["Result"] == "[1, 1, 1]"
    assert service.fetched[-4:] == ["all:0", "all:1", "all:2", "all:3"]


class Unreadable(FakeService):
    category = DurableApiErrorCategory.EXECUTION

    def fetch_state(self, arn, token, marker, max_items):
        raise GetExecutionStateError("no", self.category)


def test_a_history_that_cannot_be_read_fails_or_is_raised():
    sent = event(InitialExecutionState={"NextMarker": "all:1"})
    failed = invoke(sent, transport=Unreadable())
    assert failed["Status"] == "FAILED"
    assert failed["Error"]["ErrorType"] == f"{OFFICIAL}.GetExecutionStateError"
    again = Unreadable()
    again.category = DurableApiErrorCategory.INVOCATION
    with pytest.raises(GetExecutionStateError):
        invoke(sent, transport=again)


# --- outcomes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "text"),
    [(None, "null"), ({"a": [1, 2.5]}, '{"a": [1, 2.5]}'), ("é", '"\\u00e9"'), (float("nan"), "NaN")],
)
def test_results_are_plain_json(result, text):
    assert first(lambda got, ctx: result)[0] == {"Status": "SUCCEEDED", "Result": text}


def test_a_result_without_json_form_fails():
    output, _ = first(lambda got, ctx: {1, 2})
    assert output["Status"] == "FAILED"
    assert output["Error"]["ErrorType"] == "TypeError"


def raising(error):
    def handler(got, ctx):
        raise error

    return handler


@pytest.mark.parametrize("signal", [SuspendExecution("s"), TimedSuspendExecution("s", 5.0)])
def test_suspension_is_pending(signal):
    assert first(raising(signal))[0] == {"Status": "PENDING"}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("x"), "ValueError"),
        (ExecutionError("x"), f"{OFFICIAL}.ExecutionError"),
        (ValidationError("x"), f"{OFFICIAL}.ValidationError"),
        (SerDesError("x"), f"{OFFICIAL}.SerDesError"),
        (CheckpointError("x", DurableApiErrorCategory.EXECUTION), f"{OFFICIAL}.CheckpointError"),
    ],
)
def test_errors_fail_the_execution(error, kind):
    output, _ = first(raising(error))
    assert output["Status"] == "FAILED"
    assert output["Error"]["ErrorType"] == kind
    assert output["Error"]["ErrorMessage"] == "x"


@pytest.mark.parametrize(
    "error", [InvocationError("x"), CheckpointError("x"), KeyboardInterrupt(), SystemExit(3), GeneratorExit()]
)
def test_errors_that_are_raised(error):
    with pytest.raises(type(error)):
        first(raising(error))


def test_a_large_result_is_checkpointed():
    fits = "x" * (RESPONSE_LIMIT_BYTES - 2)
    output, service = first(lambda got, ctx: fits)
    assert output == {"Status": "SUCCEEDED", "Result": f'"{fits}"'}
    assert service.requests == []
    output, service = first(lambda got, ctx: fits + "x")
    assert output == {"Status": "SUCCEEDED", "Result": ""}
    [[update]] = service.requests
    assert (update["Type"], update["Action"], update["Payload"]) == ("EXECUTION", "SUCCEED", f'"{fits}x"')
    assert update["Id"].startswith("execution-result-")


def test_a_result_that_no_checkpoint_takes_fails():
    output, service = first(lambda got, ctx: "x" * 6_291_456)
    assert output["Status"] == "FAILED"
    assert "6291458 bytes" in output["Error"]["ErrorMessage"]
    assert service.requests == []


@pytest.mark.parametrize(("kind", "name"), [(ValueError, "ValueError"), (ExecutionError, f"{OFFICIAL}.ExecutionError")])
def test_a_large_error_is_checkpointed(kind, name):
    output, service = first(raising(kind("x" * RESPONSE_LIMIT_BYTES)))
    assert output == {"Status": "FAILED"}
    [[update]] = service.requests
    assert (update["Type"], update["Action"]) == ("EXECUTION", "FAIL")
    assert update["Error"]["ErrorType"] == name


def test_a_large_error_of_the_checkpoint_itself_is_returned_as_it_is():
    error = CheckpointError("x" * RESPONSE_LIMIT_BYTES, DurableApiErrorCategory.EXECUTION)
    assert first(one_step, Broken(error))[0]["Error"]["ErrorMessage"] == str(error)


# --- checkpoints that fail --------------------------------------------------------------------------------------------


class Broken(FakeService):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def checkpoint(self, arn, request):
        raise self.error


def one_step(got, ctx):
    return ctx.step(lambda step: 1)


def test_a_failed_checkpoint_is_raised_if_a_retry_can_help():
    error = CheckpointError("later")
    with pytest.raises(CheckpointError) as caught:
        first(one_step, Broken(error))
    assert caught.value is error
    with pytest.raises(ZeroDivisionError):
        first(one_step, Broken(ZeroDivisionError()))


def test_a_failed_checkpoint_fails_the_execution_if_no_retry_can_help():
    output, _ = first(one_step, Broken(CheckpointError("never", DurableApiErrorCategory.EXECUTION)))
    assert output["Status"] == "FAILED"
    assert output["Error"] == {"ErrorMessage": "never", "ErrorType": f"{OFFICIAL}.CheckpointError"}


def test_user_code_cannot_swallow_a_failed_checkpoint():
    def handler(got, ctx):
        try:
            one_step(got, ctx)
        except BaseException:
            return "swallowed"

    with pytest.raises(CheckpointError):
        first(handler, Broken(CheckpointError("later")))


def test_a_revoked_token_is_pending_whatever_else_happens():
    def handler(got, ctx):
        try:
            ctx.step(lambda step: 1)
        finally:
            raise ValueError("other")

    service = FakeService()
    service.revoke_at = 1
    assert first(handler, service)[0] == {"Status": "PENDING"}


# --- threads ----------------------------------------------------------------------------------------------------------


def test_user_code_runs_on_the_calling_thread_and_nothing_is_left():
    seen = []

    def handler(got, ctx):
        seen.append(threading.get_ident())
        for _ in range(3):
            ctx.step(lambda step: seen.append(threading.get_ident()))
        ctx.run_in_child_context(lambda child: seen.append(threading.get_ident()))
        ctx.wait(Duration(1))

    before = threading.active_count()
    assert first(handler)[0] == {"Status": "PENDING"}
    assert set(seen) == {threading.get_ident()}
    assert threading.active_count() == before
