"""Whole invocations against the service on the loopback interface, through each transport."""

from __future__ import annotations

import json
from typing import Any

import pytest

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk._edges.entry import LambdaHandler
from durable_execution_sdk.config import Duration
from durable_execution_sdk.exceptions import CheckpointError, GetExecutionStateError
from durable_execution_sdk.lambda_service import LambdaClient
from tests.support.loopback import (
    ACCESS_KEY,
    SECRET_KEY,
    Garble,
    Loopback,
    LostResponse,
    Refuse,
    ResetBefore,
    Truncate,
    boto3_client,
)

ran: list[str] = []
CHECKPOINT_ERROR = "aws_durable_execution_sdk_python.exceptions.CheckpointError"
STATE_ERROR = "aws_durable_execution_sdk_python.exceptions.GetExecutionStateError"


def settle_order(event: Any, ctx: DurableContext) -> Any:
    def charge(_: Any) -> str:
        ran.append("charge")
        return f"charged {event['order']}"

    def ship(_: Any) -> str:
        ran.append("ship")
        return "shipped"

    charged = ctx.step(charge, name="charge")
    ctx.wait(Duration.from_seconds(60), name="cool off")
    return [charged, ctx.step(ship, name="ship")]


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    ran.clear()


class Delegating:
    """A boto3 client in the wrapper of somebody who traces calls: no events, parsed answers."""

    def __init__(self, client: Any) -> None:
        self.checkpoint_durable_execution = client.checkpoint_durable_execution
        self.get_durable_execution_state = client.get_durable_execution_state


class Traced(LambdaClient):
    """A service client of the user's: every answer passes through its dataclasses."""


@pytest.fixture(params=["boto3", "light", "wrapper", "client"])
def handler(request: pytest.FixtureRequest, service: Loopback, monkeypatch: pytest.MonkeyPatch) -> LambdaHandler:
    if request.param == "boto3":
        return durable_execution(settle_order, boto3_client=boto3_client(service))
    if request.param == "wrapper":
        return durable_execution(settle_order, boto3_client=Delegating(boto3_client(service)))  # type: ignore[arg-type]  # duck-typed
    if request.param == "client":
        return durable_execution(settle_order, durable_execution_client=Traced(boto3_client(service)))
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", service.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    return durable_execution(settle_order, transport="light")


def actions(updates: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(update["Name"], update["Action"]) for update in updates]


RESULT = {"Status": "SUCCEEDED", "Result": '["charged 7", "shipped"]'}
UPDATES = [
    ("charge", "START"),
    ("charge", "SUCCEED"),
    ("cool off", "START"),
    ("ship", "START"),
    ("ship", "SUCCEED"),
]


def wait_id(execution: Any) -> str:
    (found,) = (key for key, operation in execution.operations.items() if operation["Type"] == "WAIT")
    return str(found)


def test_an_execution_runs_over_two_invocations(service: Loopback, handler: LambdaHandler) -> None:
    execution = service.start('{"order": 7}')
    assert handler(execution.event(), None) == {"Status": "PENDING"}
    assert len(service.received) == 2, "one request for the step, one for the wait"
    execution.complete(wait_id(execution))
    assert handler(execution.event(), None) == RESULT
    assert actions(execution.updates) == UPDATES
    assert ran == ["charge", "ship"]


@pytest.mark.parametrize(
    "fault",
    [LostResponse(), ResetBefore(), Refuse(429, "TooManyRequestsException"), Refuse(503, "ServiceUnavailable")],
    ids=lambda fault: type(fault).__name__ + getattr(fault, "code", ""),
)
def test_a_fault_before_every_answer_changes_nothing(
    service: Loopback, handler: LambdaHandler, delays: list[float], fault: Any
) -> None:
    execution = service.start('{"order": 7}')
    plain = Refuse(500, "ServiceException")
    service.fail_next(fault, plain, None, fault, None)
    assert handler(execution.event(), None) == {"Status": "PENDING"}
    execution.complete(wait_id(execution))
    service.fail_next(fault)
    assert handler(execution.event(), None) == RESULT
    assert actions(execution.updates) == UPDATES
    assert ran == ["charge", "ship"]


@pytest.mark.parametrize(
    "faults",
    [
        [Refuse(429, "TooManyRequestsException")] * 3,
        [Refuse(500, "ServiceException")] * 3,
        [ResetBefore()] * 3,
        [Truncate(0)] * 3,
        [Garble(b'{"CheckpointToken": "dA==", "NewExecution')],
        [Garble(b"")],
        [Garble(b'{"CheckpointToken": "dA==", "NewExecutionState": {"Operations": [{"Id": "x"}]}}')],
        [Refuse(400, "InvalidParameterValueException", "Invalid checkpoint token: superseded")],
    ],
    ids=lambda faults: f"{len(faults)} {faults[0]}"[:60],
)
def test_what_the_next_invocation_may_find_mended_is_raised(
    service: Loopback, handler: LambdaHandler, delays: list[float], faults: list[Any]
) -> None:
    execution = service.start('{"order": 7}')
    service.fail_next(*faults)
    with pytest.raises(CheckpointError) as caught:
        handler(execution.event(), None)
    assert caught.value.is_retryable()
    service.recover()  # a body cut short is sent for again by one transport and not by the other
    assert handler(execution.event(), None) == {"Status": "PENDING"}
    execution.complete(wait_id(execution))
    assert handler(execution.event(), None) == RESULT


