"""The service without a boto3 client: the light transport, asked for by name.

A boto3 client costs a cold process its import, the Lambda service model and the endpoint rules, and every call a walk
through that model. None of it is needed for two calls whose bodies the core reads and writes itself. What is needed
comes from botocore all the same: configuration and credentials (its session), the signature (`SigV4Auth`), HTTP with
connections kept alive, proxies and CA bundles (its HTTP session), error parsing, and the standard retry rules.

Where the configuration asks for something that this module does not know (`unsupported`), it logs that once and leaves
the work to boto3.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time
from collections.abc import Mapping
from functools import lru_cache
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlencode

from durable_execution_sdk._core import Request
from durable_execution_sdk._edges.aws import BotoTransport, reported
from durable_execution_sdk._edges.environment_session import EnvironmentSession, is_enough
from durable_execution_sdk._edges.new_client import CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS
from durable_execution_sdk._edges.signing import Outgoing, Signing
from durable_execution_sdk._edges.user_agent import user_agent_extra
from durable_execution_sdk._model.api_errors import CheckpointError, GetExecutionStateError

_API = "/2025-12-01/durable-executions"
_CHECKPOINT = "CheckpointDurableExecution"
_GET_STATE = "GetDurableExecutionState"
_REGION = re.compile(r"(?!-)[a-zA-Z0-9-]{1,63}(?<!-)")

_logger = logging.getLogger("durable_execution_sdk.lambda_service")


class LightTransport:
    """A `Transport` that signs and sends its two calls itself.

    Args:
        session: A botocore session to take configuration and credentials from. None (default): the session of boto3's
            default session if there is one, else a new one.

    Region, credentials, endpoint URL, CA bundle, proxies, `max_attempts` and TCP keep-alive are read as boto3 reads
    them, when the first call is made. Safe to use from several threads.
    """

    __slots__ = ("_lock", "_serves", "_session")

    def __init__(self, session: Any = None) -> None:
        self._session = session
        self._serves: _Light | BotoTransport | None = None
        self._lock = threading.Lock()

    def checkpoint(self, arn: str, request: Request) -> bytes | Mapping[str, Any]:
        """Send one batch and return its acknowledgement.

        Raises:
            CheckpointError: The call failed, classified; see `BotoClientError`.
        """
        serves = self._connected()
        if isinstance(serves, BotoTransport):
            return serves.checkpoint(arn, request)
        if not request.token:
            raise CheckpointError("Cannot checkpoint without a checkpoint token.")
        url = f"{serves.endpoint}{_path(arn)}/checkpoint"
        try:
            return serves.call(_CHECKPOINT, "POST", url, request.body)
        except Exception as error:
            raise reported("Failed to checkpoint.", CheckpointError.from_exception(error)) from error

    def fetch_state(self, arn: str, token: str, marker: str, max_items: int) -> bytes | Mapping[str, Any]:
        """Read one page of the history.

        Raises:
            GetExecutionStateError: The call failed, classified; see `BotoClientError`.
        """
        serves = self._connected()
        if isinstance(serves, BotoTransport):
            return serves.fetch_state(arn, token, marker, max_items)
        if not token:
            raise GetExecutionStateError("Cannot get execution state without a checkpoint token.")
        query = urlencode(
            {"CheckpointToken": token, "Marker": marker, "MaxItems": max_items}, quote_via=quote, safe="-._~"
        )
        url = f"{serves.endpoint}{_path(arn)}/state?{query}"
        try:
            return serves.call(_GET_STATE, "GET", url, b"")
        except Exception as error:
            raise reported("Failed to get execution state.", GetExecutionStateError.from_exception(error)) from error

    def _connected(self) -> _Light | BotoTransport:
        serves = self._serves
        if serves is None:
            with self._lock:
                serves = self._serves
                if serves is None:
                    serves = self._serves = self._connect()
        return serves

    def _connect(self) -> _Light | BotoTransport:
        session = self._session or _ambient_session()
        reason = unsupported(session)
        if reason is None:
            try:
                return _Light(session)
            except (ImportError, TypeError, AttributeError) as error:
                reason = f"this botocore is laid out differently ({error})"
        _logger.warning("The light transport does not serve this configuration; using boto3. Reason: %s", reason)
        return BotoTransport()


@lru_cache(maxsize=64)
def _path(arn: str) -> str:
    return f"{_API}/{quote(arn, safe='-._~')}"


def _ambient_session() -> Any:
    """boto3's default session, if the process has set one up, else a new one, or what stands for it."""
    boto3 = sys.modules.get("boto3")
    default = getattr(boto3, "DEFAULT_SESSION", None)
    inner = getattr(default, "_session", None)  # no public way from a boto3 session to its botocore session
    if inner is not None:
        return inner
    if is_enough():
        try:
            return EnvironmentSession()
        except (ImportError, TypeError, AttributeError):
            pass  # a botocore that is laid out differently
    import botocore.session

    return botocore.session.get_session()


