"""The default client's shorter way: the same requests and answers as botocore's own, and that one for all the rest."""

from __future__ import annotations

import functools
import importlib
import socket
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import botocore.exceptions as errors
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.httpsession import URLLib3Session

from durable_execution_sdk._edges import quick_session
from durable_execution_sdk._edges.quick_session import QuickSession, is_usual, quicken
from tests.support.loopback import Loopback, boto3_client, loopback
from tests.support.raw_server import CUT, LAST, OK, Server


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


class Usual(URLLib3Session):
    """botocore's session, which notes what it has sent."""

    def __init__(self, **options: Any) -> None:
        super().__init__(timeout=(5, 5), **options)
        self.urls: list[str] = []

    def send(self, request: AWSPreparedRequest) -> Any:
        self.urls.append(request.url)
        return super().send(request)


def quick(server: Server, usual: Usual | None = None) -> tuple[QuickSession, Usual]:
    usual = usual or Usual()
    config = SimpleNamespace(connect_timeout=5, read_timeout=5)
    return QuickSession(usual, server.url, config), usual


def prepared(
    url: str, method: str = "POST", body: Any = b"body", path: str = "/a%3Ab/c?d=e%2Ff", **headers: Any
) -> AWSPreparedRequest:
    fields = {"User-Agent": b"us/1", "X-Amz-Date": b"20260101T000000Z"} | headers
    return AWSRequest(method, url + path, headers=fields, data=body).prepare()


def outcome(send: Callable[[AWSPreparedRequest], Any], request: AWSPreparedRequest) -> Any:
    try:
        response = send(request)
    except errors.BotoCoreError as error:
        return type(error)
    return response.status_code, sorted(map(str, response.headers.items())), response.content, response.url


def fields(message: bytes) -> tuple[bytes, list[bytes], bytes]:
    head, _, body = message.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    return first, sorted(line.replace(b"host:", b"Host:") for line in lines), body


@pytest.mark.parametrize(("method", "body"), [("POST", b"body"), ("GET", None)])
def test_the_same_request_goes_out(server: Server, method: str, body: bytes | None) -> None:
    session, usual = quick(server)
    path = "/a%3Ab/c-._~/d?e=f%2Fg&h=" if body else "/a?end=body"
    request = prepared(server.url, method, body, path)
    if not body:
        server.ends = b"\r\n\r\n"
    assert outcome(session.send, request) == outcome(usual.send, request)
    mine, theirs = server.requests
    assert fields(mine) == fields(theirs)
    assert usual.urls == [request.url], "sent once by botocore's own session: the second time"


