"""What the contexts of one invocation share: a type for annotations."""

from durable_execution_sdk._drivers.state import ExecutionState

__all__ = ["ExecutionState"]
