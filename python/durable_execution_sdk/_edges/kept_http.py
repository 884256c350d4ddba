"""HTTP/1.1 to one endpoint over connections that are kept alive: the plain case of botocore's HTTP session.

A checkpoint through urllib3 costs three times what the standard library's client costs, and the light transport needs
none of what urllib3 adds. Failures are raised as the exceptions of botocore's session, which its retry rules know.

The standard library reads a head of eight lines through its parser of e-mail, at a third of the cost of a whole call.
So the answer that a service gives nearly always, 200 with a length and nothing that needs thought, is recognised by one
expression; every other one, and every one in doubt, is read by `http.client`.
"""

from __future__ import annotations

import http.client
import io
import os
import re
import select
import socket
import weakref
from typing import Any
from urllib.parse import urlsplit

CAPACITY = 10
"""Most idle connections that are kept, as in botocore."""

_AT_ONCE = 65536
"""Bytes asked for at a time; a head that has not come with the first of them is none of the plain ones."""

_KEEPS = rb"connection:[\t ]*keep-alive[\t ]*\r\n"
_OTHER = rb"(?!content-length:|transfer-encoding:|connection:)[!-9;-~]+:[\t -~]*\r\n"
_OTHERS = rb"(?:%b|%b){0,40}" % (_OTHER, _KEEPS)
_FIELDS = rb"%bcontent-length:[\t ]*([0-9]{1,12})[\t ]*\r\n%b" % (_OTHERS, _OTHERS)
_PLAIN = re.compile(rb"HTTP/1\.1 200 [\t -~]*\r\n(?i:%b)\r\n" % _FIELDS)


class Answer:
    """A response, read to its end."""

    __slots__ = ("_head", "content", "status_code")

    def __init__(self, status_code: int, head: bytes | http.client.HTTPMessage, content: bytes) -> None:
        self.status_code = status_code
        self._head = head
        self.content = content

    @property
    def headers(self) -> http.client.HTTPMessage:
        """Names in any case."""
        if isinstance(self._head, bytes):
            self._head = http.client.parse_headers(io.BytesIO(self._head))
        return self._head

    def fields(self) -> dict[str, str]:
        """The headers by their names as they came; of a name that came more than once, all values."""
        if isinstance(self._head, bytes):
            lines = self._head.decode("latin-1").split("\r\n")[:-2]
            pairs = [(name, value.lstrip(" \t")) for name, _, value in (line.partition(":") for line in lines)]
        else:
            pairs = list(self._head.items())
        fields = dict(pairs)
        if len(fields) < len(pairs):
            fields = {name: ", ".join(value for other, value in pairs if other == name) for name in fields}
        return fields


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
        self._context = _tls(verify) if parts.scheme == "https" else None
        self._connect_timeout, self._read_timeout, self._keep_alive = connect_timeout, read_timeout, keep_alive
        self._errors = errors
        self._idle: list[http.client.HTTPConnection] = []  # the one used last is last
        self._process = os.getpid()
        weakref.finalize(self, _close, self._idle)

    def send(self, request: Any) -> Answer:
        """Send a prepared request (`method`, `url`, `headers` with Host, `body`) and read the answer.

        Raises:
            ConnectTimeoutError, EndpointConnectionError, SSLError: There is no connection (classes of botocore).
            ReadTimeoutError, ConnectionClosedError: It broke; whether the request was served is unknown.
        """
        url = request.url
        message = _message(request)
        connection = self._taken() or self._opened(url)
        try:
            connection.sock.sendall(message)
            answer, is_last = read_answer(connection.sock)
        except TimeoutError as error:
            connection.close()
            raise self._errors.ReadTimeoutError(endpoint_url=url, error=error) from error
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._errors.ConnectionClosedError(endpoint_url=url, error=error) from error
        except BaseException:
            connection.close()  # interrupted: what is still to come on it belongs to nobody
            raise
        if is_last or len(self._idle) >= CAPACITY:
            connection.close()
        else:
            self._idle.append(connection)
        return answer

    def close(self) -> None:
        """Close what is idle; another request opens connections anew."""
        _close(self._idle)

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


def authority(endpoint: str) -> str:
    """The Host header, as it is signed: without the port that goes without saying."""
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return host if parts.port in (None, {"http": 80, "https": 443}.get(parts.scheme)) else f"{host}:{parts.port}"


def _message(request: Any) -> bytes:
    """The request as it goes out. In one piece: `http.client` sends head and body one after the other."""
    parts = urlsplit(request.url)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    body: bytes = request.body or b""
    lines = [f"{request.method} {target} HTTP/1.1", "Accept-Encoding: identity"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1 or " " in target:
        message = f"A header or the path of a request to {parts.netloc} has characters that end it early"
        raise ValueError(message)
    return b"%s\r\n\r\n%s" % (head.encode("latin-1"), body)


def read_answer(sock: socket.socket) -> tuple[Answer, bool]:
    """Read the response to a GET or POST to its end; with it, whether the connection is of no use after it.

    Raises:
        HTTPException, OSError: As `http.client` raises them.
    """
    received = sock.recv(_AT_ONCE)
    plain = _PLAIN.match(received)
    if plain is None:
        response = http.client.HTTPResponse(_Begun(received, sock))  # type: ignore[arg-type]  # as much of a socket as it uses
        response.begin()
        return Answer(response.status, response.headers, response.read()), response.will_close
    start = plain.end()
    length = int(plain[1])
    content = received[start:]
    if len(content) < length:
        content = _completed(sock, content, length)
    head = received[received.index(b"\n") + 1 : start]
    # More than was announced is an answer that nobody has asked for.
    return Answer(200, head, content[:length]), len(content) > length


def _completed(sock: socket.socket, begun: bytes, length: int) -> bytes:
    pieces, missing = [begun], length - len(begun)
    while missing > 0:
        piece = sock.recv(_AT_ONCE)  # all that there is: what TLS keeps of a record would not be seen to wait
        if not piece:
            raise http.client.IncompleteRead(b"".join(pieces), missing)
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


class _Begun(io.RawIOBase):
    """A socket of which something has been read already."""

    def __init__(self, begun: bytes, sock: socket.socket) -> None:
        self._begun = begun
        self._sock = sock

    def makefile(self, mode: str) -> io.BufferedReader:
        """What `http.client` asks a socket for."""
        del mode
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, into: Any) -> int:
        """What has been read already, then what comes."""
        if not self._begun:
            return self._sock.recv_into(into)
        piece, self._begun = self._begun[: len(into)], self._begun[len(into) :]
        into[: len(piece)] = piece
        return len(piece)


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
