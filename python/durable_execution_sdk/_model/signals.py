"""Signals: what unwinds a handler without being an error of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_execution_sdk._model import ambient
from durable_execution_sdk._model.errors import Pickled, register_official_error
from durable_execution_sdk._model.homes import public

if TYPE_CHECKING:
    import datetime


@public("exceptions")
class SuspendExecution(Pickled):  # a signal, and an official name
    """Not an error: the handler has nothing to do until something happens outside, and this invocation ends.

    It passes through `except Exception`. Code that catches it with a bare `except` must raise it again; durable calls
    made before that raise it again themselves.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)


@public("exceptions")
class TimedSuspendExecution(SuspendExecution):
    """The handler has nothing to do before a known moment.

    Attributes:
        scheduled_timestamp: That moment, in seconds since the epoch.
    """

    def __init__(self, message: str, scheduled_timestamp: float) -> None:
        super().__init__(message)
        self.scheduled_timestamp = scheduled_timestamp

    @classmethod
    def from_delay(cls, message: str, delay_seconds: int) -> TimedSuspendExecution:
        """Suspend until `delay_seconds` from now."""
        return cls(message, ambient.now_s() + delay_seconds)

    @classmethod
    def from_datetime(cls, message: str, datetime_timestamp: datetime.datetime) -> TimedSuspendExecution:
        """Suspend until a date."""
        return cls(message, datetime_timestamp.timestamp())


class Withheld(SuspendExecution):
    """A check of recorded histories lets an operation neither start nor run; what asked for it waits for ever."""


@public("exceptions")
class BackgroundThreadError(Pickled):
    """Writing checkpoints failed while user code was running; it ends the invocation.

    Attributes:
        source_exception: What failed.
    """

    def __init__(self, message: str, source_exception: Exception) -> None:
        super().__init__(message)
        self.source_exception = source_exception


@public("exceptions")
class OrphanedChildException(Pickled):
    """A branch asked for something durable after its map or parallel had ended; it ends that branch.

    Attributes:
        operation_id: Id of the operation that belongs to nobody any more.
    """

    def __init__(self, message: str, operation_id: str) -> None:
        super().__init__(message)
        self.operation_id = operation_id


for _official in (SuspendExecution, TimedSuspendExecution, BackgroundThreadError, OrphanedChildException):
    register_official_error(_official)
del _official
