"""The logger of a durable context."""

from durable_execution_sdk._drivers.logger import (
    DurableContextLogger,
    DurableLogData,
    DurableLoggingContext,
    DurableLogLevel,
    Logger,
    LoggerConfig,
    LogInfo,
    refresh_log_config,
)
from durable_execution_sdk._model.contexts import LoggerInterface

__all__ = [
    "DurableContextLogger",
    "DurableLogData",
    "DurableLogLevel",
    "DurableLoggingContext",
    "LogInfo",
    "Logger",
    "LoggerConfig",
    "LoggerInterface",
    "refresh_log_config",
]
