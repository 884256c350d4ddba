"""Connections that are kept alive: reused, replaced when stale, and broken in every way a network can."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import botocore.auth
import botocore.exceptions as errors
import pytest

from durable_execution_sdk._edges.kept_http import CAPACITY, KeptConnections, authority
from tests.support.loopback import CERTIFICATE, Loopback, loopback
from tests.support.raw_server import CUT, LAST, OK, Server


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


def kept(url: str, **options: Any) -> KeptConnections:
    defaults = {"verify": True, "connect_timeout": 5, "read_timeout": 30, "keep_alive": False}
    return KeptConnections(url, errors=errors, **(defaults | options))


def request(url: str, method: str = "POST", body: bytes = b"body", path: str = "/p/q%2F?a=b") -> Any:
    return SimpleNamespace(method=method, url=url + path, headers={"Host": "here", "X-Own": "1"}, body=body)


def test_a_request_goes_out_and_its_answer_comes_back(server: Server) -> None:
    answer = kept(server.url).send(request(server.url))
    assert (answer.status_code, answer.content, answer.headers.get("x-kind")) == (200, b"{}", "plain")
    (sent,) = server.requests
    assert sent.startswith(b"POST /p/q%2F?a=b HTTP/1.1\r\n")
    assert b"X-Own: 1\r\n" in sent
    assert sent.endswith(b"\r\n\r\nbody")


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        ("http://Lambda.example:80", "lambda.example"),
        ("https://user:word@lambda.example:443/base", "lambda.example"),
        ("https://lambda.example:80", "lambda.example:80"),
        ("http://[::1]:8080", "[::1]:8080"),
        ("https://[::1]", "[::1]"),
    ],
)
def test_the_host_header_is_the_one_that_is_signed(endpoint: str, host: str) -> None:
    signed: Any = botocore.auth._host_from_url
    assert authority(endpoint) == signed(endpoint) == host


@pytest.mark.parametrize(
    "change",
    [
        {"headers": {"X-Own": "1\r\nX-Other: 2"}},
        {"headers": {"X-Own": "1\n"}},
        {"headers": {"X-Own\r": "1"}},
        {"url": "http://127.0.0.1/a b"},
    ],
)
def test_nothing_ends_a_header_or_the_path_early(server: Server, change: dict[str, Any]) -> None:
    connections = kept(server.url)
    broken = request(server.url)
    vars(broken).update(change)
    with pytest.raises(ValueError, match="end it early"):
        connections.send(broken)
    assert server.requests == []


def test_one_connection_serves_one_after_another(server: Server) -> None:
    connections = kept(server.url)
    for _ in range(5):
        connections.send(request(server.url))
    assert len(server.connections) == 1


def test_a_connection_that_the_server_has_closed_is_not_used_again(server: Server) -> None:
    connections = kept(server.url)
    connections.send(request(server.url))
    server.drop_idle()
    assert connections.send(request(server.url)).status_code == 200
    assert len(server.connections) == 2


def test_an_answer_that_ends_the_connection_ends_it(server: Server) -> None:
    server.answers = [LAST]
    connections = kept(server.url)
    for _ in range(2):
        assert connections.send(request(server.url)).content == b"{}"
    assert len(server.connections) == 2


def test_chunked_answers_are_read_whole(server: Server) -> None:
    server.answers = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"]
    connections = kept(server.url)
    assert connections.send(request(server.url)).content == b"abcde"
    assert connections.send(request(server.url)).content == b"{}"
    assert len(server.connections) == 1


def test_a_provisional_answer_is_passed_over(server: Server) -> None:
    server.answers = [b"HTTP/1.1 100 Continue\r\n\r\n" + OK]
    connections = kept(server.url)
    for _ in range(2):
        assert connections.send(request(server.url)).content == b"{}"
    assert len(server.connections) == 1


@pytest.mark.parametrize("surplus", [OK, b"x"])
def test_what_comes_unasked_for_answers_no_later_request(server: Server, surplus: bytes) -> None:
    server.answers = [OK + surplus]
    connections = kept(server.url)
    for _ in range(2):
        assert connections.send(request(server.url)).content == b"{}"
    assert len(server.connections) == 2


@pytest.mark.parametrize(
    "answer",
    [None, CUT, b"nonsense\r\n\r\n"],
    ids=["dropped", "cut", "no http"],
)
def test_a_broken_answer_is_a_closed_connection(server: Server, answer: bytes | None) -> None:
    server.answers = [answer]
    connections = kept(server.url)
    with pytest.raises(errors.ConnectionClosedError):
        connections.send(request(server.url))
    assert connections.send(request(server.url)).status_code == 200, "and the next request gets a new one"
    assert len(server.connections) == 2


def test_silence_is_a_read_timeout(server: Server) -> None:
    server.answers = [b""]
    with pytest.raises(errors.ReadTimeoutError):
        kept(server.url, read_timeout=0.05).send(request(server.url))


def test_nobody_there_is_no_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    with pytest.raises(errors.EndpointConnectionError):
        kept(url).send(request(url))


def test_a_handshake_that_never_comes_is_a_connect_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(errors.ConnectTimeoutError):
            kept(url, connect_timeout=0.05).send(request(url))


def test_threads_use_a_connection_each_and_few_are_kept(server: Server) -> None:
    connections = kept(server.url)
    gate, answers = threading.Barrier(CAPACITY + 4), []

    def call() -> None:
        gate.wait(10)
        answers.append(connections.send(request(server.url)).content)

    threads = [threading.Thread(target=call) for _ in range(CAPACITY + 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == [b"{}"] * (CAPACITY + 4)
    assert len(connections._idle) <= CAPACITY


def test_a_forked_process_leaves_its_parents_connections_alone(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    connections = kept(server.url)
    connections.send(request(server.url))
    monkeypatch.setattr(os, "getpid", lambda: -1)
    connections.send(request(server.url))
    assert len(server.connections) == 2


def test_tcp_keep_alive_is_set_if_wanted(server: Server) -> None:
    for wanted in (False, True):
        connections = kept(server.url, keep_alive=wanted)
        connections.send(request(server.url))
        sock = connections._idle[0].sock
        assert bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)) is wanted
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


# --- TLS --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def tls_service() -> Iterator[Loopback]:
    with loopback(tls=True) as running:
        yield running


def test_a_certificate_of_the_bundle_is_accepted(tls_service: Loopback) -> None:
    connections = kept(tls_service.url, verify=CERTIFICATE)
    for _ in range(2):
        assert connections.send(request(tls_service.url, path="/x/y/z/state")).status_code == 403, "not signed"
    assert len({received.connection for received in tls_service.received}) == 1


def test_any_other_certificate_is_refused(tls_service: Loopback) -> None:
    with pytest.raises(errors.SSLError):
        kept(tls_service.url).send(request(tls_service.url))
    assert tls_service.received == []


def test_the_host_must_be_the_one_of_the_certificate(tls_service: Loopback) -> None:
    url = tls_service.url.replace("127.0.0.1", "localhost")
    with pytest.raises(errors.SSLError):
        kept(url, verify=CERTIFICATE).send(request(url))
    assert tls_service.received == []
