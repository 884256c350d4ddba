"""Service clients that users see, and how any of them becomes a `Transport`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from durable_execution_sdk._core import Request
from durable_execution_sdk._edges.awaiting import OwnLoop
from durable_execution_sdk._edges.aws import default_client, understood
from durable_execution_sdk._model.api_errors import (
    BotoClientError,
    CheckpointError,
    DurableApiErrorCategory,
    GetExecutionStateError,
    is_durable_execution_client_error,
)
from durable_execution_sdk._model.homes import public
from durable_execution_sdk._model.service import AsyncDurableServiceClient, DurableServiceClient
from durable_execution_sdk._model.updates import OperationUpdate

if TYPE_CHECKING:
    # Stubs, installed for development only; without them the annotation is Any.
    from mypy_boto3_lambda import LambdaClient as Boto3LambdaClient

    from durable_execution_sdk._model.wire import CheckpointOutput, StateOutput


@public("lambda_service")
class LambdaClient(DurableServiceClient):
    """The Lambda API behind a boto3 client, in the form of the official SDK.

    Handlers need none of this: they talk to Lambda by default. It is here for code that wraps or replaces the client
    (`durable_execution(durable_execution_client=...)`), and for tools.

    Args:
        client: A boto3 Lambda client. None (default): the client that this process shares (connect timeout 5 s, read
            timeout 50 s), made when it is first needed.

    Example:
        >>> client = LambdaClient()  # no boto3 is imported yet
    """

    def __init__(self, client: Boto3LambdaClient | None = None) -> None:
        self._client = client

    @property
    def own_client(self) -> Boto3LambdaClient | None:
        """The boto3 client that this was made with; None if that of the process is used."""
        return self._client

    @property
    def client(self) -> Boto3LambdaClient:
        """The boto3 client."""
        if self._client is None:
            self._client = default_client()
        return self._client

    @client.setter
    def client(self, client: Boto3LambdaClient) -> None:
        self._client = client

    @classmethod
    def initialize_client(cls) -> LambdaClient:
        """A `LambdaClient` over the boto3 client that this process shares; makes that client now if there is none."""
        return cls(default_client())

    def checkpoint(
        self,
        durable_execution_arn: str,
        checkpoint_token: str,
        updates: list[OperationUpdate],
        client_token: str | None,
    ) -> CheckpointOutput:
        """Write a batch of updates (CheckpointDurableExecution).

        Args:
            durable_execution_arn: The execution.
            checkpoint_token: The token of the event, or of the last answer; good for one call.
            updates: At most 250, in program order.
            client_token: Makes the call idempotent for 15 minutes; None lets boto3 choose one.

        Raises:
            CheckpointError: The call failed; `error_category` says whether a new invocation can help.
        """
        from durable_execution_sdk._model.wire import CheckpointOutput  # our own transport reads answers without it

        if not checkpoint_token:
            raise CheckpointError("Cannot checkpoint without a checkpoint token.")
        optional = {} if client_token is None else {"ClientToken": client_token}
        try:
            answer: Any = self.client.checkpoint_durable_execution(
                DurableExecutionArn=durable_execution_arn,
                CheckpointToken=checkpoint_token,
                Updates=cast("Any", [update.to_dict() for update in updates]),
                **cast("Any", optional),
            )
            return CheckpointOutput.from_dict(understood(answer, "CheckpointToken", "NewExecutionState"))
        except Exception as error:
            raise CheckpointError.from_exception(error) from error

    def get_execution_state(
        self,
        durable_execution_arn: str,
        checkpoint_token: str,
        next_marker: str,
        max_items: int = 1000,
    ) -> StateOutput:
        """Read one page of the operations (GetDurableExecutionState).

        Args:
            durable_execution_arn: The execution.
            checkpoint_token: A current token; reading does not use it up.
            next_marker: Where the page begins, from the event or the last page; empty for the first.
            max_items: Most operations to return, at most 1000.

        Raises:
            GetExecutionStateError: The call failed; `error_category` says whether a new invocation can help.
        """
        from durable_execution_sdk._model.wire import StateOutput

        if not checkpoint_token:
            raise GetExecutionStateError("Cannot get execution state without a checkpoint token.")
        try:
            answer: Any = self.client.get_durable_execution_state(
                DurableExecutionArn=durable_execution_arn,
                CheckpointToken=checkpoint_token,
                Marker=next_marker,
                MaxItems=max_items,
            )
            return StateOutput.from_dict(understood(answer, "Operations", "NextMarker"))
        except Exception as error:
            raise GetExecutionStateError.from_exception(error) from error


DurableExecutionApiClient = LambdaClient


class ClientTransport:
    """A `Transport` over any `DurableServiceClient` or `AsyncDurableServiceClient`."""

    __slots__ = ("_client", "_loop")

    def __init__(self, client: DurableServiceClient | AsyncDurableServiceClient) -> None:
        self._client = client
        self._loop = OwnLoop()

    def checkpoint(self, arn: str, request: Request) -> Mapping[str, Any]:
        """Hand the batch to the client; its own exceptions pass, unless they say how far they reach."""
        output: CheckpointOutput = self._answer(
            CheckpointError,
            lambda: self._client.checkpoint(
                durable_execution_arn=arn,
                checkpoint_token=request.token,
                updates=request.updates,
                client_token=request.client_token,
            ),
        )
        state = output.new_execution_state
        answer: dict[str, Any] = {"NewExecutionState": _page(state.operations, state.next_marker)}
        if output.checkpoint_token is not None:
            answer["CheckpointToken"] = output.checkpoint_token
        return answer

    def fetch_state(self, arn: str, token: str, marker: str, max_items: int) -> Mapping[str, Any]:
        """Read one page through the client."""
        output: StateOutput = self._answer(
            GetExecutionStateError,
            lambda: self._client.get_execution_state(
                durable_execution_arn=arn, checkpoint_token=token, next_marker=marker, max_items=max_items
            ),
        )
        return _page(output.operations, output.next_marker)

    def _answer(self, error_class: type[BotoClientError], call: Callable[[], Any]) -> Any:
        try:
            return self._loop.value(call())
        except Exception as error:
            if not is_durable_execution_client_error(error):
                raise
            scope: Any = getattr(error, "scope")  # noqa: B009  # structural: any class may carry it
            category = DurableApiErrorCategory(getattr(scope, "value", scope))
            raise error_class(str(error), error_category=category) from error


def _page(operations: list[Any], marker: str | None) -> dict[str, Any]:
    page: dict[str, Any] = {"Operations": [operation.to_dict() for operation in operations]}
    if marker:
        page["NextMarker"] = marker
    return page
