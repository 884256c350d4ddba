"""A small Lambda durable-execution service on the loopback interface, with faults to order.

It speaks CheckpointDurableExecution and GetDurableExecutionState as the Lambda API does: paths, JSON, error headers,
tokens that are good for one checkpoint, `ClientToken` idempotency, state pages. It checks every signature. It knows no
timers: what becomes of a wait or a retry is for the test to say (`Execution.complete`).

    with loopback() as service:
        execution = service.start(payload='{"order": 7}')
        service.fail_next(Refuse(429, "TooManyRequestsException"), LostResponse())
        client = boto3_client(service)
"""

from __future__ import annotations

import base64
import json
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.sigv4 import signature_fault

ACCESS_KEY = "AKIDLOOPBACK"
SECRET_KEY = "loopback-secret"
EPOCH = 1_700_000_000.0
"""When every execution starts, in seconds; each change is a millisecond later than the one before."""

CERTIFICATE = str(Path(__file__).with_name("loopback.pem"))
"""Key and self-signed certificate of the service, for 127.0.0.1; as CA bundle too."""

INVALID_TOKEN = "Invalid checkpoint token"


# --- faults -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Refuse:
    """Answer with an error and apply nothing."""

    status: int
    code: str
    message: str = "refused by the test"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ResetBefore:
    """Drop the connection; nothing is applied."""


@dataclass(frozen=True)
class LostResponse:
    """Apply the request, then drop the connection."""


@dataclass(frozen=True)
class Truncate:
    """Apply the request, announce the whole answer and send the first `keep` bytes."""

    keep: int


@dataclass(frozen=True)
class Garble:
    """Apply the request, answer 200 with this body."""

    body: bytes


@dataclass(frozen=True)
class Hold:
    """Keep the request waiting until the event is set, then serve it."""

    until: threading.Event


Fault = Refuse | ResetBefore | LostResponse | Truncate | Garble | Hold


# --- state ------------------------------------------------------------------------------------------------------------


