"""The Rust core, seen from Python. Private: users import from the modules around it.

Nothing here performs I/O, reads a clock, draws a random number or calls user code. Times are integer milliseconds
since the epoch unless a name says otherwise, sizes are bytes of UTF-8.
"""

from asyncio import AbstractEventLoop, Future, Task
from collections.abc import Callable, Mapping, Sequence, Sized
from contextvars import ContextVar
from typing import Any, Final, Self, final

from typing_extensions import disjoint_base

__version__: Final[str]

@disjoint_base
class CodecError(ValueError):
    """A value that the default serdes cannot write, or a text that it cannot read."""

    def __new__(cls, reason: str, offset: int | None = None) -> Self: ...
    @property
    def reason(self) -> str: ...
    @property
    def offset(self) -> int | None:
        """Position in the text in bytes where one is known (broken JSON), None otherwise."""

class HistoryError(ValueError):
    """A page, event or acknowledgement that is not what the service sends."""

    reason: str
    operation_id: str | None
    field: str | None

@final
class _Miss: ...

MISS: Final[_Miss]
"""What the replay lane answers when it has no finished result; nothing was consumed then."""

# --- ids ---------------------------------------------------------------------------------------------

def operation_id(prefix: str | None, position: int, /) -> str:
    """The id of the operation at `position` (1, 2, ...; branches of a batch from 0) under `prefix`."""

def task_scope_prefix(parent_prefix: str | None, qualname: str, ordinal: int, /) -> str:
    """The prefix of the scope of the `ordinal`-th task of that qualname."""

# --- promises ------------------------------------------------------------------------------------------

def promise_base() -> type[Future[Any]]:
    """The base class of promises, made at the first call: an `asyncio.Future` that knows its operation.

    Its hash is that of the operation's id. Before anybody waits for an instance, the lane that made it may settle it;
    for others its method `_awaited` is called.
    """

def identify(promise: Future[Any], operation_id: str, /) -> None:
    """Say which operation a promise is of."""

def identity(promise: Future[Any], /) -> str:
    """The id of a promise's operation; empty if it is of none."""

def withdraw(promise: Future[Any], /) -> None:
    """It is cancelled: the lane does not settle it any more when it is awaited."""

@disjoint_base
class Deliveries:
    """The order of deliveries of one invocation of an async handler, and the promises of finished operations.

    Kinds of events: 0, a callback was created; 1, an operation finished.
    """

    def __new__(
        cls,
        journal: Journal,
        promise_class: type[Future[Any]],
        run: object,
        event_loop: AbstractEventLoop,
        *,
        current_tasks: dict[AbstractEventLoop, Task[Any]],
        ready: Sized,
        belongs: ContextVar[Any],
        deadlines: list[Any],
        tasks: set[Task[Any]],
        bodies: set[Task[Any]],
    ) -> Self:
        """Args: what tells whether user code could notice that a promise is settled without a turn of the loop."""

    # The lane: a promise of the context's next operation if the calling task is the one that was named last, no
    # deadline of asyncio's is set, and the lane of its scope has an answer; the id is taken then. Else None, and
    # nothing has changed.
    def step(self, context: object, name: str | None, /) -> Any: ...
    def condition(self, context: object, name: str | None, /) -> Any: ...
    def wait(self, context: object, name: str | None, /) -> Any: ...
    def child(self, context: object, name: str | None, /) -> Any: ...
    def invoke(self, context: object, name: str | None, /) -> Any: ...
    def set_caller(self, task: Task[Any], context: object, scope: Scope, /) -> None:
        """Which task calls operations of which context, and where it numbers them."""
    def task_starting(self) -> None:
        """A task is being made: its code may run before it exists, and nothing is settled at an `await` meanwhile."""
    def task_started(self) -> None: ...
    @property
    def is_starting(self) -> bool: ...
    def attach(self) -> None:
        """Promises that are awaited on this thread are this invocation's, until `close`."""
    def promises(self) -> list[Any]:
        """Those that the lane has made and that are not delivered yet."""
    def close(self) -> None:
        """The invocation has ended: promises are kept no longer and the lane answers nothing."""

    # the order
    def record(self, operation_id: str, kind: int, ms: int, /) -> str | None:
        """An event has its time; the id of the last delivery if this one should have come before it."""
    def knows(self, operation_id: str, kind: int, /) -> bool:
        """Whether the event is recorded and not delivered yet."""
    def listen(self, operation_id: str, kind: int, /) -> None:
        """User code started the operation: from now on its event can be delivered."""
    def tell(self, operation_id: str, listener: Callable[[Any], object], event: object, /) -> bool:
        """Call the listener with `event` when the operation's completion is delivered.

        False, and nobody is called, if that is not recorded or has been delivered.
        """
    def next(self, *, bodies: bool, outside_work: Callable[[], bool]) -> tuple[str, int] | bool:
        """Take the event to deliver now: its id and kind, or True if somebody whom the lane knows was told of it.

        False if there is none, or if its operation may still be started: while step bodies run, unless it is a created
        callback, and while `outside_work`, which is asked only where it matters.
        """
    def take_if_next(self, operation_id: str, kind: int, /, *, outside_work: bool) -> bool:
        """The inline lane: take this operation's event if it is the one that `next` would give."""
    def leave(self, operation_id: str, /) -> None:
        """Nothing is started in this context any more: events in it are dropped."""
    def set_aside(self) -> list[str]:
        """Operations whose events were passed over because nothing had started them, smallest first."""

