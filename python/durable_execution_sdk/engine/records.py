"""The engine's nouns: executions, operations, history events, updates, and what one transition changes.

All of it is frozen data. Payload texts are kept as they came, never parsed; errors are the JSON text of an
error object. Times are integer milliseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

EXECUTION: Final = "EXECUTION"
CONTEXT: Final = "CONTEXT"
STEP: Final = "STEP"
WAIT: Final = "WAIT"
CALLBACK: Final = "CALLBACK"
CHAINED_INVOKE: Final = "CHAINED_INVOKE"

STARTED: Final = "STARTED"
PENDING: Final = "PENDING"
READY: Final = "READY"
SUCCEEDED: Final = "SUCCEEDED"
FAILED: Final = "FAILED"
CANCELLED: Final = "CANCELLED"
TIMED_OUT: Final = "TIMED_OUT"
STOPPED: Final = "STOPPED"
RUNNING: Final = "RUNNING"
PAUSED: Final = "PAUSED"

TERMINAL: Final = frozenset({SUCCEEDED, FAILED, CANCELLED, TIMED_OUT, STOPPED})

DURABLE: Final = "durable"
PLAIN: Final = "plain"


@dataclass(frozen=True, slots=True)
class OperationRecord:
    """What the engine holds for one operation."""

    operation_id: str
    operation_type: str
    status: str
    position: int
    """0 for the EXECUTION, then 1, 2, ... in order of creation: a parent always precedes its children."""
    start_ms: int
    parent_id: str | None = None
    name: str | None = None
    sub_type: str | None = None
    end_ms: int | None = None
    attempt: int = 0
    due_ms: int | None = None
    """When the next timer of this operation fires: retry, wait, callback timeout or missed heartbeat."""
    scheduled_end_ms: int | None = None
    timeout_due_ms: int | None = None
    heartbeat_ms: int = 0
    """The heartbeat period of a callback; 0 means none."""
    callback_id: str | None = None
    function_name: str | None = None
    tenant_id: str | None = None
    replay_children: bool = False
    hidden: bool = False
    """Below a context that finished with its result inline: no handler needs it any more."""
    changed: int = 0
    """The execution's version at the last change."""
    served: int = 0
    """The execution's version when the service itself (not a checkpoint) changed it last; 0 means never."""
    error: str | None = None
    payload: str | None = None
    """The input of an EXECUTION or of a chained invoke."""
    result: str | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether it has ended."""
        return self.status in TERMINAL

    @property
    def is_pending(self) -> bool:
        """Whether the service will complete it, which is what justifies an answer of PENDING."""
        if self.operation_type == STEP:
            return self.status == PENDING
        return self.status == STARTED and self.operation_type in {WAIT, CALLBACK, CHAINED_INVOKE}


@dataclass(frozen=True, slots=True)
class ExecutionRecord:
    """What the engine holds for one execution, apart from its operations and events.

    Input, result and error live on its EXECUTION operation, so that a checkpoint never rewrites them.
    """

    execution_id: str
    arn: str
    function_name: str
    name: str
    start_ms: int
    kind: str = DURABLE
    target: str | None = None
    """Where the handler is found: `module:attribute`."""
    status: str = RUNNING
    end_ms: int | None = None
    updated_ms: int = 0
    timeout_ms: int | None = None
    """How long the execution may take in all."""
    timeout_due_ms: int | None = None
    parent_execution_id: str | None = None
    parent_operation_id: str | None = None
    tenant_id: str | None = None

    version: int = 0
    """Counts changes of operations; each change takes a number of its own."""
    served_version: int = 0
    operations: int = 0
    """The position of the newest operation."""
    finished: int = 0
    pending: int = 0
    events: int = 0
    last_end_ms: int = 0

    invocation: int = 0
    """The number of the current or last invocation."""
    request_id: str | None = None
    invocation_start_ms: int | None = None
    """None while no invocation is in flight."""
    sequence: int = 0
    """Counts checkpoints; together with `invocation` it is what a checkpoint token says."""
    client_token: str | None = None
    """Of the last successful checkpoint, so that a repeated request gets the same answer."""
    seen: int = 0
    """The version up to which the current handler was told of changes."""
    seen_before: int = 0
    """The same before the last checkpoint."""
    delivered: int = 0
    """The version at the last delivered input."""
    failures: int = 0
    unjustified: int = 0
    """Answers of PENDING in a row with nothing pending."""
    invoke_at_ms: int | None = None
    """When the handler is to be invoked (again); None while nothing asks for it."""
    pause_ms: int | None = None
    pause_reason: str | None = None
    pause_stops_timeout: bool = True

    @property
    def is_terminal(self) -> bool:
        return self.status in TERMINAL

    @property
    def is_paused(self) -> bool:
        return self.pause_ms is not None

    @property
    def in_flight(self) -> bool:
        return self.invocation_start_ms is not None


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One entry of the history log. `details` holds small facts only, under their wire names."""

    event_id: int
    event_type: str
    at_ms: int
    operation_id: str
    details: Mapping[str, object] = field(default_factory=dict)
    payload: str | None = None
    error: str | None = None
    recorded: bool = False
    """The payload is the result or the input of the operation's record, and is not stored twice."""


@dataclass(frozen=True, slots=True)
class Update:
    """One entry of a checkpoint request, as the service reads it."""

    operation_id: str
    operation_type: str
    action: str
    parent_id: str | None = None
    name: str | None = None
    sub_type: str | None = None
    payload: str | None = None
    error: str | None = None
    replay_children: bool = False
    retry_delay_ms: int | None = None
    wait_ms: int | None = None
    timeout_ms: int = 0
    heartbeat_ms: int = 0
    function_name: str | None = None
    tenant_id: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A chained invoke's function, found: the execution that is to be made for it."""

    function_name: str
    kind: str
    execution_id: str
    arn: str


@dataclass(frozen=True, slots=True)
class StartChild:
    """Make the execution of a chained invoke, in the same commit."""

    target: Target
    operation_id: str
    payload: str
    tenant_id: str | None


@dataclass(frozen=True, slots=True)
class TellParent:
    """Complete the chained invoke that started this execution, in the same commit."""

    parent_execution_id: str
    parent_operation_id: str
    outcome: Ended


Command: TypeAlias = StartChild | TellParent


@dataclass(frozen=True, slots=True)
class Ended:
    """How an execution, or a chained invoke, ended."""

    status: str
    result: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What one transition changes. Nothing else may be written to the store."""

    execution: ExecutionRecord
    operations: tuple[OperationRecord, ...] = ()
    events: tuple[EventRecord, ...] = ()
    commands: tuple[Command, ...] = ()
    hide_below: tuple[str, ...] = ()
    """Contexts that finished with their result inline: mark everything below them as hidden, after the writes."""


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event as it is read back: with its payload, and with what its operation says of itself."""

    event: EventRecord
    payload: str | None
    name: str | None
    sub_type: str | None
    parent_id: str | None


# How an invocation came out, seen from the service.


@dataclass(frozen=True, slots=True)
class Answered:
    """The handler's output, read: `status` is SUCCEEDED, FAILED or PENDING."""

    status: str
    result: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Crashed:
    """The invocation raised, or its process ended: counted, and tried again."""

    error: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """The handler answered something that is no output: fails the execution."""

    error: str


@dataclass(frozen=True, slots=True)
class Abandoned:
    """The engine itself stopped or died during the invocation: no fault of the handler, not counted."""

    error: str


InvocationOutcome: TypeAlias = Answered | Crashed | Malformed | Abandoned
