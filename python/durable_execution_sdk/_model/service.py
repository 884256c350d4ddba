"""The service as user code may implement it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from durable_execution_sdk._model.homes import public
from durable_execution_sdk._model.updates import OperationUpdate

if TYPE_CHECKING:
    from durable_execution_sdk._model.wire import CheckpointOutput, StateOutput


@public("lambda_service")
class DurableServiceClient(Protocol):
    """A backend that keeps the history of executions: the two calls an invocation makes.

    Give an implementation to `durable_execution(durable_execution_client=...)`, or to a test's
    `DurableExecutionInvocationInputWithClient`. It fails by raising: a `DurableExecutionClientError` says whether the
    invocation ends and is tried again, or the execution; any other exception leaves the handler as it is, and the
    service invokes again.
    """

    def checkpoint(
        self,
        durable_execution_arn: str,
        checkpoint_token: str,
        updates: list[OperationUpdate],
        client_token: str | None,
    ) -> CheckpointOutput:
        """Write a batch of updates, all or none; a repeated `client_token` gets the earlier answer."""
        ...

    def get_execution_state(
        self,
        durable_execution_arn: str,
        checkpoint_token: str,
        next_marker: str,
        max_items: int = 1000,
    ) -> StateOutput:
        """Read one page of operations."""
        ...


@public("lambda_service")
class AsyncDurableServiceClient(Protocol):
    """A `DurableServiceClient` whose methods are `async def`; taken wherever a handler takes the other.

    Its coroutines run on one event loop that is theirs, one at a time, so sessions and sockets that they keep stay
    usable; nothing of it runs between calls.
    """

    async def checkpoint(
        self,
        durable_execution_arn: str,
        checkpoint_token: str,
        updates: list[OperationUpdate],
        client_token: str | None,
    ) -> CheckpointOutput:
        """Write a batch of updates, all or none; a repeated `client_token` gets the earlier answer."""
        ...

    async def get_execution_state(
        self,
        durable_execution_arn: str,
        checkpoint_token: str,
        next_marker: str,
        max_items: int = 1000,
    ) -> StateOutput:
        """Read one page of operations."""
        ...


DurableExecutionClient = DurableServiceClient
