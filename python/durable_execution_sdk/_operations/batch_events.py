"""What drivers and the coordinator of a batch say to each other: events in, commands out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from durable_execution_sdk._model.batch import BatchResult
from durable_execution_sdk._model.completion import CompletionDecision, CompletionStatus
from durable_execution_sdk._model.errors import ErrorObject
from durable_execution_sdk._model.values import Value

# --- events -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Begun(Value):
    """The first event."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Lanes(Value):
    """So many branches can be taken on now. What is not used lapses."""

    free: int


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Succeeded(Value):
    """A branch has a result."""

    index: int
    result: Any


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Failed(Value):
    """A branch failed; `retryable` if a new invocation may do better."""

    index: int
    error: ErrorObject
    retryable: Exception | None = None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Suspended(Value):
    """A branch waits until `due_ms`, or for news from the service."""

    index: int
    due_ms: int | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Orphaned(Value):
    """A branch found that an enclosing context has ended."""

    index: int


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Fatal(Value):
    """A branch met what no batch tolerates."""

    index: int
    error: BaseException


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Decided(Value):
    """What the predicate answered."""

    decision: CompletionDecision


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Tick(Value):
    """Time has passed."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Refreshed(Value):
    """The news asked for by `Refresh` are merged."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Drained(Value):
    """Every event that was under way when `Drain` was answered has been delivered."""


BranchEvent: TypeAlias = Succeeded | Failed | Suspended | Orphaned | Fatal
BRANCH_EVENTS = (Succeeded, Failed, Suspended, Orphaned, Fatal)
Event: TypeAlias = BranchEvent | Begun | Lanes | Decided | Tick | Refreshed | Drained


# --- commands ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Start(Value):
    """Run these branches for the first time in this invocation."""

    indexes: Sequence[int]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Resume(Value):
    """Run these branches again from the top: what they waited for has happened."""

    indexes: Sequence[int]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Ask(Value):
    """Call the predicate and answer `Decided`."""

    status: CompletionStatus


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Refresh(Value):
    """Send an empty checkpoint and answer `Refreshed` when its response is merged."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Drain(Value):
    """The batch is complete: deliver what has arrived meanwhile, then answer `Drained`."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Finish(Value):
    """The batch has its result."""

    result: BatchResult[Any]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Suspend(Value):
    """Nothing runs: suspend until `due_ms`, or until the service has news."""

    due_ms: int | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Raise(Value):
    """The batch ends with this error, which is not one of an item."""

    error: BaseException


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Discard(Value):
    """An enclosing context has ended: stop, nobody will see the result."""


Command: TypeAlias = Start | Resume | Ask | Refresh | Drain | Finish | Suspend | Raise | Discard
