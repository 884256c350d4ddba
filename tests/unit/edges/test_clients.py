"""Service clients that users see or write, as the transport of an invocation."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from durable_execution_sdk._core import Journal
from durable_execution_sdk._edges.clients import ClientTransport, LambdaClient
from durable_execution_sdk._model.api_errors import (
    CheckpointError,
    DurableApiErrorCategory,
    DurableExecutionClientError,
    GetExecutionStateError,
)
from durable_execution_sdk._model.enums import OperationAction, OperationStatus, OperationType
from durable_execution_sdk._model.updates import OperationUpdate
from durable_execution_sdk._model.wire import (
    CheckpointOutput,
    CheckpointUpdatedExecutionState,
    Operation,
    StateOutput,
    StepDetails,
    WaitDetails,
)
from tests.support.loopback import Loopback, boto3_client, loopback

ARN = "arn:aws:lambda:eu-central-1:123456789012:function:orders:$LATEST/durable-execution/test-0/8f2c6a1e"
WHEN = datetime.datetime(2026, 3, 1, 12, 30, 0, 250_000, tzinfo=datetime.UTC)
WHEN_MS = 1_772_368_200_250


class InMemoryClient:
    """What a user may write, from the documentation of `DurableServiceClient` alone."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.answer = CheckpointOutput("token-2", CheckpointUpdatedExecutionState())
        self.page = StateOutput()
        self.failure: Exception | None = None

    def checkpoint(
        self,
        durable_execution_arn: str,
        checkpoint_token: str,
        updates: list[OperationUpdate],
        client_token: str | None,
    ) -> CheckpointOutput:
        self.calls.append((durable_execution_arn, checkpoint_token, updates, client_token))
        if self.failure is not None:
            raise self.failure
        return self.answer

    def get_execution_state(
        self, durable_execution_arn: str, checkpoint_token: str, next_marker: str, max_items: int = 1000
    ) -> StateOutput:
        self.calls.append((durable_execution_arn, checkpoint_token, next_marker, max_items))
        if self.failure is not None:
            raise self.failure
        return self.page


def step_start(operation_id: str) -> OperationUpdate:
    return OperationUpdate(operation_id=operation_id, operation_type=OperationType.STEP, action=OperationAction.START)


def step(operation_id: str, result: str) -> Operation:
    return Operation(
        operation_id=operation_id,
        operation_type=OperationType.STEP,
        status=OperationStatus.SUCCEEDED,
        start_timestamp=WHEN,
        end_timestamp=WHEN,
        step_details=StepDetails(attempt=1, result=result),
    )


def test_a_batch_reaches_the_client_and_its_answer_the_journal() -> None:
    client = InMemoryClient()
    waiting = Operation(
        operation_id="w",
        operation_type=OperationType.WAIT,
        status=OperationStatus.STARTED,
        wait_details=WaitDetails(scheduled_end_timestamp=WHEN),
    )
    client.answer = CheckpointOutput("token-2", CheckpointUpdatedExecutionState([step("s", '"done"'), waiting], "more"))
    journal = Journal("token-1")
    update = step_start("s")
    journal.push(update)
    request = journal.next_request("client-token-1")
    assert request is not None
    news = journal.acknowledge(ClientTransport(client).checkpoint(ARN, request))
    assert client.calls == [(ARN, "token-1", [update], "client-token-1")]
    assert (news.outcome, news.next_marker) == ("continue", "more")
    assert journal.token == "token-2"
    found, wait = journal.find("s"), journal.find("w")
    assert found is not None
    assert wait is not None
    assert (found.status, found.result, found.end_ms) == ("SUCCEEDED", '"done"', WHEN_MS)
    assert wait.scheduled_end_ms == WHEN_MS


def test_an_answer_without_a_token_says_so() -> None:
    client = InMemoryClient()
    client.answer = CheckpointOutput(None, CheckpointUpdatedExecutionState())
    journal = Journal("token-1")
    journal.push(step_start("s"))
    request = journal.next_request("client-token-1")
    assert request is not None
    assert journal.acknowledge(ClientTransport(client).checkpoint(ARN, request)).outcome == "revoked"


