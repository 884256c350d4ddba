"""The boto3 transport and clients that are not plain: stubs, mocks, wrappers, and other users of the same client."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import botocore.client
import botocore.config
import pytest
from botocore.stub import Stubber

from durable_execution_sdk._edges import aws
from durable_execution_sdk._edges.aws import BotoTransport
from durable_execution_sdk._model.api_errors import CheckpointError, GetExecutionStateError
from tests.support.loopback import Loopback, boto3_client, loopback
from tests.support.requests import batch, start_of

ARN = "arn:aws:lambda:eu-central-1:123456789012:function:orders:$LATEST/durable-execution/test-0/8f2c6a1e"
UPDATE, OTHER = start_of("a").to_dict(), start_of("b").to_dict()


def checkpoint(transport: BotoTransport, token: str = "dG9rZW4=", arn: str = ARN, client_token: str = "c1") -> Any:
    return transport.checkpoint(arn, batch(token, "a", client_token=client_token))


class HandMadeClient:
    """What a user may write: the two methods, no events."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def checkpoint_durable_execution(self, **params: Any) -> dict[str, Any]:
        self.calls.append(params)
        return {"CheckpointToken": "next", "NewExecutionState": {"Operations": []}}

    def get_durable_execution_state(self, **params: Any) -> dict[str, Any]:
        self.calls.append(params)
        return {"Operations": []}


def test_a_hand_made_client_gets_the_official_call() -> None:
    client = HandMadeClient()
    transport = BotoTransport(client)  # type: ignore[arg-type]  # what this test is about
    assert checkpoint(transport) == {"CheckpointToken": "next", "NewExecutionState": {"Operations": []}}
    assert transport.fetch_state(ARN, "dG9rZW4=", "m", 1000) == {"Operations": []}
    assert client.calls == [
        {"DurableExecutionArn": ARN, "CheckpointToken": "dG9rZW4=", "Updates": [UPDATE]},
        {"DurableExecutionArn": ARN, "CheckpointToken": "dG9rZW4=", "Marker": "m", "MaxItems": 1000},
    ]


@pytest.fixture
def service() -> Any:
    with loopback() as running:
        yield running


@pytest.fixture
def client(service: Loopback) -> Any:
    return boto3_client(service)


def test_a_stubbed_client_sees_and_compares_the_updates(service: Loopback, client: Any) -> None:
    transport = BotoTransport(client)
    execution = service.start()
    checkpoint(transport, execution.token(), execution.arn)  # the hooks are in place now
    expected = {"DurableExecutionArn": ARN, "CheckpointToken": "dG9rZW4=", "Updates": [UPDATE]}
    answer = {"CheckpointToken": "bmV4dA==", "NewExecutionState": {"Operations": []}}
    with Stubber(client) as stubber:
        stubber.add_response("checkpoint_durable_execution", answer, expected)
        stubber.add_client_error("get_durable_execution_state", "ResourceNotFoundException", http_status_code=404)
        assert checkpoint(transport) == answer
        with pytest.raises(GetExecutionStateError) as caught:
            transport.fetch_state(ARN, "dG9rZW4=", "", 10)
        stubber.assert_no_pending_responses()
    assert not caught.value.is_retryable()
    assert len(service.received) == 1
    assert isinstance(checkpoint(transport, execution.token(), execution.arn), bytes), "hooks are back"


