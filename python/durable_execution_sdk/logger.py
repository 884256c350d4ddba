"""The logger of a durable context."""

from durable_execution_sdk._drivers.logger import Logger, LogInfo
from durable_execution_sdk._model.contexts import LoggerInterface

__all__ = ["LogInfo", "Logger", "LoggerInterface"]