@pytest.mark.parametrize(
    "fault",
    [
        Refuse(400, "InvalidParameterValueException", "no such parent"),
        Refuse(404, "ResourceNotFoundException", "no such execution"),
        Refuse(502, "KMSAccessDeniedException", "not allowed to use the key"),
    ],
    ids=lambda fault: fault.code,
)
def test_what_no_invocation_can_mend_fails_the_execution(
    service: Loopback, handler: LambdaHandler, delays: list[float], fault: Refuse
) -> None:
    execution = service.start('{"order": 7}')
    service.fail_next(*[fault] * 3)
    output = handler(execution.event(), None)
    assert output["Status"] == "FAILED"
    assert output["Error"]["ErrorType"] == CHECKPOINT_ERROR
    assert fault.message in output["Error"]["ErrorMessage"]


def test_a_withheld_token_ends_the_invocation_as_pending(service: Loopback, handler: LambdaHandler) -> None:
    execution = service.start('{"order": 7}')
    service.on_answer = lambda answer: {key: value for key, value in answer.items() if key != "CheckpointToken"}
    assert handler(execution.event(), None) == {"Status": "PENDING"}
    assert len(service.received) == 1


def test_an_event_without_a_token_fails_where_one_is_needed(service: Loopback, handler: LambdaHandler) -> None:
    execution = service.start('{"order": 7}')
    with pytest.raises(CheckpointError, match="without a checkpoint token"):
        handler(execution.event() | {"CheckpointToken": ""}, None)
    assert service.received == []


# --- pages ------------------------------------------------------------------------------------------------------------


def test_history_is_read_page_by_page(service: Loopback, handler: LambdaHandler) -> None:
    execution = service.start('{"order": 7}')
    handler(execution.event(), None)
    execution.complete(wait_id(execution))
    service.received.clear()
    service.page_size = 1
    assert handler(execution.event(page_size=0), None) == RESULT
    reads = [received for received in service.received if received.method == "GET"]
    assert [received.query.get("Marker") for received in reads] == ["0", "1", "2"]
    assert len({received.query["CheckpointToken"] for received in reads}) == 1
    assert ran == ["charge", "ship"]


def test_an_acknowledgement_may_continue_on_pages(service: Loopback, handler: LambdaHandler) -> None:
    """The waiting step goes on only when all its pages are there, read with the new token."""

    def on_pages(answer: dict[str, Any]) -> dict[str, Any]:
        if "NewExecutionState" not in answer:
            return answer
        return answer | {"NewExecutionState": {"Operations": [], "NextMarker": "0"}}

    execution = service.start('{"order": 7}')
    service.on_answer = on_pages
    service.page_size = 2
    assert handler(execution.event(), None) == {"Status": "PENDING"}
    assert [received.method for received in service.received] == ["POST", "GET", "POST", "GET", "GET"]
    tokens = [received.query["CheckpointToken"] for received in service.received if received.method == "GET"]
    assert tokens[0] != tokens[1] == tokens[2]


@pytest.mark.parametrize("faults", [[Refuse(500, "ServiceException")] * 3, [Garble(b"[]")], [Garble(b"{")]], ids=repr)
def test_a_page_that_cannot_be_read_is_raised(
    service: Loopback, handler: LambdaHandler, delays: list[float], faults: list[Any]
) -> None:
    execution = service.start('{"order": 7}')
    service.fail_next(*faults)
    with pytest.raises(GetExecutionStateError) as caught:
        handler(execution.event(page_size=0), None)
    assert caught.value.is_retryable()
    assert ran == []


def test_a_refused_page_fails_the_execution(service: Loopback, handler: LambdaHandler) -> None:
    execution = service.start('{"order": 7}')
    service.fail_next(Refuse(403, "AccessDeniedException", "lambda:GetDurableExecutionState is not allowed"))
    output = handler(execution.event(page_size=0), None)
    assert (output["Status"], output["Error"]["ErrorType"]) == ("FAILED", STATE_ERROR)
    assert ran == []


# --- other handlers -----------------------------------------------------------------------------------------------


def test_a_result_too_long_for_the_output_is_checkpointed(service: Loopback) -> None:
    text = "x" * (6 * 1024 * 1024 - 51)

    @durable_execution(boto3_client=boto3_client(service))
    def long_result(event: Any, ctx: DurableContext) -> str:
        return text

    execution = service.start("{}")
    assert long_result(execution.event(), None) == {"Status": "SUCCEEDED", "Result": ""}
    (update,) = execution.updates
    assert (update["Type"], update["Action"], json.loads(update["Payload"])) == ("EXECUTION", "SUCCEED", text)


def test_a_handler_without_operations_makes_no_client(monkeypatch: pytest.MonkeyPatch, service: Loopback) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a client was made")

    monkeypatch.setattr("boto3.client", refuse)

    @durable_execution
    def echo(event: Any, ctx: DurableContext) -> Any:
        return event

    assert echo(service.start("[1]").event(), None) == {"Status": "SUCCEEDED", "Result": "[1]"}
