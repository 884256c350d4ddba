"""The service behind a boto3 Lambda client.

boto3 keeps what it is good at: credentials, signing, endpoints, retries, proxies. What it is slow at, turning large
bodies into Python objects and back by way of its service model, is left out. Two documented botocore events make that
possible:

`before-call.lambda.CheckpointDurableExecution`
    runs after the request was serialized and before it is signed. The body that the core wrote takes the place of the
    serialized one, so it is the body that is signed, sent and sent again by botocore's retries.
`before-parse.lambda.<operation>`
    runs with the complete response. The hook keeps the body for the core and leaves an empty object to be parsed.
    Only for a status below 300: botocore's error handling and retries need the parsed form of an error.

The hooks are registered once per client and act only on a call that this module has marked for its own thread, so the
same client serves other callers as if they were not there. A client that is not a plain botocore client (a mock, a
stubbed client, a wrapper) is called with ordinary parameters and its parsed answer is taken.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from durable_execution_sdk._core import Request
from durable_execution_sdk._edges.user_agent import user_agent_extra
from durable_execution_sdk._model.api_errors import BotoClientError, CheckpointError, GetExecutionStateError

if TYPE_CHECKING:
    # Stubs, installed for development only; without them the annotation is Any.
    from mypy_boto3_lambda import LambdaClient as Boto3LambdaClient

_HOOK_ID = "durable-execution-sdk"
_OPERATIONS = ("CheckpointDurableExecution", "GetDurableExecutionState")

_logger = logging.getLogger("durable_execution_sdk.lambda_service")


class _Call:
    """One call of ours while botocore works on it."""

    __slots__ = ("body", "raw", "reached")

    def __init__(self, body: bytes | None) -> None:
        self.body = body
        self.raw: bytes | None = None
        self.reached = False


class _Thread(threading.local):
    call: _Call | None = None


_thread = _Thread()


def _replace_body(params: dict[str, Any], **_: Any) -> None:
    call = _thread.call
    if call is None:
        return
    call.reached = True
    if call.body is not None:
        params["body"] = call.body


def _keep_raw_body(response_dict: dict[str, Any], **_: Any) -> None:
    call = _thread.call
    if call is None or response_dict["status_code"] >= 300:
        return
    body = response_dict["body"]
    announced = response_dict["headers"].get("content-length")
    if announced is not None and len(body) != int(announced):
        # botocore does not look, and would take an empty body for an answer without content.
        message = f"The response has {len(body)} bytes where {announced} were announced"
        raise ConnectionError(message)
    call.raw = body
    response_dict["body"] = b"{}"


class BotoTransport:
    """A `Transport` over a boto3 Lambda client; without one, over a default client made when first needed."""

    __slots__ = ("_client", "_hooked_events")

    def __init__(self, client: Boto3LambdaClient | None = None) -> None:
        self._client: Any = client
        self._hooked_events: Any = None

    def checkpoint(self, arn: str, request: Request) -> bytes | Mapping[str, Any]:
        """Send one batch and return its acknowledgement.

        Raises:
            CheckpointError: The call failed, classified; see `BotoClientError`.
        """
        client = self._connected()
        if not request.token:
            raise CheckpointError("Cannot checkpoint without a checkpoint token.")
        method: Callable[..., dict[str, Any]] = client.checkpoint_durable_execution
        try:
            if not self._takes_hooks(client):
                # Exactly the official call, which stubs and mocks may compare: botocore adds the ClientToken itself.
                return understood(
                    method(
                        DurableExecutionArn=arn,
                        CheckpointToken=request.token,
                        Updates=[update.to_dict() for update in request.updates],
                    ),
                    "CheckpointToken",
                    "NewExecutionState",
                )
            return _hooked_call(
                request.body,
                method,
                DurableExecutionArn=arn,
                CheckpointToken=request.token,
                ClientToken=request.client_token,
            )
        except Exception as error:
            raise reported("Failed to checkpoint.", CheckpointError.from_exception(error)) from error

    def fetch_state(self, arn: str, token: str, marker: str, max_items: int) -> bytes | Mapping[str, Any]:
        """Read one page of the history.

        Raises:
            GetExecutionStateError: The call failed, classified; see `BotoClientError`.
        """
        client = self._connected()
        if not token:
            raise GetExecutionStateError("Cannot get execution state without a checkpoint token.")
        method: Callable[..., dict[str, Any]] = client.get_durable_execution_state
        params = {"DurableExecutionArn": arn, "CheckpointToken": token, "Marker": marker, "MaxItems": max_items}
        try:
            if not self._takes_hooks(client):
                return understood(method(**params), "Operations", "NextMarker")
            return _hooked_call(None, method, **params)
        except Exception as error:
            raise reported("Failed to get execution state.", GetExecutionStateError.from_exception(error)) from error

    def _connected(self) -> Any:
        if self._client is None:
            self._client = default_client()
        return self._client

    def _takes_hooks(self, client: Any) -> bool:
        """Whether the client is a plain botocore client; the hooks are in place then."""
        # botocore is loaded if there is such a client: nothing is imported for a mock.
        botocore_client = sys.modules.get("botocore.client")
        if botocore_client is None or not isinstance(client, botocore_client.BaseClient):
            return False
        if getattr(type(client)._make_api_call, "__module__", None) != "botocore.client":
            return False  # replaced by a test's own function, which expects the parameters
        events = client.meta.events
        if _is_stubbed(events):
            return False
        if events is not self._hooked_events:
            for operation in _OPERATIONS:
                events.register_first(f"before-call.lambda.{operation}", _replace_body, f"{_HOOK_ID}-call-{operation}")
                events.register_first(f"before-parse.lambda.{operation}", _keep_raw_body, f"{_HOOK_ID}-{operation}")
            self._hooked_events = events
        return True


def _is_stubbed(events: Any) -> bool:
    """Whether a `botocore.stub.Stubber` is active on the client; it compares the parameters of the call.

    botocore has no public way to ask. Where its internals change, a test of ours fails and stubs still answer.
    """
    emitter = getattr(events, "_emitter", events)
    return "boto_stubber" in getattr(emitter, "_unique_id_handlers", ())


def _hooked_call(body: bytes | None, method: Callable[..., Any], **params: Any) -> bytes | Mapping[str, Any]:
    call = _Call(body)
    outer, _thread.call = _thread.call, call
    try:
        parsed = method(**params)
    finally:
        _thread.call = outer
    if not call.reached:
        message = "The boto3 client does not run its before-call event, so the prepared body was not sent"
        raise RuntimeError(message)
    # Parsed, if another hook answered for the service.
    return cast("Mapping[str, Any]", parsed) if call.raw is None else call.raw


_Answer = TypeVar("_Answer", bound=Mapping[str, Any])


def understood(answer: _Answer, *members: str) -> _Answer:
    """A parsed answer that has at least one of its members.

    botocore turns a body that is no JSON, or is cut to nothing, into an answer without any. Taken at its word that
    would be a revoked token, or the end of the history: finished steps would run again.

    Raises:
        ValueError: It has none of them.
    """
    for member in members:
        if member in answer:
            return answer
    message = f"The service's answer has none of {', '.join(members)}; it was probably damaged on its way"
    raise ValueError(message)


_Error = TypeVar("_Error", bound=BotoClientError)


def reported(event: str, error: _Error) -> _Error:
    _logger.error(event, extra=error.build_logger_extras(), exc_info=error)
    return error


# --- the default client ---------------------------------------------------------------------------------------------


class _DefaultClient:
    """One boto3 client per process, like boto3's default session."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Make the next `get()` a new one: after a fork its sockets are the parent's, and its lock may be held."""
        self._client: Boto3LambdaClient | None = None
        self._lock = threading.Lock()

    def get(self) -> Boto3LambdaClient:
        if self._client is None:
            with self._lock:
                if self._client is None:
                    from durable_execution_sdk._edges.new_client import new_client

                    self._client = new_client(user_agent_extra())
        return self._client


_default = _DefaultClient()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_default.forget)


def default_client() -> Boto3LambdaClient:
    """The boto3 Lambda client of this process: connect timeout 5 s, read timeout 50 s, made at the first call."""
    return _default.get()


def forget_default_client() -> None:
    """Let the next `default_client()` be made afresh, from the environment as it is then."""
    _default.forget()
