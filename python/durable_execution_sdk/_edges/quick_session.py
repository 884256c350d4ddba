"""A shorter way through HTTP for the default client's plain requests.

Of a call of a boto3 client, the larger part of what is not waiting goes into urllib3: a pool looked up by URL, paths
encoded anew, head and body sent one after the other, the answer's head read as e-mail. `QuickSession` takes the place
of botocore's HTTP session in the client that this SDK makes for itself, and sends what is plain over `KeptConnections`.
Parameters, endpoints, events, signing, retries and parsing stay botocore's.

Whatever is not plain goes the way it always went: proxies, client certificates, other hosts, streams, methods and
timeouts of a single request. So does everything while anybody has replaced a part of that way, as recorders, blockers
and tracers do. A client that somebody else has made is never touched.
"""

from __future__ import annotations

import re
import socket
import sys
import threading
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from durable_execution_sdk._edges.kept_http import Answer, KeptConnections, authority
from durable_execution_sdk._edges.signing import Outgoing

_TARGET = re.compile(r"/(?:[A-Za-z0-9._~/=&?+:-]|%[0-9A-F]{2})*")
"""What urllib3 would send as it is."""
_OF_THE_SENDER = frozenset(("accept-encoding", "connection", "content-length", "expect", "host", "transfer-encoding"))
"""Headers that say how a message is sent; of these only a length is known here."""
_KEEP_ALIVE = (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
_NO_DELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

_USUAL_WAY = (
    ("botocore.httpsession", "URLLib3Session", "send"),
    ("botocore.awsrequest", "AWSHTTPConnection", "request"),
    ("botocore.awsrequest", "AWSHTTPSConnection", "request"),
    ("urllib3.connectionpool", "HTTPConnectionPool", "urlopen"),
    ("urllib3.connection", "HTTPConnection", "getresponse"),
    ("http.client", "HTTPConnection", "connect"),
    ("http.client", "HTTPConnection", "send"),
)
"""Methods that a request goes through without this module: the module and the class that define each."""


def quicken(client: Any) -> None:
    """Give a new boto3 client the shorter way, if its configuration is one that this module knows."""
    try:
        endpoint = client._endpoint
        if _is_plain(client, endpoint.http_session):
            endpoint.http_session = QuickSession(endpoint.http_session, client.meta.endpoint_url, client.meta.config)
    except (AttributeError, ImportError):
        return  # a botocore that is laid out differently


def _is_plain(client: Any, session: Any) -> bool:
    from botocore.httpsession import URLLib3Session

    if type(session) is not URLLib3Session:
        return False
    url = client.meta.endpoint_url
    known: Any = session  # its stub leaves out how it was configured, which nothing public tells
    return (
        bool(known._verify)
        and known._cert_file is None
        and not known._proxy_config.proxy_url_for(url)
        and {tuple(option) for option in known._socket_options} <= {_KEEP_ALIVE, _NO_DELAY}
        and urlsplit(url).scheme in ("http", "https")
    )


class QuickSession:
    """An HTTP session of botocore's that sends plain requests by itself.

    Args:
        session: The session that sends all others.
        endpoint: Scheme, host and port of plain requests.
        config: The client's, with its timeouts in seconds.
    """

    def __init__(self, session: Any, endpoint: str, config: Any) -> None:
        import botocore.exceptions
        from botocore.awsrequest import AWSResponse

        self._session = session
        self._response: Any = AWSResponse
        parts = urlsplit(endpoint)
        self._host = authority(endpoint)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._make = partial(
            KeptConnections,
            endpoint,
            verify=session._verify,
            connect_timeout=config.connect_timeout,
            read_timeout=config.read_timeout,
            keep_alive=_KEEP_ALIVE in map(tuple, session._socket_options),
            errors=botocore.exceptions,
        )
        self._connections: KeptConnections | None = None
        self._lock = threading.Lock()

    def send(self, request: Any) -> Any:
        """Send a prepared request and read its answer; errors are those of botocore's own session."""
        outgoing = self._plain(request)
        connections = None if outgoing is None or not is_usual() else self._connected()
        if outgoing is None or connections is None:
            return self._session.send(request)
        answer = connections.send(outgoing)
        return self._response(request.url, answer.status_code, answer.fields(), _Read(answer))

    def close(self) -> None:
        """Close idle connections; another request opens new ones."""
        if self._connections is not None:
            self._connections.close()
        self._session.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def _connected(self) -> KeptConnections | None:
        if self._connections is None:
            with self._lock:
                if self._connections is None:
                    try:
                        self._connections = self._make()
                    except OSError:  # no CA bundle where one should be: botocore's own session tells the caller
                        return None
        return self._connections

    def _plain(self, request: Any) -> Outgoing | None:
        """What goes out if the request is plain."""
        url, body, context = request.url, request.body, getattr(request, "context", None)
        if (
            request.method not in ("GET", "POST")
            or not url.startswith(self._origin)
            or not _TARGET.fullmatch(url, len(self._origin))
            or request.stream_output
            or not (body is None or type(body) is bytes)
            or (context is not None and context.get("read_timeout") is not None)
        ):
            return None
        headers = {"Host": self._host}
        for name, value in request.headers.items():
            # botocore has encoded them, and byte for byte they are sent.
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            if name.lower() not in _OF_THE_SENDER:
                headers[name] = text
            elif name.lower() != "content-length" or text != str(len(body or b"")):
                return None
        return Outgoing(request.method, url, headers, body or b"")


class _Read:
    """A response that has been read already."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def stream(self) -> tuple[bytes]:
        """All of it."""
        return (self._answer.content,)


def is_usual() -> bool:
    """Whether nobody has replaced a part of the way that requests go without this module."""
    for module, owner, name in _USUAL_WAY:
        loaded = sys.modules.get(module)
        space = {} if loaded is None else vars(loaded)
        # A wrapper may call itself by the name and the module of what it wraps; it runs in its own module all the same.
        method = getattr(space.get(owner), name, None)
        if getattr(method, "__globals__", None) is not space:
            return False
    pools = vars(sys.modules["botocore.awsrequest"])
    return all(
        getattr(pools.get(f"AWS{scheme}ConnectionPool"), "ConnectionCls", None) is pools[f"AWS{scheme}Connection"]
        for scheme in ("HTTP", "HTTPS")
    )
