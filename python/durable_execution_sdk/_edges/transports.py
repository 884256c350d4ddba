"""Which transport a handler talks through: the rules, in one place."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

from durable_execution_sdk._drivers.ports import Transport
from durable_execution_sdk._edges.aws import BotoTransport
from durable_execution_sdk._edges.clients import ClientTransport, LambdaClient
from durable_execution_sdk._model.errors import ValidationError
from durable_execution_sdk._model.service import AsyncDurableServiceClient, DurableServiceClient

if TYPE_CHECKING:
    # Stubs, installed for development only; without them the annotation is Any.
    from mypy_boto3_lambda import LambdaClient as Boto3LambdaClient

TRANSPORT_VARIABLE = "DURABLE_EXECUTION_TRANSPORT"
"""Environment variable: the transport of handlers that were decorated without a client or transport."""

TransportName = Literal["boto3", "light"]


def choose_transport(
    *,
    boto3_client: Boto3LambdaClient | None = None,
    durable_execution_client: DurableServiceClient | AsyncDurableServiceClient | None = None,
    transport: TransportName | Transport | None = None,
) -> Transport:
    """The transport for what a handler was decorated with; at most one may be given. No client is made yet.

    Args:
        boto3_client: A boto3 Lambda client, used as it is.
        durable_execution_client: A service client of the user's, `def` or `async def`.
        transport: `"boto3"`, `"light"`, or a `Transport`. None: what the environment variable
            `DURABLE_EXECUTION_TRANSPORT` names, else `"boto3"`.

    Raises:
        ValidationError: More than one is given, or the name is of no transport.
    """
    arguments = {
        "boto3_client": boto3_client,
        "durable_execution_client": durable_execution_client,
        "transport": transport,
    }
    given = [name for name, value in arguments.items() if value is not None]
    if len(given) > 1:
        raise ValidationError(
            f"{' and '.join(given)} exclude each other: each says how to reach the service. Give one."
        )
    if boto3_client is not None:
        return BotoTransport(boto3_client)
    if durable_execution_client is not None:
        return transport_over(durable_execution_client)
    if transport is None:
        return _named(os.environ.get(TRANSPORT_VARIABLE) or "boto3", f"the environment variable {TRANSPORT_VARIABLE}")
    if isinstance(transport, str):
        return _named(transport, "transport")
    return transport


def _named(name: str, origin: str) -> Transport:
    if name == "boto3":
        return BotoTransport()
    if name == "light":
        from durable_execution_sdk._edges.light import LightTransport

        return LightTransport()
    raise ValidationError(f'{origin} is {name!r}; it may be "boto3" or "light".')


def transport_over(client: DurableServiceClient | AsyncDurableServiceClient) -> Transport:
    """A transport over a service client of the user's."""
    if type(client) is LambdaClient:
        return BotoTransport(client.own_client)  # our own: bodies need not pass through its dataclasses
    return ClientTransport(client)


def open_call(event: Any, transport: Transport) -> tuple[Any, Transport]:
    """The event as a mapping, and the transport to use: an event that brings a service client is served by that."""
    if isinstance(event, dict):
        return event, transport
    from durable_execution_sdk._model.invocation import DurableExecutionInvocationInputWithClient  # not on Lambda

    if isinstance(event, DurableExecutionInvocationInputWithClient):
        return event.to_dict(), transport_over(event.service_client)
    return event, transport
