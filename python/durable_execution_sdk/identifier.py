"""Who an operation is."""

from durable_execution_sdk._model.updates import OperationIdentifier, OperationIdNamespace

__all__ = ["OperationIdNamespace", "OperationIdentifier"]