def unsupported(session: Any) -> str | None:
    """What in the configuration only boto3 can serve; None if the light transport can."""
    read = session.get_config_variable
    if read("use_fips_endpoint"):
        return "FIPS endpoints (use_fips_endpoint)"
    if read("use_dualstack_endpoint"):
        return "dual-stack endpoints (use_dualstack_endpoint)"
    retry_mode = _chosen_retry_mode(session)
    if retry_mode not in (None, "standard"):
        return f"retry mode {retry_mode!r} (retry_mode)"
    if read("auth_scheme_preference"):
        return "a preference among authentication schemes (auth_scheme_preference)"
    if read("proxies_config"):
        return "proxies with settings of their own (proxies_config)"
    if session.get_default_client_config() is not None:
        return "a default client configuration on the session"
    region = read("region")
    if not region or not _REGION.fullmatch(region):
        return f"region {region!r}"
    return None


def _chosen_retry_mode(session: Any) -> str | None:
    """The retry mode that somebody has set; botocore's default was another one in older versions, and is not asked."""
    set_on_session: str | None = session.instance_variables().get("retry_mode")
    configured: str | None = session.get_scoped_config().get("retry_mode")
    return set_on_session or os.environ.get("AWS_RETRY_MODE") or configured


class _Botocore:
    """The parts of botocore in use, untyped: its stubs describe the names, not every argument that the code takes."""

    def __init__(self) -> None:
        import botocore.auth
        import botocore.awsrequest
        import botocore.configprovider
        import botocore.exceptions
        import botocore.hooks
        import botocore.httpsession
        import botocore.model
        import botocore.parsers
        import botocore.retries.standard
        import botocore.utils

        self.signer: Any = botocore.auth.SigV4Auth
        self.request: Any = botocore.awsrequest.AWSRequest
        self.endpoint_provider: Any = botocore.configprovider.ConfiguredEndpointProvider
        self.errors: Any = botocore.exceptions
        self.emitter: Any = botocore.hooks.HierarchicalEmitter
        self.http_session: Any = botocore.httpsession.URLLib3Session
        self.service_id: Any = botocore.model.ServiceId
        self.create_parser: Any = botocore.parsers.create_parser
        self.register_retries: Any = botocore.retries.standard.register_retry_handler
        self.environ_proxies: Any = botocore.utils.get_environ_proxies


