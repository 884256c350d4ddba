"""The logger of a context: it adds what identifies the operation, and is silent during replay."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from durable_execution_sdk._model.contexts import LoggerInterface
from durable_execution_sdk._model.homes import public


def _never() -> bool:
    return False


@public("logger")
class Logger:
    """Wraps a logger (the standard library's, Powertools', your own) for use in a durable context.

    Records carry `executionArn`, and where they apply `parentId`, `operationId`, `operationName` and `attempt`, in
    `extra`; the caller's own `extra` wins. Nothing is logged while the owning context is replaying, so a line appears
    once however often the handler runs.

    Args:
        logger: Receives the records.
        default_extra: Fields added to every record.
        is_replaying: Asked before each record; default: never.
    """

    __slots__ = ("_default_extra", "_is_replaying", "_logger")

    def __init__(
        self,
        logger: LoggerInterface,
        default_extra: Mapping[str, object],
        is_replaying: Callable[[], bool] = _never,
    ) -> None:
        self._logger = logger
        self._default_extra = default_extra
        self._is_replaying = is_replaying

    @classmethod
    def from_log_info(cls, logger: LoggerInterface, info: LogInfo, is_replaying: Callable[[], bool] = _never) -> Logger:
        """Build one with the fields that `info` has set."""
        return cls(logger, info.fields(), is_replaying)

    def with_log_info(self, info: LogInfo) -> Logger:
        """The same target and replay source with other fields."""
        return Logger(self._logger, info.fields(), self._is_replaying)

    def with_is_replaying(self, is_replaying: Callable[[], bool]) -> Logger:
        """The same target and fields with another replay source."""
        return Logger(self._logger, self._default_extra, is_replaying)

    def get_logger(self) -> LoggerInterface:
        """The wrapped logger."""
        return self._logger

    def debug(self, msg: object, *args: object, extra: Mapping[str, object] | None = None) -> None:
        """Log at DEBUG, unless replaying."""
        self._log(self._logger.debug, msg, args, extra)

    def info(self, msg: object, *args: object, extra: Mapping[str, object] | None = None) -> None:
        """Log at INFO, unless replaying."""
        self._log(self._logger.info, msg, args, extra)

    def warning(self, msg: object, *args: object, extra: Mapping[str, object] | None = None) -> None:
        """Log at WARNING, unless replaying."""
        self._log(self._logger.warning, msg, args, extra)

    def error(self, msg: object, *args: object, extra: Mapping[str, object] | None = None) -> None:
        """Log at ERROR, unless replaying."""
        self._log(self._logger.error, msg, args, extra)

    def exception(self, msg: object, *args: object, extra: Mapping[str, object] | None = None) -> None:
        """Log at ERROR with the current traceback, unless replaying."""
        self._log(self._logger.exception, msg, args, extra)

    def _log(
        self, emit: Callable[..., None], msg: object, args: tuple[object, ...], extra: Mapping[str, object] | None
    ) -> None:
        if not self._is_replaying():
            emit(msg, *args, extra={**self._default_extra, **extra} if extra else dict(self._default_extra))


@public("logger")
@dataclass(frozen=True)
class LogInfo:
    """What identifies the place a record comes from."""

    execution_state: Any
    parent_id: str | None = None
    operation_id: str | None = None
    name: str | None = None
    attempt: int | None = None

    @classmethod
    def from_operation_identifier(cls, execution_state: Any, op_id: Any, attempt: int | None = None) -> LogInfo:
        """The place inside the body of an operation."""
        return cls(execution_state, op_id.parent_id, op_id.operation_id, op_id.name, attempt)

    def with_parent_id(self, parent_id: str) -> LogInfo:
        """The same place under another parent."""
        return LogInfo(self.execution_state, parent_id, self.operation_id, self.name, self.attempt)

    def fields(self) -> dict[str, object]:
        """The `extra` of its records; `operationName`, since `name` belongs to the standard library."""
        fields: dict[str, object] = {"executionArn": self.execution_state.durable_execution_arn}
        if self.parent_id:
            fields["parentId"] = self.parent_id
        if self.name:
            fields["operationName"] = self.name
        if self.attempt is not None:
            fields["attempt"] = self.attempt
        if self.operation_id:
            fields["operationId"] = self.operation_id
        return fields


ROOT_LOGGER = logging.getLogger()
