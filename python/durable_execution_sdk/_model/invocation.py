"""The event of an invocation, parsed: what tests and tools hand to a handler instead of the service's JSON."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from durable_execution_sdk._model.homes import public
from durable_execution_sdk._model.service import DurableServiceClient
from durable_execution_sdk._model.wire import Operation


@public("execution")
@dataclass(frozen=True)
class InitialExecutionState:
    """The operations that come with the event: all, or the first page of them."""

    operations: list[Operation]
    next_marker: str
    """Where the next page begins; empty if there is none."""

    @staticmethod
    def from_dict(input_dict: MutableMapping[str, Any]) -> InitialExecutionState:
        """Read the form with `datetime` timestamps."""
        operations = [Operation.from_dict(item) for item in input_dict.get("Operations") or ()]
        return InitialExecutionState(operations, input_dict.get("NextMarker", ""))

    @staticmethod
    def from_json_dict(input_dict: MutableMapping[str, Any]) -> InitialExecutionState:
        """Read the form with timestamps in milliseconds."""
        operations = [Operation.from_json_dict(item) for item in input_dict.get("Operations") or ()]
        return InitialExecutionState(operations, input_dict.get("NextMarker", ""))

    def to_dict(self) -> MutableMapping[str, Any]:
        """Write the form with `datetime` timestamps."""
        return {"Operations": [item.to_dict() for item in self.operations], "NextMarker": self.next_marker}

    def to_json_dict(self) -> MutableMapping[str, Any]:
        """Write the form with timestamps in milliseconds."""
        return {"Operations": [item.to_json_dict() for item in self.operations], "NextMarker": self.next_marker}


@public("execution")
@dataclass(frozen=True)
class DurableExecutionInvocationInput:
    """The event that the service sends to a durable function."""

    durable_execution_arn: str
    checkpoint_token: str
    initial_execution_state: InitialExecutionState
    updated_operation_ids: list[str] = field(default_factory=list, kw_only=True)
    """The operations that the service has changed since the invocation before."""

    @staticmethod
    def from_dict(input_dict: MutableMapping[str, Any]) -> DurableExecutionInvocationInput:
        """Read the form with `datetime` timestamps.

        Raises:
            KeyError: ARN or token is missing.
        """
        return _parsed(input_dict, InitialExecutionState.from_dict(input_dict.get("InitialExecutionState", {})))

    @staticmethod
    def from_json_dict(input_dict: MutableMapping[str, Any]) -> DurableExecutionInvocationInput:
        """Read the form with timestamps in milliseconds, which is that of the event.

        Raises:
            KeyError: ARN or token is missing.
        """
        return _parsed(input_dict, InitialExecutionState.from_json_dict(input_dict.get("InitialExecutionState", {})))

    def to_dict(self) -> MutableMapping[str, Any]:
        """Write the form with `datetime` timestamps."""
        return self._written(self.initial_execution_state.to_dict())

    def to_json_dict(self) -> MutableMapping[str, Any]:
        """Write the form with timestamps in milliseconds."""
        return self._written(self.initial_execution_state.to_json_dict())

    def _written(self, state: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {
            "DurableExecutionArn": self.durable_execution_arn,
            "CheckpointToken": self.checkpoint_token,
            "InitialExecutionState": state,
            "UpdatedOperationIds": self.updated_operation_ids,
        }


def _parsed(event: Mapping[str, Any], state: InitialExecutionState) -> DurableExecutionInvocationInput:
    return DurableExecutionInvocationInput(
        durable_execution_arn=event["DurableExecutionArn"],
        checkpoint_token=event["CheckpointToken"],
        initial_execution_state=state,
        updated_operation_ids=list(event.get("UpdatedOperationIds", [])),
    )


@public("execution")
@dataclass(frozen=True)
class DurableExecutionInvocationInputWithClient(DurableExecutionInvocationInput):
    """An event that brings its own service client: how tests run a handler against a service of theirs.

    A handler that is called with one talks to `service_client`, whatever client it was decorated with.
    """

    service_client: DurableServiceClient

    @staticmethod
    def from_durable_execution_invocation_input(
        invocation_input: DurableExecutionInvocationInput, service_client: DurableServiceClient
    ) -> DurableExecutionInvocationInputWithClient:
        """Attach a client to an event."""
        return DurableExecutionInvocationInputWithClient(
            durable_execution_arn=invocation_input.durable_execution_arn,
            checkpoint_token=invocation_input.checkpoint_token,
            initial_execution_state=invocation_input.initial_execution_state,
            updated_operation_ids=invocation_input.updated_operation_ids,
            service_client=service_client,
        )
