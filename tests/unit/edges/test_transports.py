"""Which transport a handler talks through."""

from __future__ import annotations

from typing import Any

import pytest

from durable_execution_sdk._core import Journal
from durable_execution_sdk._edges.aws import BotoTransport
from durable_execution_sdk._edges.clients import ClientTransport, LambdaClient
from durable_execution_sdk._edges.light import LightTransport
from durable_execution_sdk._edges.transports import choose_transport, open_call, transport_over
from durable_execution_sdk._model.errors import ValidationError
from durable_execution_sdk._model.invocation import (
    DurableExecutionInvocationInput,
    DurableExecutionInvocationInputWithClient,
)

STAND_IN: Any = object()
EVENT = {
    "DurableExecutionArn": "arn:aws:lambda:eu-central-1:1:function:f:1/durable-execution/n/i",
    "CheckpointToken": "t",
    "InitialExecutionState": {
        "Operations": [
            {
                "Id": "i",
                "Type": "EXECUTION",
                "Status": "STARTED",
                "StartTimestamp": 1_772_368_200_250,
                "ExecutionDetails": {"InputPayload": "{}"},
            },
            {
                "Id": "s",
                "Type": "STEP",
                "Status": "PENDING",
                "StartTimestamp": 1_772_368_200_250,
                "StepDetails": {"Attempt": 2, "NextAttemptTimestamp": 1_772_368_260_251},
            },
        ],
        "NextMarker": "m",
    },
    "UpdatedOperationIds": ["s"],
}


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DURABLE_EXECUTION_TRANSPORT", raising=False)


def test_boto3_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(choose_transport(), BotoTransport)
    monkeypatch.setenv("DURABLE_EXECUTION_TRANSPORT", "")
    assert isinstance(choose_transport(), BotoTransport)


def test_the_light_transport_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(choose_transport(transport="light"), LightTransport)
    monkeypatch.setenv("DURABLE_EXECUTION_TRANSPORT", "light")
    assert isinstance(choose_transport(), LightTransport)
    assert isinstance(choose_transport(transport="boto3"), BotoTransport), "an argument outranks the environment"
    assert isinstance(choose_transport(boto3_client=STAND_IN), BotoTransport)


def test_what_a_user_gives_is_used() -> None:
    class Traced(LambdaClient):
        pass

    given = BotoTransport(STAND_IN)
    assert choose_transport(transport=given) is given
    assert isinstance(choose_transport(durable_execution_client=LambdaClient(STAND_IN)), BotoTransport)
    assert isinstance(transport_over(Traced(STAND_IN)), ClientTransport), "its overrides must be called"
    assert isinstance(choose_transport(durable_execution_client=STAND_IN), ClientTransport)


def test_contradictions_and_unknown_names_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError, match="boto3_client and transport exclude each other"):
        choose_transport(boto3_client=STAND_IN, transport="light")
    with pytest.raises(ValidationError, match='transport is \'http\'; it may be "boto3" or "light"'):
        choose_transport(transport="http")  # type: ignore[arg-type]  # what a user without a type checker may write
    monkeypatch.setenv("DURABLE_EXECUTION_TRANSPORT", "lite")
    with pytest.raises(ValidationError, match="DURABLE_EXECUTION_TRANSPORT is 'lite'"):
        choose_transport()


def test_an_event_may_bring_its_client() -> None:
    event = DurableExecutionInvocationInputWithClient.from_durable_execution_invocation_input(
        DurableExecutionInvocationInput.from_json_dict(dict(EVENT)), STAND_IN
    )
    opened, transport = open_call(event, BotoTransport(STAND_IN))
    assert isinstance(transport, ClientTransport)
    assert (opened["DurableExecutionArn"], opened["CheckpointToken"]) == (EVENT["DurableExecutionArn"], "t")
    assert (opened["InitialExecutionState"]["NextMarker"], opened["UpdatedOperationIds"]) == ("m", ["s"])
    journal = Journal("t")
    journal.load_operations(opened["InitialExecutionState"]["Operations"])
    execution, step = journal.records()
    assert (execution.operation_id, execution.input_payload, execution.start_ms) == ("i", "{}", 1_772_368_200_250)
    assert (step.status, step.attempt, step.next_attempt_ms) == ("PENDING", 2, 1_772_368_260_251)


def test_any_other_event_is_left_alone() -> None:
    given = BotoTransport(STAND_IN)
    assert open_call(EVENT, given) == (EVENT, given)
    assert open_call(None, given) == (None, given)


def test_the_parsed_event_is_written_as_it_was_read() -> None:
    parsed = DurableExecutionInvocationInput.from_json_dict(dict(EVENT))
    assert parsed.to_json_dict() == EVENT
    assert DurableExecutionInvocationInput.from_dict(parsed.to_dict()) == parsed
