"""What drivers and the coordinator of a batch say to each other: events in, commands out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from durable_execution_sdk._model.batch import BatchResult
from durable_execution_sdk._model.completion import CompletionDecision, CompletionStatus
from durable_execution_sdk._model.errors import ErrorObject
from durable_execution_sdk._model.values import Value, value

# --- events -----------------------------------------------------------------------------------------------------------


@value
class Begun(Value):
    """The first event."""


@value
class Lanes(Value):
    """So many branches can be taken on now. What is not used lapses."""

    free: int


@value
class Succeeded(Value):
    """A branch has a result."""

    index: int
    result: Any


@value
class Failed(Value):
    """A branch failed; `retryable` if a new invocation may do better."""

    index: int
    error: ErrorObject
    retryable: Exception | None = None


@value
class Suspended(Value):
    """A branch waits until `due_ms`, or for news from the service."""

    index: int
    due_ms: int | None


@value
class Orphaned(Value):
    """A branch found that an enclosing context has ended."""

    index: int


@value
class Fatal(Value):
    """A branch met what no batch tolerates."""

    index: int
    error: BaseException


@value
class Decided(Value):
    """What the predicate answered."""

    decision: CompletionDecision


@value
class Tick(Value):
    """Time has passed."""


@value
class Refreshed(Value):
    """The news asked for by `Refresh` are merged."""


@value
class Drained(Value):
    """Every event that was under way when `Drain` was answered has been delivered."""


BranchEvent: TypeAlias = Succeeded | Failed | Suspended | Orphaned | Fatal
BRANCH_EVENTS = (Succeeded, Failed, Suspended, Orphaned, Fatal)
Event: TypeAlias = BranchEvent | Begun | Lanes | Decided | Tick | Refreshed | Drained


# --- commands ---------------------------------------------------------------------------------------------------------


@value
class Start(Value):
    """Run these branches for the first time in this invocation."""

    indexes: Sequence[int]


@value
class Resume(Value):
    """Run these branches again from the top: what they waited for has happened."""

    indexes: Sequence[int]


@value
class Ask(Value):
    """Call the predicate and answer `Decided`."""

    status: CompletionStatus


@value
class Refresh(Value):
    """Send an empty checkpoint and answer `Refreshed` when its response is merged."""


@value
class Drain(Value):
    """The batch is complete: deliver what has arrived meanwhile, then answer `Drained`."""


@value
class Finish(Value):
    """The batch has its result."""

    result: BatchResult[Any]


@value
class Suspend(Value):
    """Nothing runs: suspend until `due_ms`, or until the service has news."""

    due_ms: int | None


@value
class Raise(Value):
    """The batch ends with this error, which is not one of an item."""

    error: BaseException


@value
class Discard(Value):
    """An enclosing context has ended: stop, nobody will see the result."""


Command: TypeAlias = Start | Resume | Ask | Refresh | Drain | Finish | Suspend | Raise | Discard