class _Light:
    """Everything that is looked up once: endpoint, credentials, connections, retry rules."""

    def __init__(self, session: Any) -> None:
        from durable_execution_sdk._edges.kept_http import KeptConnections, authority

        self._botocore = botocore = _Botocore()
        read = session.get_config_variable
        self._region: str = read("region")
        self.endpoint = _endpoint(session, self._region, botocore.endpoint_provider)
        self._credentials = session.get_credentials()
        self._signing = Signing(botocore.signer, botocore.request)
        self._host = authority(self.endpoint)
        self._user_agent = f"{session.user_agent()} {user_agent_extra()}"
        verify = read("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE") or True
        keep_alive = bool(read("tcp_keepalive"))
        proxies = botocore.environ_proxies(self.endpoint)
        self._http: Any
        self._is_proxied = bool(proxies.get(self.endpoint.partition(":")[0]))
        if self._is_proxied:
            self._http = botocore.http_session(
                timeout=(CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS),
                proxies=proxies,
                verify=verify,
                socket_options=_socket_options(keep_alive=keep_alive),
            )
        else:
            self._http = KeptConnections(
                self.endpoint,
                verify=verify,
                connect_timeout=CONNECT_TIMEOUT_SECONDS,
                read_timeout=READ_TIMEOUT_SECONDS,
                keep_alive=keep_alive,
                errors=botocore.errors,
            )
        self._parse_error = botocore.create_parser("rest-json").parse
        # As much of a client and of its models as the retry rules look at.
        service = SimpleNamespace(service_id=botocore.service_id("Lambda"), service_name="lambda")
        self._events = botocore.emitter()
        client = SimpleNamespace(meta=SimpleNamespace(service_model=service, events=self._events))
        attempts = read("max_attempts")
        botocore.register_retries(client, **({} if attempts is None else {"max_attempts": attempts}))
        self._models = {
            name: SimpleNamespace(name=name, service_model=service, error_shapes=())
            for name in (_CHECKPOINT, _GET_STATE)
        }

    def call(self, operation: str, method: str, url: str, body: bytes) -> bytes:
        """Send one request, again where botocore's rules say so; the body of a successful answer.

        The same bytes go out each time, so the service sees one `ClientToken` however often it is asked.
        """
        context: dict[str, Any] = {"retries": {"invocation-id": os.urandom(16).hex()}}
        attempt = 1
        while True:
            error: Exception | None = None
            response: Any = None
            parsed: dict[str, Any] | None = None
            try:
                response = self._send(method, url, body, context["retries"]["invocation-id"], attempt)
                parsed = self._parsed(response)
            except Exception as failure:  # botocore's rules say which of them are worth another attempt
                error = failure
            delay = self._retry_delay(operation, attempt, response, parsed, error, context)
            if delay is None:
                break
            time.sleep(delay)
            attempt += 1
        if error is not None:
            raise error
        self._events.emit(f"after-call.lambda.{operation}", http_response=response, context=context)
        if parsed is not None:
            parsed["ResponseMetadata"]["RetryAttempts"] = attempt - 1
            raise self._botocore.errors.ClientError(parsed, operation)
        content: bytes = response.content
        return content

    def _send(self, method: str, url: str, body: bytes, invocation: str, attempt: int) -> Any:
        if self._credentials is None:
            raise self._botocore.errors.NoCredentialsError
        headers = {
            "Host": self._host,
            "User-Agent": self._user_agent,
            "amz-sdk-invocation-id": invocation,
            "amz-sdk-request": f"attempt={attempt}",
        }
        if body:
            headers["Content-Type"] = "application/json"
        trace = os.environ.get("_X_AMZN_TRACE_ID")
        if trace and "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
            headers["X-Amzn-Trace-Id"] = quote(trace, safe="-=;:+&[]{}\"',")
        request = Outgoing(method, url, headers, body)
        self._signing.sign(request, self._credentials.get_frozen_credentials(), self._region)
        return self._sent_by_proxy(request) if self._is_proxied else self._http.send(request)

    def _sent_by_proxy(self, request: Outgoing) -> Any:
        response = self._http.send(
            self._botocore.request(
                method=request.method, url=request.url, headers=request.headers, data=request.body
            ).prepare()
        )
        announced = response.headers.get("content-length")
        if announced is not None and len(response.content) != int(announced):  # botocore's session does not look
            raise self._botocore.errors.ConnectionClosedError(endpoint_url=request.url)
        return response

    def _parsed(self, response: Any) -> dict[str, Any] | None:
        """The error that a response carries, in botocore's form; None if it succeeded."""
        if response.status_code < 300:
            return None
        parsed: dict[str, Any] = self._parse_error(
            {
                "headers": response.headers,
                "status_code": response.status_code,
                "body": response.content,
                "context": {},
            },
            None,
        )
        return parsed

    def _retry_delay(
        self,
        operation: str,
        attempt: int,
        response: Any,
        parsed: dict[str, Any] | None,
        error: Exception | None,
        context: dict[str, Any],
    ) -> float | None:
        if parsed is None and error is None:
            return None
        replies = self._events.emit(
            f"needs-retry.lambda.{operation}",
            response=None if response is None else (response, parsed),
            endpoint=None,
            operation=self._models[operation],
            attempts=attempt,
            caught_exception=error,
            request_dict={"context": context},
        )
        delays = [delay for _, delay in replies if delay is not None and delay is not False]
        return delays[0] if delays else None


def _endpoint(session: Any, region: str, endpoint_provider: Any) -> str:
    if not session.get_config_variable("ignore_configured_endpoint_urls"):
        configured = endpoint_provider(
            full_config=session.full_config, scoped_config=session.get_scoped_config(), client_name="lambda"
        ).provide()
        if configured:
            return str(configured).rstrip("/")
    return f"https://lambda.{region}.{_dns_suffix(session, region)}"


def _dns_suffix(session: Any, region: str) -> str:
    """The domain of the region's partition, by botocore's table; the commercial one for a region it does not know."""
    partitions = session.get_data("partitions")["partitions"]
    for partition in partitions:
        if region in partition["regions"] or re.fullmatch(partition["regionRegex"].strip("^$"), region):
            return str(partition["outputs"]["dnsSuffix"])
    return "amazonaws.com"


def _socket_options(*, keep_alive: bool) -> list[tuple[int, int, int]]:
    import socket

    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    if keep_alive:
        options.append((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1))
    return options
