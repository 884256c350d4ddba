"""What a child context decides; map, parallel and their branches are child contexts too.

| record                         | recorded context                       | virtual context      |
|--------------------------------|----------------------------------------|----------------------|
| absent                         | queue START, enter                     | enter, write nothing |
| SUCCEEDED                      | deliver                                | nondeterminism       |
| SUCCEEDED with replay_children | enter again over the recorded children | nondeterminism       |
| STARTED                        | enter                                  | nondeterminism       |
| FAILED and other ends          | throw `ChildContextError`              | nondeterminism       |
"""

from __future__ import annotations

from durable_execution_sdk._core import Record
from durable_execution_sdk._model.errors import ChildContextError, ErrorObject, ExecutionError, InvocationError
from durable_execution_sdk._model.updates import ContextOptions, OperationIdentifier, OperationUpdate
from durable_execution_sdk._model.values import Value, value
from durable_execution_sdk._operations.identity import reject_recorded_virtual
from durable_execution_sdk._operations.outcomes import INLINE_LIMIT_BYTES, ended_otherwise, failure
from durable_execution_sdk._operations.verdicts import Condemn, Deliver, Enter, Escape, Settled, Throw
from durable_execution_sdk._serdes.text import payload_bytes


@value
class ChildOperation(Value):
    """One scope with an id of its own; `is_virtual` if it leaves no trace but the prefix of its children's ids."""

    identity: OperationIdentifier
    is_virtual: bool = False
    keeps_children: bool = False
    """Whether the service goes on handing out what is in it once it has ended (see `KeptChildren`)."""

    def begin(self, record: Record | None) -> Deliver | Throw | Enter:
        """The table above."""
        if record is None:
            return Enter(None if self.is_virtual else OperationUpdate.create_context_start(self.identity))
        if self.is_virtual:
            return Throw(reject_recorded_virtual(self.identity))
        match record.status:
            case "SUCCEEDED":
                return Enter(None, reconstruct=True) if record.replay_children else Deliver(record.result)
            case "FAILED" | "CANCELLED" | "TIMED_OUT" | "STOPPED":
                return Throw(ended_otherwise(self.identity, record, ChildContextError))
            case _:
                return Enter(None)

    def judge(self, error: Exception) -> Escape | Condemn:
        """What becomes of an exception of the body or the serdes."""
        if isinstance(error, ExecutionError) or (isinstance(error, InvocationError) and error.is_retryable()):
            return Escape()
        return Condemn()

    def summarises(self, payload: str | None, entered: Enter) -> bool:
        """Whether a summary is recorded instead of the result, so that replay runs over the children again."""
        if self.is_virtual or entered.reconstruct or payload is None:
            return False
        return payload_bytes(payload) > INLINE_LIMIT_BYTES

    def succeed(self, payload: str | None, summary: str, entered: Enter) -> Settled:
        """The body returned; `summary` is what is recorded instead of a `payload` that is too large."""
        if self.is_virtual or entered.reconstruct:
            return Settled(None, Deliver(payload))
        large = self.summarises(payload, entered)
        options = ContextOptions(replay_children=large or self.keeps_children)
        update = OperationUpdate.create_context_succeed(
            self.identity, summary if large else payload, context_options=options
        )
        return Settled(update, Deliver(payload))

    def fail(self, error: Exception, entered: Enter) -> Settled:
        """The body raised. A scope that is recorded as finished stays so, whatever its second run does."""
        recorded = ErrorObject.from_exception(error)
        silent = self.is_virtual or entered.reconstruct
        options = ContextOptions(replay_children=True) if self.keeps_children else None
        update = None if silent else OperationUpdate.create_context_fail(self.identity, recorded, options)
        return Settled(update, Throw(failure(recorded, ChildContextError, "")))


class KeptChildren:
    """Which contexts keep their children: those of the upper levels, 1 being contexts of the handler itself.

    Without that the service hands out nothing of what is in a context that has ended, and plugins see no more of it in
    later invocations. With it the record says `ReplayChildren` beside the whole result, so a replay goes through the
    context again. Virtual contexts have no level, as they have no record.
    """

    __slots__ = ("_depth", "_levels")

    def __init__(self, depth: float) -> None:
        self._depth = depth
        self._levels: dict[str, int] = {}

    def keeps(self, identity: OperationIdentifier) -> bool:
        """Whether this one does; asked of each context before those in it."""
        level = 1 if identity.parent_id is None else self._levels.get(identity.parent_id, 0) + 1
        self._levels[identity.operation_id] = level
        return level <= self._depth