def test_a_page_is_read_through_the_client() -> None:
    client = InMemoryClient()
    client.page = StateOutput([step("a", "1"), step("b", "2")], "next-page")
    answer = ClientTransport(client).fetch_state(ARN, "token-1", "first-page", 1000)
    assert client.calls == [(ARN, "token-1", "first-page", 1000)]
    journal = Journal("token-1")
    journal.load_operations(answer["Operations"])
    assert [record.operation_id for record in journal.records()] == ["a", "b"]
    assert answer["NextMarker"] == "next-page"
    client.page = StateOutput()
    assert "NextMarker" not in ClientTransport(client).fetch_state(ARN, "token-1", "", 1000)


@pytest.mark.parametrize("scope", list(DurableApiErrorCategory))
def test_a_client_error_says_how_far_it_reaches(scope: DurableApiErrorCategory) -> None:
    client = InMemoryClient()
    client.failure = DurableExecutionClientError("the key is gone", scope=scope)
    transport = ClientTransport(client)
    journal = Journal("token-1")
    journal.push(step_start("s"))
    request: Any = journal.next_request("c")
    with pytest.raises(CheckpointError, match="the key is gone") as caught:
        transport.checkpoint(ARN, request)
    assert caught.value.error_category is scope
    assert caught.value.__cause__ is client.failure
    with pytest.raises(GetExecutionStateError) as caught_read:
        transport.fetch_state(ARN, "token-1", "", 10)
    assert caught_read.value.error_category is scope


def test_the_class_of_another_copy_of_the_package_counts_too() -> None:
    class Elsewhere(Exception):
        is_durable_execution_client_error = True
        scope = "EXECUTION"

    client = InMemoryClient()
    client.failure = Elsewhere("no")
    with pytest.raises(GetExecutionStateError) as caught:
        ClientTransport(client).fetch_state(ARN, "token-1", "", 10)
    assert not caught.value.is_retryable()


def test_any_other_exception_of_a_client_passes_as_it_is() -> None:
    client = InMemoryClient()
    client.failure = OSError("disk full")
    with pytest.raises(OSError, match="disk full"):
        ClientTransport(client).fetch_state(ARN, "token-1", "", 10)


# --- LambdaClient -----------------------------------------------------------------------------------------------------


@pytest.fixture
def service() -> Any:
    with loopback() as running:
        yield running


def test_lambda_client_speaks_to_the_service(service: Loopback) -> None:
    execution = service.start(payload="{}")
    client = LambdaClient(boto3_client(service))
    output = client.checkpoint(execution.arn, execution.token(), [step_start("s")], client_token="c1")
    assert output.checkpoint_token == execution.token()
    assert [(op.operation_id, op.status) for op in output.new_execution_state.operations] == [
        ("s", OperationStatus.STARTED)
    ]
    assert service.received[-1].json["ClientToken"] == "c1"
    state = client.get_execution_state(execution.arn, execution.token(), "", 1)
    assert [op.operation_type for op in state.operations] == [OperationType.EXECUTION]
    assert state.next_marker == "1"
    client.checkpoint(execution.arn, execution.token(), [], client_token=None)
    assert service.received[-1].json["ClientToken"], "boto3 chooses one"


def test_lambda_client_raises_classified_errors(service: Loopback) -> None:
    execution = service.start()
    client = LambdaClient(boto3_client(service))
    with pytest.raises(CheckpointError) as caught:
        client.checkpoint(execution.arn, "c3RhbGU=", [step_start("s")], None)
    assert caught.value.is_retryable(), "a stale token"
    with pytest.raises(GetExecutionStateError) as caught_read:
        client.get_execution_state(execution.arn + "0", execution.token(), "")
    assert not caught_read.value.is_retryable(), "no such execution"
    sent = len(service.received)
    with pytest.raises(CheckpointError, match="without a checkpoint token"):
        client.checkpoint(execution.arn, "", [], None)
    with pytest.raises(GetExecutionStateError, match="without a checkpoint token"):
        client.get_execution_state(execution.arn, "", "")
    assert len(service.received) == sent