# --- default serdes --------------------------------------------------------------------------------

def encode(value: object, /) -> str:
    """Write a value in the official extended format; CodecError if it has no form there."""

def decode(text: str, /) -> Any:
    """Read what `encode`, or the official SDK, wrote."""

def register_batch_result(cls: type, to_plain: Any, from_plain: Any, /) -> None:
    """Teach the codec the class behind the tag `br`: instances of `cls` are written as `to_plain(value)`."""

# --- durations, backoff, jitter ---------------------------------------------------------------------

def exponential_delay(initial: float, rate: float, maximum: float, attempt: int, /) -> float:
    """`min(initial * rate ** (attempt - 1), maximum)` seconds; saturates instead of overflowing."""

def linear_delay(initial: float, increment: float, maximum: float, attempt: int, /) -> float:
    """`min(initial + increment * (attempt - 1), maximum)` seconds."""

def jittered(strategy: str, delay: float, random: float, /) -> float:
    """Apply `NONE`, `HALF` or `FULL` jitter with a random number from [0, 1)."""

def finalized(delay: float, /) -> int:
    """Whole seconds: rounded up, at least 1."""

# --- one invocation's history and outbox --------------------------------------------------------------------------

@final
class Record:
    """What the service holds for one operation, as last acknowledged. Read-only."""

    def __new__(
        cls,
        operation_id: str,
        operation_type: str,
        status: str,
        *,
        parent_id: str | None = None,
        name: str | None = None,
        sub_type: str | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
        attempt: int = 0,
        next_attempt_ms: int | None = None,
        scheduled_end_ms: int | None = None,
        result: str | None = None,
        error: tuple[str | None, str | None, str | None, list[str] | None] | None = None,
        replay_children: bool = False,
        callback_id: str | None = None,
        input_payload: str | None = None,
    ) -> Record: ...
    @property
    def operation_id(self) -> str: ...
    @property
    def operation_type(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def parent_id(self) -> str | None: ...
    @property
    def name(self) -> str | None: ...
    @property
    def sub_type(self) -> str | None: ...
    @property
    def start_ms(self) -> int | None: ...
    @property
    def end_ms(self) -> int | None: ...
    @property
    def attempt(self) -> int: ...
    @property
    def next_attempt_ms(self) -> int | None: ...
    @property
    def scheduled_end_ms(self) -> int | None: ...
    @property
    def result(self) -> str | None:
        """The recorded payload of whichever details the operation has."""
    @property
    def error(self) -> tuple[str | None, str | None, str | None, list[str] | None] | None:
        """(message, type, data, stack trace), the fields of `ErrorObject`."""
    @property
    def replay_children(self) -> bool: ...
    @property
    def callback_id(self) -> str | None: ...
    @property
    def input_payload(self) -> str | None: ...
    @property
    def is_terminal(self) -> bool: ...

@final
class Scope:
    """A position counter, its id prefix and its replay flag. Made by `Journal.scope`."""

    @property
    def prefix(self) -> str | None: ...
    @property
    def parent_id(self) -> str | None:
        """The ParentId that operations of this scope carry."""
    @property
    def position(self) -> int:
        """How many ids were taken so far."""
    @property
    def replaying(self) -> bool: ...

    # The replay lane: the value of the next operation if it is recorded as SUCCEEDED, its identity agrees and the
    # default serdes reads it; the id is taken then and the replay flag moved. Else MISS, and nothing has changed.
    def replay_step(self, name: str | None, /) -> Any: ...
    def replay_condition(self, name: str | None, /) -> Any: ...
    def replay_wait(self, name: str | None, /) -> Any: ...
    def replay_child(self, name: str | None, /) -> Any: ...
    def replay_invoke(self, name: str | None, /) -> Any:
        """As the others, but the result is plain JSON."""
    def replay_branch(self, index: int, sub_type: str, name: str | None, /) -> Any:
        """The same for the branch at an index of the batch that this scope is; no id is taken, no flag moved."""
    def begin(self, operation_type: str, /) -> str:
        """Take the next id; leave replay where the official SDK does before an operation of that type."""
    def end(self, operation_id: str, /) -> None:
        """Leave replay where the official SDK does after the operation."""

@final
class Request:
    """One checkpoint request, ready to be sent."""

    @property
    def token(self) -> str: ...
    @property
    def client_token(self) -> str: ...
    @property
    def body(self) -> bytes:
        """The JSON body: CheckpointToken, ClientToken, Updates."""
    @property
    def updates(self) -> list[Any]:
        """The OperationUpdate objects of the batch, as pushed, without empty checkpoints."""

@final
class Acknowledgement:
    @property
    def outcome(self) -> str:
        """`continue`; without a token: `completed` if the batch had an EXECUTION update, else `revoked`."""
    @property
    def next_marker(self) -> str | None:
        """Pages still to be fetched with the new token, and loaded, before `settle`."""
    @property
    def changed(self) -> list[str]:
        """Ids of the operations that came with it."""

@final
class Journal:
    """History, scopes and outbox of one invocation. Calls may come from several threads."""

    def __new__(cls, token: str, /) -> Journal: ...
    @property
    def token(self) -> str: ...

    # history
    def load_operations(self, operations: Sequence[Mapping[str, Any]], /) -> None:
        """Index operations given as Python objects (event or boto3 shapes). They are kept, not converted.

        Timestamps may be int or float milliseconds, ISO-8601 strings or datetimes; others count as unknown.
        HistoryError for a record without Id or of wrong form; ValueError for an unknown Type or Status.
        """
    def load_page(self, body: bytes, /) -> str | None:
        """Index a GetDurableExecutionState response (timestamps in epoch seconds); returns its NextMarker."""
    def find(self, operation_id: str, /) -> Record | None: ...
    def records(self) -> list[Record]:
        """Every operation, in the order first seen."""
    @property
    def has_pending_operations(self) -> bool:
        """Whether the service will have news by itself: an open wait, callback or invoke, or a step to be retried."""
    @property
    def has_prior_operations(self) -> bool:
        """Whether any operation other than the EXECUTION is recorded."""
    def __len__(self) -> int: ...
    def scope(self, prefix: str | None, parent_id: str | None, replaying: bool, /) -> Scope: ...

    # outbox
    def push(self, update: Any | None, /) -> int:
        """Queue an OperationUpdate, or an empty checkpoint (None); the ticket to wait for.

        0 if the update belongs to an orphan: nothing is queued then.
        """
    @property
    def queued(self) -> int: ...
    @property
    def in_flight(self) -> bool: ...
    @property
    def settled(self) -> int:
        """The highest ticket that is acknowledged and merged; tickets settle in order."""
    def next_request(self, client_token: str, /) -> Request | None:
        """The next batch (FIFO, 250 entries, 768,000 bytes); None if nothing is queued. One may be in flight."""
    def acknowledge(self, response: bytes | Mapping[str, Any], /) -> Acknowledgement:
        """Merge the answer to the request in flight: raw body (epoch seconds), or parsed as boto3 does."""
    def settle(self) -> int:
        """The request in flight and all its pages are merged; returns `settled`."""
    def discard(self) -> None:
        """Drop the request in flight and everything queued (failed sender, revoked token, finished execution)."""
