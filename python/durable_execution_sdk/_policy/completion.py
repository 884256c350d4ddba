"""When a map or parallel ends. The rule itself stands beside the nouns, for reading an old result needs it too."""

from durable_execution_sdk._model.completion import CompletionPolicy

__all__ = ["CompletionPolicy"]
