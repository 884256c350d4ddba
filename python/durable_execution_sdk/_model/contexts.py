"""What user code is handed, and the shapes of what it hands over: contexts, loggers and function types."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar

from durable_execution_sdk._model.homes import public
from durable_execution_sdk._model.values import Value

if TYPE_CHECKING:
    from durable_execution_sdk._model.config import (
        CallbackConfig,
        ChildConfig,
        MapConfig,
        ParallelBranch,
        ParallelConfig,
        StepConfig,
    )
    from durable_execution_sdk._model.duration import DurationLike

T = TypeVar("T")
U = TypeVar("U")
R = TypeVar("R")
C_co = TypeVar("C_co", covariant=True)


@public("types")
class LoggerInterface(Protocol):
    """Any logger with these five methods: the standard library's, Powertools', or your own."""

    def debug(self, msg: object, *args: object, extra: Mapping[str, object] | None = None) -> None:
        """Log at level DEBUG."""

    def info(self, msg: object, *args: object, extra: Mapping[str, object] | None = None) -> None:
        """Log at level INFO."""

    def warning(self, msg: object, *args: object, extra: Mapping[str, object] | None = None) -> None:
        """Log at level WARNING."""

    def error(self, msg: object, *args: object, extra: Mapping[str, object] | None = None) -> None:
        """Log at level ERROR."""

    def exception(self, msg: object, *args: object, extra: Mapping[str, object] | None = None) -> None:
        """Log at level ERROR, with the traceback of the exception being handled."""


@public("types")
@dataclass(frozen=True, eq=False, repr=False)
class OperationContext(Value):
    """What the body of any operation is handed.

    Attributes:
        logger: Adds the execution, the operation and the attempt to what is logged.
    """

    logger: LoggerInterface


@public("types")
@dataclass(frozen=True, eq=False, repr=False)
class StepContext(OperationContext):
    """What a step function is handed.

    Attributes:
        attempt: Number of this attempt, from 1.
    """

    attempt: int


@public("types")
@dataclass(frozen=True, eq=False, repr=False)
class WaitForCallbackContext(OperationContext):
    """What the submitter of `wait_for_callback` is handed, after the callback id."""


@public("types")
@dataclass(frozen=True, eq=False, repr=False)
class WaitForConditionCheckContext(OperationContext):
    """What a check of `wait_for_condition` is handed, after the state.

    Attributes:
        attempt: Number of this check, from 1.
    """

    attempt: int


@public("types")
class Callback(Protocol, Generic[C_co]):
    """A started callback.

    Attributes:
        callback_id: The id under which the outside world completes it.
    """

    callback_id: str

    @abstractmethod
    def result(self) -> C_co | None:
        """What the callback was completed with; suspends while it is not."""


@public("types")
class BatchResult(Protocol, Generic[T]):
    """Results of a map or parallel."""

    @abstractmethod
    def get_results(self) -> list[T]:
        """Results of the items that succeeded, in order."""


@public("types")
class DurableContext(Protocol):
    """The operations that code usually needs; for annotating helpers that tests call with a fake."""

    @abstractmethod
    def step(self, func: Callable[[StepContext], T], name: str | None = None, config: StepConfig | None = None) -> T:
        """Run a function once and keep its result."""

    @abstractmethod
    def run_in_child_context(
        self,
        func: Callable[[DurableContext], T],
        name: str | None = None,
        config: ChildConfig[T] | None = None,
    ) -> T:
        """Run several operations as one."""

    @abstractmethod
    def map(
        self,
        inputs: Sequence[U],
        func: Callable[[DurableContext, U, int, Sequence[U]], T],
        name: str | None = None,
        config: MapConfig[U] | None = None,
    ) -> BatchResult[T]:
        """Run a function over items, concurrently."""

    @abstractmethod
    def parallel(
        self,
        functions: Sequence[Callable[[DurableContext], T] | ParallelBranch[T]],
        name: str | None = None,
        config: ParallelConfig | None = None,
    ) -> BatchResult[T]:
        """Run functions concurrently."""

    @abstractmethod
    def wait(self, duration: DurationLike, name: str | None = None) -> None:
        """Suspend for a time."""

    @abstractmethod
    def create_callback(self, name: str | None = None, config: CallbackConfig | None = None) -> Callback[Any]:
        """Start a callback."""


@public("types")
class LambdaContext(Protocol):
    """The context object that AWS Lambda gives to handlers."""

    aws_request_id: str
    log_group_name: str | None = None
    log_stream_name: str | None = None
    function_name: str | None = None
    memory_limit_in_mb: str | None = None
    function_version: str | None = None
    invoked_function_arn: str | None = None
    tenant_id: str | None = None
    client_context: Any | None = None
    identity: Any | None = None

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the invocation."""
        ...

    def log(self, msg: object) -> None:
        """Write a line to the function's log."""
        ...


StepFunc: TypeAlias = Callable[[StepContext], T]
ChildFunc: TypeAlias = Callable[[DurableContext], T]
ParallelFunc: TypeAlias = Callable[[DurableContext], R]
MapFunc: TypeAlias = Callable[[DurableContext, U, int, Sequence[U]], R]
RetryableFunc: TypeAlias = Callable[[DurableContext, int], T]
WaitForConditionCheckFunc: TypeAlias = Callable[[T, WaitForConditionCheckContext], T]
WaitForCallbackSubmitterFunc: TypeAlias = Callable[[str, WaitForCallbackContext], None]
DurableExecutionHandler: TypeAlias = Callable[[Any, DurableContext], Any] | Callable[[Any, Any], Awaitable[Any]]
DurableLambdaHandler: TypeAlias = Callable[[Any, LambdaContext], dict[str, Any]]
DurableLogger: TypeAlias = LoggerInterface
