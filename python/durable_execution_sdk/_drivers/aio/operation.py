"""A started operation as the run sees it, and how code is known to belong to a run and to a context."""

from __future__ import annotations

import contextvars
from typing import Any, Protocol

from durable_execution_sdk._drivers.aio.promise import DurablePromise
from durable_execution_sdk._model.errors import ValidationError
from durable_execution_sdk._model.updates import OperationIdentifier

OWNER: contextvars.ContextVar[Any] = contextvars.ContextVar("durable_execution_sdk_owner", default=None)
"""The durable context whose code registered a callback; asked only where no task is running."""


class Ended:
    """Stands in for what a parked handler's run and contexts had, so that they keep nothing alive."""

    def __getattr__(self, name: str) -> Any:
        raise ValidationError("The invocation has ended; nothing durable happens in its contexts any more")


ENDED: Any = Ended()


class ClosedLane:
    """Answers nothing: what a context asks for finished operations when its handler is parked."""

    def promised(self, context: object, name: str | None, /) -> None:
        """Nothing."""

    step = condition = wait = child = invoke = promised


class Operation(Protocol):
    """An operation that user code has started, as far as the run needs it."""

    kind: int
    is_recorded: bool
    context: Any
    owner: Any
    due_ms: int | None
    promise: DurablePromise[Any]

    @property
    def context_vars(self) -> contextvars.Context:
        """The variables that its body sees."""

    @property
    def identity(self) -> OperationIdentifier:
        """Who it is."""

    def begin(self) -> None:
        """Look at the record for the first time."""

    def advance(self) -> None:
        """Look at the record and do what it asks for."""

    def start_body(self) -> None:
        """Run user code now."""

    def deliver(self) -> None:
        """Settle the promise: its turn has come."""
