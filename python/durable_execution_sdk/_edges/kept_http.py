"""HTTP/1.1 to one endpoint over connections that are kept alive: the plain case of botocore's HTTP session.

A checkpoint through urllib3 costs three times what the standard library's client costs, and the light transport needs
none of what urllib3 adds. Failures are raised as the exceptions of botocore's session, which its retry rules know.
"""

from __future__ import annotations

import http.client
import os
import select
import socket
import weakref
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

CAPACITY = 10
"""Most idle connections that are kept, as in botocore."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, read to its end."""

    status_code: int
    headers: http.client.HTTPMessage
    """Names in any case."""
    content: bytes


class KeptConnections:
    """Sends requests to one endpoint; safe to use from several threads, each request on a connection of its own.

    Args:
        endpoint: Scheme, host and port.
        verify: CA bundle for https, or True for botocore's.
        connect_timeout: Seconds to connect, TLS included.
        read_timeout: Seconds without a byte before a request fails.
        keep_alive: Whether to ask the system for TCP keep-alive.
        errors: The module `botocore.exceptions`.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        verify: str | bool,
        connect_timeout: float,
        read_timeout: float,
        keep_alive: bool,
        errors: Any,
    ) -> None:
        parts = urlsplit(endpoint)
        self._host, self._port = parts.hostname or "", parts.port
        self._authority = _authority(parts)
        self._context = _tls(verify) if parts.scheme == "https" else None
        self._connect_timeout, self._read_timeout, self._keep_alive = connect_timeout, read_timeout, keep_alive
        self._errors = errors
        self._idle: list[http.client.HTTPConnection] = []  # the one used last is last
        self._process = os.getpid()
        weakref.finalize(self, _close, self._idle)

    def send(self, request: Any) -> Answer:
        """Send a prepared request (`method`, `url`, `headers`, `body`) and read the answer.

        Raises:
            ConnectTimeoutError, EndpointConnectionError, SSLError: There is no connection (classes of botocore).
            ReadTimeoutError, ConnectionClosedError: It broke; whether the request was served is unknown.
        """
        url = request.url
        message = _message(request, self._authority)
        connection = self._taken() or self._opened(url)
        try:
            connection.sock.sendall(message)
            response = http.client.HTTPResponse(connection.sock, method=request.method)
            response.begin()
            answer = Answer(response.status, response.headers, response.read())
        except TimeoutError as error:
            connection.close()
            raise self._errors.ReadTimeoutError(endpoint_url=url, error=error) from error
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._errors.ConnectionClosedError(endpoint_url=url, error=error) from error
        except BaseException:
            connection.close()  # interrupted: what is still to come on it belongs to nobody
            raise
        if response.will_close or len(self._idle) >= CAPACITY:
            connection.close()
        else:
            self._idle.append(connection)
        return answer

    def _taken(self) -> http.client.HTTPConnection | None:
        """An idle connection that the other side has not closed."""
        if self._process != os.getpid():  # the connections are the parent's, which goes on using them
            _close(self._idle)
            self._process = os.getpid()
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if connection.sock is not None and not _is_readable(connection.sock):
                return connection
            connection.close()

    def _opened(self, url: str) -> http.client.HTTPConnection:
        if self._context is None:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=self._connect_timeout)
        else:
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self._connect_timeout, context=self._context
            )
        try:
            connection.connect()
        except TimeoutError as error:
            connection.close()
            raise self._errors.ConnectTimeoutError(endpoint_url=url, error=error) from error
        except OSError as error:
            connection.close()
            known = self._errors.SSLError if _is_tls(error) else self._errors.EndpointConnectionError
            raise known(endpoint_url=url, error=error) from error
        # Nagle's algorithm is off already: http.client sees to that.
        if self._keep_alive:
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.sock.settimeout(self._read_timeout)
        return connection


def _authority(parts: SplitResult) -> str:
    """The Host header, as it is signed: without the port that goes without saying."""
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return host if parts.port in (None, {"http": 80, "https": 443}.get(parts.scheme)) else f"{host}:{parts.port}"


def _message(request: Any, authority: str) -> bytes:
    """The request as it goes out. In one piece: `http.client` sends head and body one after the other."""
    parts = urlsplit(request.url)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    body: bytes = request.body or b""
    lines = [f"{request.method} {target} HTTP/1.1", f"Host: {authority}", "Accept-Encoding: identity"]
    lines += [f"{name}: {_text(value)}" for name, value in request.headers.items()]
    if body and "Content-Length" not in request.headers:
        lines.append(f"Content-Length: {len(body)}")
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1 or " " in target:
        message = f"A header or the path of a request to {authority} has characters that end it early"
        raise ValueError(message)
    return b"%s\r\n\r\n%s" % (head.encode("latin-1"), body)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _close(connections: list[http.client.HTTPConnection]) -> None:
    while connections:
        connections.pop().close()


def _tls(verify: str | bool) -> Any:
    import ssl

    from botocore.httpsession import get_cert_path

    # Not botocore's own context: that leaves host names to urllib3.
    find: Any = get_cert_path  # its stub takes a bool only
    bundle = find(verify)
    return ssl.create_default_context(**{"capath" if os.path.isdir(bundle) else "cafile": bundle})


def _is_tls(error: OSError) -> bool:
    import ssl

    return isinstance(error, ssl.SSLError)


def _is_readable(sock: socket.socket) -> bool:
    """Whether an idle connection has something to say: it says goodbye, or something out of turn."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