class Refused(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass
class Execution:
    """One execution as the service holds it."""

    arn: str
    operations: dict[str, dict[str, Any]] = field(default_factory=dict)
    updates: list[dict[str, Any]] = field(default_factory=list)
    sequence: int = 0
    ended: bool = False
    answers: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    seconds: float = EPOCH

    def token(self) -> str:
        return base64.b64encode(f"{self.arn[-8:]}#{self.sequence}".encode()).decode()

    def event(self, page_size: int | None = None) -> dict[str, Any]:
        """The event of the next invocation, with the first `page_size` operations; its token is the only good one."""
        self.sequence += 1
        operations = list(self.operations.values())
        first = operations if page_size is None else operations[:page_size]
        state: dict[str, Any] = {"Operations": [_as_event(operation) for operation in first]}
        if len(first) < len(operations):
            state["NextMarker"] = str(len(first))
        return {"DurableExecutionArn": self.arn, "CheckpointToken": self.token(), "InitialExecutionState": state}

    def complete(self, operation_id: str, status: str = "SUCCEEDED") -> None:
        """What a timer of the service would do."""
        self.operations[operation_id].update(Status=status, EndTimestamp=self.tick())

    def tick(self) -> float:
        self.seconds = round(self.seconds + 0.001, 3)
        return self.seconds

    def checkpoint(self, request: dict[str, Any]) -> dict[str, Any]:
        token, client_token = request["CheckpointToken"], request["ClientToken"]
        known = self.answers.get(client_token)
        if known is not None and known[0] == token:
            return known[1]
        if self.ended or token != self.token():
            raise Refused(400, "InvalidParameterValueException", INVALID_TOKEN)
        changed = []
        for update in request.get("Updates", []):
            self.updates.append(update)
            changed.append(self._apply(update))
        self.sequence += 1
        answer: dict[str, Any] = {"NewExecutionState": {"Operations": [op for op in changed if op is not None]}}
        if not self.ended:
            answer["CheckpointToken"] = self.token()
        self.answers[client_token] = (token, answer)
        return answer

    def page(self, marker: str, size: int) -> dict[str, Any]:
        operations = list(self.operations.values())
        start = int(marker or "0")
        page: dict[str, Any] = {"Operations": operations[start : start + size]}
        if start + size < len(operations):
            page["NextMarker"] = str(start + size)
        return page

    def _apply(self, update: dict[str, Any]) -> dict[str, Any] | None:
        if update["Type"] == "EXECUTION":
            self.ended = True
            return None
        operation = self.operations.setdefault(
            update["Id"],
            {key: update[key] for key in ("Id", "Type", "SubType", "Name", "ParentId") if key in update}
            | {"StartTimestamp": self.tick()},
        )
        details = operation.setdefault(_DETAILS[update["Type"]], {})
        action = update["Action"]
        if action == "START":
            operation["Status"] = "STARTED"
            if update["Type"] == "WAIT":
                details["ScheduledEndTimestamp"] = self.seconds + update["WaitOptions"]["WaitSeconds"]
            if update["Type"] == "CALLBACK":
                details["CallbackId"] = base64.b64encode(update["Id"].encode()).decode()
            return operation
        for source, target in (("Payload", "Result"), ("Error", "Error")):
            if source in update:
                details[target] = update[source]
        if update["Type"] == "STEP":
            details["Attempt"] = details.get("Attempt", 0) + 1
        if update["Type"] == "CONTEXT" and "ContextOptions" in update:
            details["ReplayChildren"] = update["ContextOptions"].get("ReplayChildren", False)
        if action == "RETRY":
            operation["Status"] = "PENDING"
            details["NextAttemptTimestamp"] = self.seconds + update["StepOptions"]["NextAttemptDelaySeconds"]
        else:
            operation["Status"] = {"SUCCEED": "SUCCEEDED", "FAIL": "FAILED", "CANCEL": "CANCELLED"}[action]
            operation["EndTimestamp"] = self.tick()
        return operation


_DETAILS = {
    "STEP": "StepDetails",
    "WAIT": "WaitDetails",
    "CONTEXT": "ContextDetails",
    "CALLBACK": "CallbackDetails",
    "CHAINED_INVOKE": "ChainedInvokeDetails",
}


def _as_event(value: Any, key: str = "") -> Any:
    """API form (epoch seconds) to event form (epoch milliseconds)."""
    if isinstance(value, dict):
        return {name: _as_event(item, name) for name, item in value.items()}
    if key.endswith("Timestamp"):
        return round(value * 1000)
    return value


# --- the server -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Received:
    """One request as it came over the wire."""

    method: str
    target: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    connection: int
    """The client's port: equal for requests on one kept-alive connection."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}


class Loopback:
    """The service; see the head of this module."""

    def __init__(self, *, tls: bool = False) -> None:
        self._scheme = "https" if tls else "http"
        self.received: list[Received] = []
        self.page_size = 1000
        self.on_answer: Callable[[dict[str, Any]], dict[str, Any]] = lambda answer: answer
        self._closed = False
        self._faults: deque[Fault | None] = deque()
        self._executions: dict[str, Execution] = {}
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.service = self
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    def start(self, payload: str | None = None, invocation_id: str = "8f2c6a1e") -> Execution:
        arn = (
            "arn:aws:lambda:eu-central-1:123456789012:function:orders:$LATEST"
            f"/durable-execution/test-{len(self._executions)}/{invocation_id}"
        )
        details = {} if payload is None else {"InputPayload": payload}
        execution = Execution(arn)
        execution.operations[invocation_id] = {
            "Id": invocation_id,
            "Type": "EXECUTION",
            "Status": "STARTED",
            "StartTimestamp": EPOCH,
            "ExecutionDetails": details,
        }
        self._executions[arn] = execution
        return execution

    def fail_next(self, *faults: Fault | None) -> None:
        """Each of the next requests meets one of these faults, in order; None: it is served."""
        self._faults.extend(faults)

    def recover(self) -> None:
        """Faults that no request has met are off."""
        self._faults.clear()

    def close(self) -> None:
        """Stop listening; nothing happens the second time."""
        if self._closed:
            return
        self._closed = True
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    # --- for the handler threads

    def take(self, request: Received) -> Fault | None:
        with self._lock:
            self.received.append(request)
            return self._faults.popleft() if self._faults else None

    def serve(self, request: Received) -> dict[str, Any]:
        fault = signature_fault(request.method, request.target, request.headers, request.body, {ACCESS_KEY: SECRET_KEY})
        if fault is not None:
            raise Refused(403, "InvalidSignatureException", fault)
        path = urlsplit(request.target).path.split("/")
        arn, action = unquote(path[3]), path[4]
        with self._lock:
            execution = self._executions.get(arn)
            if execution is None:
                raise Refused(404, "ResourceNotFoundException", f"no execution {arn}")
            if (request.method, action) == ("POST", "checkpoint"):
                return self.on_answer(execution.checkpoint(request.json))
            if (request.method, action) == ("GET", "state"):
                if request.query["CheckpointToken"] != execution.token():
                    raise Refused(400, "InvalidParameterValueException", INVALID_TOKEN)
                size = min(self.page_size, int(request.query.get("MaxItems", "100")))
                return self.on_answer(execution.page(request.query.get("Marker", ""), size))
        raise Refused(404, "ResourceNotFoundException", f"no such path {request.target}")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    service: Loopback

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that the test drops are no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self._exchange()

    def do_GET(self) -> None:
        self._exchange()

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def _exchange(self) -> None:
        service = self.server.service
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Received(self.command, self.path, headers, self.rfile.read(length), self.client_address[1])
        fault = service.take(request)
        if isinstance(fault, ResetBefore):
            self._reset()
            return
        if isinstance(fault, Refuse):
            self._refuse(fault.status, fault.code, fault.message, fault.headers)
            return
        if isinstance(fault, Hold):
            fault.until.wait(30)
        try:
            body = json.dumps(service.serve(request)).encode()
        except Refused as refused:
            self._refuse(refused.status, refused.code, str(refused), {})
            return
        if isinstance(fault, LostResponse):
            self._reset()
        elif isinstance(fault, Truncate):
            self._answer(200, body, {}, keep=fault.keep)
            self.close_connection = True
        elif isinstance(fault, Garble):
            self._answer(200, fault.body, {})
        else:
            self._answer(200, body, {})

    def _refuse(self, status: int, code: str, message: str, headers: dict[str, str]) -> None:
        body = json.dumps({"Type": code, "message": message}).encode()
        self._answer(status, body, {"x-amzn-errortype": code, **headers})

    def _answer(self, status: int, body: bytes, headers: dict[str, str], keep: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amzn-RequestId", "5f0d9a52")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:keep])
        self.wfile.flush()

    def _reset(self) -> None:
        self.close_connection = True
        # Linger for zero seconds: the client sees a reset, not an orderly end.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.shutdown(socket.SHUT_RD)
        self.connection.close()


def boto3_client(service: Loopback, **config: Any) -> Any:
    """A real boto3 Lambda client for the service, with credentials that the service knows."""
    import boto3
    from botocore.config import Config

    # Older versions of boto3 try five times and by other rules unless told.
    retries = {"mode": "standard", "total_max_attempts": 3}
    defaults = {"connect_timeout": 5, "read_timeout": 30, "retries": retries}
    return boto3.session.Session(ACCESS_KEY, SECRET_KEY, region_name="eu-central-1").client(
        "lambda", endpoint_url=service.url, config=Config(**(defaults | config))
    )


@contextmanager
def loopback(*, tls: bool = False) -> Iterator[Loopback]:
    service = Loopback(tls=tls)
    try:
        yield service
    finally:
        service.close()
