"""The logger of a context: it adds what identifies the operation, and is silent during replay."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NotRequired, Protocol, TypedDict

from durable_execution_sdk._drivers.hooks import Hooks
from durable_execution_sdk._model.contexts import LoggerInterface
from durable_execution_sdk._model.homes import public
from durable_execution_sdk._model.values import Value

VERBOSE_VARIABLE = "DURABLE_VERBOSE_MODE"
"""Environment variable: `true` makes the SDK's own logger write its debugging lines."""


_NO_FIELDS: Mapping[str, object] = {}


def _never() -> bool:
    return False


@public("logger")
class DurableLogLevel(StrEnum):
    """Levels that `Logger.log` takes by name."""

    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"
    DEBUG = "DEBUG"


@public("logger")
class DurableLogData(TypedDict):
    """What identifies the place a record comes from."""

    executionArn: str
    requestId: NotRequired[str]
    tenantId: NotRequired[str]
    parentId: NotRequired[str]
    operationId: NotRequired[str]
    operationName: NotRequired[str]
    attempt: NotRequired[int]


@public("logger")
class DurableLoggingContext(Protocol):
    """Given to a custom logger that has a method `configure_durable_logging_context`, for fields of its own making."""

    def get_durable_log_data(self) -> DurableLogData:
        """Where the code is now."""
        ...


@public("logger")
@dataclass(frozen=True, eq=False, repr=False)
class LoggerConfig(Value):
    """What `configure_logger` takes, as one object.

    Attributes:
        custom_logger: Receives the records; None leaves it as it is.
        mode_aware: Whether replays are silent.
    """

    custom_logger: LoggerInterface | None = None
    mode_aware: bool = True


@public("logger")
def refresh_log_config() -> None:
    """Read the environment variable `DURABLE_VERBOSE_MODE` again; `true` lets the SDK's own debugging lines through."""
    verbose = os.environ.get(VERBOSE_VARIABLE, "").strip().lower() in {"1", "true", "yes", "on"}
    logging.getLogger("durable_execution_sdk").setLevel(logging.DEBUG if verbose else logging.NOTSET)


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

    __slots__ = ("_enrich", "_extra", "_is_replaying", "_logger", "_place")

    def __init__(
        self,
        logger: LoggerInterface,
        default_extra: Mapping[str, object],
        is_replaying: Callable[[], bool] = _never,
    ) -> None:
        self._logger = logger
        self._extra: Mapping[str, object] | None = default_extra
        self._place: Callable[[], LogInfo] | None = None
        self._is_replaying = is_replaying
        self._enrich: Callable[[], Mapping[str, object]] | None = None

    @classmethod
    def from_log_info(cls, logger: LoggerInterface, info: LogInfo, is_replaying: Callable[[], bool] = _never) -> Logger:
        """Build one with the fields that `info` has set."""
        made = cls(logger, info.fields(), is_replaying)
        hooks = getattr(info.execution_state, "hooks", None)
        if hooks is not None:
            made._enrich = hooks.log_fields
        return made

    @classmethod
    def at(
        cls,
        place: Callable[[], LogInfo],
        hooks: Hooks | None,
        logger: LoggerInterface,
        is_replaying: Callable[[], bool],
    ) -> Logger:
        """The same for a place that is only asked for if something is logged: most bodies log nothing."""
        made = cls(logger, _NO_FIELDS, is_replaying)
        made._extra, made._place = None, place
        if hooks is not None:
            made._enrich = hooks.log_fields
        return made

    @property
    def _default_extra(self) -> Mapping[str, object]:
        if self._extra is None:
            assert self._place is not None  # whoever leaves the fields open says where they come from
            self._extra = self._place().fields()
        return self._extra

    def with_log_info(self, info: LogInfo) -> Logger:
        """The same target and replay source with other fields."""
        return Logger.from_log_info(self._logger, info, self._is_replaying)

    def with_is_replaying(self, is_replaying: Callable[[], bool]) -> Logger:
        """The same target and fields with another replay source."""
        made = Logger(self._logger, self._default_extra, is_replaying)
        made._enrich = self._enrich
        return made

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

    def log(self, level: str, msg: object, *args: object, extra: Mapping[str, object] | None = None) -> None:
        """Log at a level given by name: INFO, WARN, ERROR or DEBUG; unless replaying.

        Raises:
            ValueError: There is no such level.
        """
        method = {"WARN": "warning"}.get(wanted := DurableLogLevel(level), wanted.lower())
        self._log(getattr(self._logger, method), msg, args, extra)

    def get_durable_log_data(self) -> DurableLogData:
        """The fields that are added to every record."""
        return dict(self._default_extra)  # type: ignore[return-value]  # the fields that LogInfo writes

    def _log(
        self, emit: Callable[..., None], msg: object, args: tuple[object, ...], extra: Mapping[str, object] | None
    ) -> None:
        if self._is_replaying():
            return
        added = self._enrich() if self._enrich is not None else {}
        emit(msg, *args, extra={**self._default_extra, **added, **(extra or {})})


@public("logger")
@dataclass(frozen=True, eq=False, repr=False)
class LogInfo(Value):
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


DurableContextLogger = Logger

ROOT_LOGGER = logging.getLogger()