def test_a_replaced_make_api_call_sees_the_updates(
    service: Loopback, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def answer(self: Any, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        seen.append((operation, params["Updates"]))
        return {"CheckpointToken": "bmV4dA=="}

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", answer)
    assert checkpoint(BotoTransport(client)) == {"CheckpointToken": "bmV4dA=="}
    assert seen == [("CheckpointDurableExecution", [UPDATE])]
    assert service.received == []


def test_another_hook_may_answer_for_the_service(service: Loopback, client: Any) -> None:
    parsed = {"CheckpointToken": "bmV4dA==", "ResponseMetadata": {"HTTPStatusCode": 200}}
    http = type("Http", (), {"status_code": 200})()
    client.meta.events.register("before-call.lambda", lambda **_: (http, parsed))
    assert checkpoint(BotoTransport(client)) == parsed
    assert service.received == []


def test_a_client_whose_events_are_silent_is_refused_loudly(
    service: Loopback, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the service would be sent a batch without its updates."""
    monkeypatch.setattr(type(client.meta.events), "emit_until_response", lambda *_, **__: (None, None))
    execution = service.start()
    with pytest.raises(CheckpointError, match="prepared body was not sent"):
        checkpoint(BotoTransport(client), execution.token(), execution.arn)


def test_other_users_of_the_client_do_not_notice(service: Loopback, client: Any) -> None:
    execution = service.start()
    transport = BotoTransport(client)
    checkpoint(transport, execution.token(), execution.arn)
    answer = client.checkpoint_durable_execution(
        DurableExecutionArn=execution.arn, CheckpointToken=execution.token(), Updates=[OTHER]
    )
    assert answer["NewExecutionState"]["Operations"][0]["Id"] == "b"
    assert service.received[-1].json["Updates"] == [OTHER]
    page = client.get_durable_execution_state(
        DurableExecutionArn=execution.arn, CheckpointToken=execution.token(), Marker="", MaxItems=10
    )
    assert [operation["Id"] for operation in page["Operations"]] == list(execution.operations)


def test_a_failed_call_leaves_nothing_behind_for_the_next_user(service: Loopback, client: Any) -> None:
    execution = service.start()
    with pytest.raises(CheckpointError):
        checkpoint(BotoTransport(client), "c3RhbGU=", execution.arn)
    answer = client.checkpoint_durable_execution(
        DurableExecutionArn=execution.arn, CheckpointToken=execution.token(), Updates=[OTHER]
    )
    assert answer["NewExecutionState"]["Operations"][0]["Id"] == "b"


def test_a_call_on_another_thread_meanwhile_is_its_own(service: Loopback, client: Any) -> None:
    """The hooks see no request, so they must know the thread."""
    execution, other = service.start(), service.start()
    answers: list[Any] = []

    def meanwhile(**_: Any) -> None:
        if not answers and threading.current_thread() is threading.main_thread():
            thread = threading.Thread(
                target=lambda: answers.append(
                    client.checkpoint_durable_execution(
                        DurableExecutionArn=other.arn, CheckpointToken=other.token(), Updates=[OTHER]
                    )
                )
            )
            thread.start()
            thread.join()

    client.meta.events.register("before-send.lambda.CheckpointDurableExecution", meanwhile)
    answer = checkpoint(BotoTransport(client), execution.token(), execution.arn)
    assert isinstance(answer, bytes)
    assert answers[0]["NewExecutionState"]["Operations"][0]["Id"] == "b"
    assert [update["Id"] for update in other.updates] == ["b"]
    assert [update["Id"] for update in execution.updates] == ["a"]


def test_hooks_are_registered_once_however_many_transports_share_a_client(client: Any, service: Loopback) -> None:
    execution = service.start()
    for number in range(3):
        checkpoint(BotoTransport(client), execution.token(), execution.arn, f"c{number}")
    response: dict[str, Any] = {"status_code": 500, "headers": {}, "body": b""}
    ran = client.meta.events.emit("before-parse.lambda.CheckpointDurableExecution", response_dict=response)
    assert [handler for handler, _ in ran].count(aws._keep_raw_body) == 1


# --- the default client -----------------------------------------------------------------------------------------------


@pytest.fixture
def no_default_client(monkeypatch: pytest.MonkeyPatch) -> Any:
    aws.forget_default_client()
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDTEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    yield
    aws.forget_default_client()


@pytest.mark.usefixtures("no_default_client")
def test_the_default_client_is_made_once_with_its_timeouts_and_name() -> None:
    client = aws.default_client()
    config: Any = client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (5, 50)
    assert config.user_agent_extra.startswith("durable-execution-sdk/")
    assert config.user_agent_extra.endswith("aws-durable-execution-sdk-python/3.0.0")
    assert aws.default_client() is client


@pytest.mark.usefixtures("no_default_client")
def test_threads_that_need_the_default_client_at_once_share_one() -> None:
    gate, clients = threading.Barrier(4), []

    def fetch() -> None:
        gate.wait(10)
        clients.append(aws.default_client())

    threads = [threading.Thread(target=fetch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(clients) == 4
    assert len(set(map(id, clients))) == 1


def test_boto3_is_not_imported_before_the_first_call() -> None:
    program = (
        "import sys\n"
        "from durable_execution_sdk._edges.aws import BotoTransport\n"
        "from durable_execution_sdk._edges.light import LightTransport\n"
        "from durable_execution_sdk._edges.transports import choose_transport\n"
        "from durable_execution_sdk.lambda_service import LambdaClient\n"
        "BotoTransport(), LightTransport(), LambdaClient(), choose_transport()\n"
        "print(sorted({'boto3', 'botocore', 'urllib3', 'http.client', 'ssl'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.usefixtures("no_default_client")
def test_a_client_that_cannot_be_made_says_so_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the official SDK: the handler raises botocore's own error, which names what is missing."""
    import boto3
    from botocore.exceptions import NoRegionError

    for name in ("AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with pytest.raises(NoRegionError):
        checkpoint(BotoTransport())
