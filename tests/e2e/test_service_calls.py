"""The two calls to the service, through each transport, over a real socket: what is sent, retried, read and refused."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from durable_execution_sdk._drivers.ports import Transport
from durable_execution_sdk._edges.aws import BotoTransport
from durable_execution_sdk._edges.light import LightTransport
from durable_execution_sdk._edges.quick_session import QuickSession, quicken
from durable_execution_sdk._model.api_errors import CheckpointError, DurableApiErrorCategory, GetExecutionStateError
from tests.support.loopback import (
    ACCESS_KEY,
    CERTIFICATE,
    SECRET_KEY,
    Garble,
    Hold,
    Loopback,
    LostResponse,
    Refuse,
    ResetBefore,
    Truncate,
    boto3_client,
    loopback,
)
from tests.support.requests import batch

INVOCATION, EXECUTION = DurableApiErrorCategory.INVOCATION, DurableApiErrorCategory.EXECUTION


def light_session() -> Any:
    import botocore.session

    session = botocore.session.Session()
    session.set_credentials(ACCESS_KEY, SECRET_KEY)
    session.set_config_variable("region", "eu-central-1")
    return session


def quickened(client: Any) -> Any:
    """As the client that the SDK makes for itself."""
    quicken(client)
    assert isinstance(client._endpoint.http_session, QuickSession), "botocore is laid out differently"
    return client


@pytest.mark.parametrize("trusted", [True, False])
def test_tls_is_verified_by_the_configured_bundle(
    monkeypatch: pytest.MonkeyPatch, delays: list[float], trusted: bool
) -> None:
    with loopback(tls=True) as service:
        if trusted:
            monkeypatch.setenv("AWS_CA_BUNDLE", CERTIFICATE)
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", service.url)
        transports = [
            BotoTransport(boto3_client(service)),
            BotoTransport(quickened(boto3_client(service))),
            LightTransport(light_session()),
        ]
        for transport in transports:
            execution = service.start()
            if trusted:
                assert isinstance(transport.checkpoint(execution.arn, batch(execution.token(), "a")), bytes)
            else:
                with pytest.raises(CheckpointError, match="SSL validation failed"):
                    transport.checkpoint(execution.arn, batch(execution.token(), "a"))
                assert execution.updates == []


@pytest.fixture(params=["boto3", "default", "light"])
def transport(request: pytest.FixtureRequest, service: Loopback, monkeypatch: pytest.MonkeyPatch) -> Transport:
    if request.param == "boto3":
        return BotoTransport(boto3_client(service))
    if request.param == "default":
        return BotoTransport(quickened(boto3_client(service)))
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", service.url)
    return LightTransport(light_session())


def test_the_prepared_body_is_what_is_signed_and_sent(service: Loopback, transport: Transport) -> None:
    execution = service.start()
    request = batch(execution.token(), "a", "b")
    answer = transport.checkpoint(execution.arn, request)
    assert [received.body for received in service.received] == [request.body]
    assert isinstance(answer, bytes), "the answer comes unparsed"
    assert json.loads(answer)["CheckpointToken"] == execution.token()
    assert list(execution.operations)[1:] == ["a", "b"]


def test_connections_are_kept_alive(service: Loopback, transport: Transport) -> None:
    execution = service.start()
    for number in range(3):
        transport.checkpoint(execution.arn, batch(execution.token(), f"s{number}", client_token=f"c{number}"))
    assert len({received.connection for received in service.received}) == 1


def test_requests_name_the_sdk(service: Loopback, transport: Transport) -> None:
    execution = service.start()
    transport.checkpoint(execution.arn, batch(execution.token()))
    agent = service.received[0].headers["user-agent"]
    if isinstance(transport, LightTransport):  # a client that the user made names what the user wants
        assert "durable-execution-sdk/" in agent
        assert "aws-durable-execution-sdk-python/3.0.0" in agent
    assert "Botocore/" in agent


@pytest.mark.parametrize(
    "fault",
    [
        Refuse(429, "TooManyRequestsException"),
        Refuse(400, "ThrottlingException"),
        Refuse(500, "ServiceException"),
        Refuse(503, "ServiceUnavailable"),
        ResetBefore(),
        LostResponse(),
    ],
    ids=lambda fault: type(fault).__name__ + getattr(fault, "code", ""),
)
def test_passing_faults_are_retried_with_the_same_bytes(
    service: Loopback, transport: Transport, delays: list[float], fault: Any
) -> None:
    execution = service.start()
    request = batch(execution.token(), "a")
    service.fail_next(fault, fault)
    answer = transport.checkpoint(execution.arn, request)
    assert isinstance(answer, bytes)
    assert json.loads(answer)["CheckpointToken"] == execution.token()
    assert [received.body for received in service.received] == [request.body] * 3
    assert [update["Id"] for update in execution.updates] == ["a"], "applied once, however often it was sent"
    assert len(delays) == 2


def test_an_answer_cut_short_is_never_taken_for_one(
    service: Loopback, transport: Transport, delays: list[float]
) -> None:
    execution = service.start()
    service.fail_next(Truncate(0), Truncate(10), Truncate(0))
    with pytest.raises(CheckpointError) as caught:
        transport.checkpoint(execution.arn, batch(execution.token(), "a"))
    assert caught.value.error_category is INVOCATION


@pytest.mark.parametrize(
    ("fault", "category"),
    [
        (Refuse(400, "InvalidParameterValueException", "Updates[0]: no such parent"), EXECUTION),
        (Refuse(400, "InvalidParameterValueException", "Invalid checkpoint token: used"), INVOCATION),
        (Refuse(404, "ResourceNotFoundException"), EXECUTION),
        (Refuse(403, "AccessDeniedException"), EXECUTION),
    ],
    ids=lambda value: getattr(value, "code", None),
)
def test_refusals_are_not_retried(
    service: Loopback, transport: Transport, fault: Refuse, category: DurableApiErrorCategory
) -> None:
    execution = service.start()
    service.fail_next(fault)
    with pytest.raises(CheckpointError) as caught:
        transport.checkpoint(execution.arn, batch(execution.token(), "a"))
    error = caught.value
    assert error.error_category is category
    assert error.error == {"Code": fault.code, "Message": fault.message}
    assert error.response_metadata is not None
    assert error.response_metadata["HTTPStatusCode"] == fault.status
    assert error.response_metadata["RequestId"] == "5f0d9a52"
    assert len(service.received) == 1
    service.received.clear()
    service.fail_next(fault)
    with pytest.raises(GetExecutionStateError) as caught_read:
        transport.fetch_state(execution.arn, execution.token(), "", 10)
    assert caught_read.value.error_category is category


@pytest.mark.parametrize(
    ("fault", "category"),
    [
        (Refuse(502, "KMSAccessDeniedException", "no access to the key"), EXECUTION),
        (Refuse(500, "ServiceException"), INVOCATION),
        (Refuse(429, "TooManyRequestsException"), INVOCATION),
        (ResetBefore(), INVOCATION),
    ],
    ids=lambda value: getattr(value, "code", None) or type(value).__name__,
)
def test_faults_that_last_are_classified_after_the_last_attempt(
    service: Loopback, transport: Transport, delays: list[float], fault: Any, category: DurableApiErrorCategory
) -> None:
    execution = service.start()
    service.fail_next(*[fault] * 3)
    with pytest.raises(CheckpointError) as caught:
        transport.checkpoint(execution.arn, batch(execution.token(), "a"))
    assert caught.value.error_category is category
    assert len(service.received) == 3
    assert execution.updates == []


def test_a_service_that_is_not_there_is_tried_again(
    service: Loopback, transport: Transport, delays: list[float]
) -> None:
    execution = service.start()
    service.close()
    with pytest.raises(CheckpointError, match="Could not connect") as caught:
        transport.checkpoint(execution.arn, batch(execution.token(), "a"))
    assert caught.value.error_category is INVOCATION
    assert len(delays) == 2


def test_the_service_is_heard_about_the_pause(service: Loopback, transport: Transport, delays: list[float]) -> None:
    execution = service.start()
    service.fail_next(Refuse(503, "ServiceUnavailable", headers={"x-amz-retry-after": "1500"}))
    transport.checkpoint(execution.arn, batch(execution.token(), "a"))
    assert delays == [pytest.approx(1.5, abs=0.1)]


def test_a_slow_answer_is_waited_for(service: Loopback, transport: Transport) -> None:
    execution = service.start()
    release = threading.Event()
    service.fail_next(Hold(release))
    answers: list[Any] = []
    caller = threading.Thread(
        target=lambda: answers.append(transport.checkpoint(execution.arn, batch(execution.token(), "a")))
    )
    caller.start()
    release.set()
    caller.join(30)
    assert len(answers) == 1


def test_pages_are_read_with_token_and_marker(service: Loopback, transport: Transport) -> None:
    execution = service.start()
    transport.checkpoint(execution.arn, batch(execution.token(), *(f"s{number}" for number in range(5))))
    service.received.clear()
    service.page_size = 3
    marker, seen = "", []
    while True:
        page = transport.fetch_state(execution.arn, execution.token(), marker, 1000)
        assert isinstance(page, bytes)
        parsed = json.loads(page)
        seen += [operation["Id"] for operation in parsed["Operations"]]
        marker = parsed.get("NextMarker")
        if not marker:
            break
    assert seen == list(execution.operations)
    assert [received.query["MaxItems"] for received in service.received] == ["1000"] * 2
    assert {received.method for received in service.received} == {"GET"}


def test_broken_json_reaches_the_core_as_it_came(service: Loopback, transport: Transport) -> None:
    execution = service.start()
    service.fail_next(Garble(b'{"CheckpointToken": "t'))
    assert transport.checkpoint(execution.arn, batch(execution.token(), "a")) == b'{"CheckpointToken": "t'


@pytest.mark.parametrize("call", ["checkpoint", "fetch_state"])
def test_without_a_token_nothing_is_sent(service: Loopback, transport: Transport, call: str) -> None:
    execution = service.start()
    calls: dict[str, Callable[[], Any]] = {
        "checkpoint": lambda: transport.checkpoint(execution.arn, batch("")),
        "fetch_state": lambda: transport.fetch_state(execution.arn, "", "", 1000),
    }
    with pytest.raises((CheckpointError, GetExecutionStateError), match="without a checkpoint token") as caught:
        calls[call]()
    assert caught.value.is_retryable()
    assert service.received == []


def test_a_large_batch_of_any_text_arrives_whole(service: Loopback, transport: Transport) -> None:
    execution = service.start()
    request = batch(execution.token(), *(f"größe-{number}-\N{SNOWMAN}" for number in range(250)))
    transport.checkpoint(execution.arn, request)
    assert service.received[0].body == request.body
    assert len(execution.updates) == 250