ANSWERS = {
    "plain": OK,
    "last": LAST,
    "fields of one name": b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 2\r\nX-A:\t2 \r\nX-A: 3\r\n\r\n{}",
    "an error": b"HTTP/1.1 429 Too Many Requests\r\nx-amzn-ErrorType: Slow\r\nContent-Length: 2\r\n\r\n{}",
    "an error of one name": b"HTTP/1.1 500 Oops\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 2\r\n\r\n{}",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    "beyond ASCII": b"HTTP/1.1 200 OK\r\nX-A: \xe4\r\nContent-Length: 2\r\n\r\n{}",
    "no answer": None,
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_the_same_answer_comes_back(server: Server, answer: bytes | None) -> None:
    session, usual = quick(server)
    request = prepared(server.url)
    server.answers = [answer, answer]
    mine = outcome(session.send, request)
    assert usual.urls == []
    assert mine == outcome(usual.send, request)
    assert outcome(session.send, request)[0] == 200, "and the next one is no worse for it"


def test_an_answer_that_was_cut_is_an_error(server: Server) -> None:
    """botocore's own session hands over what has come; its callers would have to compare lengths."""
    session, usual = quick(server)
    server.answers = [CUT]
    assert outcome(session.send, prepared(server.url)) is errors.ConnectionClosedError
    assert usual.urls == []


def test_nobody_there_is_the_same_error(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        server.url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    session, usual = quick(server)
    request = prepared(server.url)
    assert outcome(session.send, request) is outcome(usual.send, request) is errors.EndpointConnectionError


class Reader:
    """A body that is read when it is sent."""

    def __init__(self) -> None:
        self.data = b"body"

    def read(self, _: int = -1) -> bytes:
        data, self.data = self.data, b""
        return data

    def __len__(self) -> int:
        return 4

    def __repr__(self) -> str:
        return "Reader()"


@pytest.mark.parametrize(
    "change",
    [
        {"method": "PUT"},
        {"body": bytearray(b"body")},
        {"body": Reader()},
        {"path": "/a b?c=d"},
        {"path": "/\u00e4"},
        {"path": "/a%3ab"},
        {"path": "/a%zz"},
        {"path": "?a=b"},
        {"path": "/a#b"},
        {"Host": "elsewhere"},
        {"Content-Length": "4", "Transfer-Encoding": "identity"},
        {"Accept-Encoding": "gzip"},
    ],
    ids=str,
)
def test_what_is_not_plain_goes_the_usual_way(server: Server, change: dict[str, Any]) -> None:
    session, usual = quick(server)
    request = prepared(server.url, **change)
    assert session.send(request).status_code == 200
    assert usual.urls == [request.url]


def test_other_hosts_streams_and_single_timeouts_go_the_usual_way(server: Server) -> None:
    session, usual = quick(server)
    request = prepared(server.url.replace("127.0.0.1", "localhost"))
    session.send(request)
    streamed = prepared(server.url)
    streamed.stream_output = True
    session.send(streamed).content  # noqa: B018  # reading it is what frees the connection
    hurried = prepared(server.url)
    hurried.context = {"read_timeout": 3}  # type: ignore[attr-defined]  # newer than the stubs
    session.send(hurried)
    assert len(usual.urls) == 3


# --- what others have replaced ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("module", "owner", "name"), quick_session._USUAL_WAY, ids=str)
def test_whoever_has_replaced_a_part_of_the_way_sees_every_request(
    server: Server, monkeypatch: pytest.MonkeyPatch, module: str, owner: str, name: str
) -> None:
    session, usual = quick(server)
    session.send(prepared(server.url))
    assert usual.urls == []
    place = getattr(importlib.import_module(module), owner)
    inner = getattr(place, name)

    @functools.wraps(inner)  # which says that it is of the other's module
    def wrapper(*arguments: Any, **options: Any) -> Any:
        return inner(*arguments, **options)

    monkeypatch.setattr(place, name, wrapper)
    session.send(prepared(server.url))
    assert len(usual.urls) == 1
    monkeypatch.undo()
    session.send(prepared(server.url))
    assert len(usual.urls) == 1


@pytest.mark.parametrize("scheme", ["HTTP", "HTTPS"])
def test_other_connections_in_the_pools_are_used(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    pools: Any = importlib.import_module("botocore.awsrequest")
    assert is_usual()
    pool, connection = getattr(pools, f"AWS{scheme}ConnectionPool"), getattr(pools, f"AWS{scheme}Connection")
    with monkeypatch.context() as patch:
        patch.setattr(pool, "ConnectionCls", type("Recorder", (connection,), {}))
        assert not is_usual()
    with monkeypatch.context() as patch:
        patch.setattr(pools, f"AWS{scheme}Connection", type("Recorder", (connection,), {}))
        assert not is_usual()
    assert is_usual()


@pytest.mark.parametrize(("module", "owner", "name"), quick_session._USUAL_WAY, ids=str)
def test_a_part_that_is_gone_is_no_usual_way(
    monkeypatch: pytest.MonkeyPatch, module: str, owner: str, name: str
) -> None:
    with monkeypatch.context() as patch:
        patch.delattr(importlib.import_module(module), owner)
        assert not is_usual()
    with monkeypatch.context() as patch:
        patch.delitem(sys.modules, module)
        assert not is_usual()
    assert is_usual(), name


# --- which clients ----------------------------------------------------------------------------------------------------


@pytest.fixture
def service() -> Iterator[Loopback]:
    with loopback() as running:
        yield running


def test_a_hook_that_answers_for_the_service_is_not_passed_by(service: Loopback) -> None:
    """As libraries do that act the services: they answer at `before-send`."""
    client = boto3_client(service)
    quicken(client)
    seen = []
    client.meta.events.register("before-send.lambda", lambda request, **_: seen.append(request.url))
    execution = service.start()
    client.get_durable_execution_state(DurableExecutionArn=execution.arn, CheckpointToken=execution.token())
    assert len(seen) == len(service.received) == 1


def test_errors_are_parsed_and_a_closed_client_opens_again(service: Loopback) -> None:
    client = boto3_client(service)
    quicken(client)
    with pytest.raises(client.exceptions.ResourceNotFoundException) as caught:
        client.get_durable_execution_state(DurableExecutionArn="arn:none/1", CheckpointToken="token")
    assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
    client.close()
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_durable_execution_state(DurableExecutionArn="arn:none/1", CheckpointToken="token")


@pytest.mark.parametrize(
    "config",
    [{"proxies": {"http": "http://proxy.example:1"}}, {"client_cert": "/a/certificate.pem"}],
    ids=str,
)
def test_what_a_configuration_needs_beyond_the_plain_is_left_to_botocore(
    service: Loopback, config: dict[str, Any]
) -> None:
    client = boto3_client(service, **config)
    quicken(client)
    assert type(client._endpoint.http_session) is URLLib3Session


@pytest.mark.parametrize(
    "breaks",
    [
        lambda client: setattr(client._endpoint, "http_session", object()),
        lambda client: delattr(client._endpoint.http_session, "_verify"),
        lambda client: delattr(client, "_endpoint"),
        lambda client: setattr(client._endpoint.http_session, "_verify", False),
        lambda client: client._endpoint.http_session._socket_options.append((6, 18, 1)),
    ],
)
def test_a_client_that_is_laid_out_differently_is_left_alone(service: Loopback, breaks: Callable[[Any], None]) -> None:
    client = boto3_client(service, tcp_keepalive=True)
    breaks(client)
    before = getattr(getattr(client, "_endpoint", None), "http_session", None)
    quicken(client)
    assert getattr(getattr(client, "_endpoint", None), "http_session", None) is before


def test_tcp_keep_alive_and_timeouts_are_those_of_the_client(service: Loopback) -> None:
    client = boto3_client(service, tcp_keepalive=True, connect_timeout=3, read_timeout=4)
    quicken(client)
    session = client._endpoint.http_session
    connections = session._connected()
    assert (connections._connect_timeout, connections._read_timeout, connections._keep_alive) == (3, 4, True)


def test_a_bundle_that_is_not_there_is_reported_as_botocore_reports_it(
    service: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/a/bundle.pem")
    outcomes = []
    for change in (quicken, lambda client: None):
        client = boto3_client(SimpleNamespace(url="https://127.0.0.1:1"), retries={"total_max_attempts": 1})  # type: ignore[arg-type]  # as much of a service as is needed
        change(client)
        with pytest.raises(errors.BotoCoreError) as caught:
            client.list_functions()
        outcomes.append((type(caught.value), str(caught.value)))
    assert outcomes[0] == outcomes[1]
