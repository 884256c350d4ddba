"""Options of the operations. Bad values are refused where they are given, before anything is recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Generic, Protocol, TypeVar

from durable_execution_sdk._model.checks import (
    check_callable,
    check_optional_callable,
    check_optional_serdes,
    check_sub_type,
    check_whole,
    refusal,
)
from durable_execution_sdk._model.completion import CompletionConfig
from durable_execution_sdk._model.duration import Duration, DurationField, check_at_most
from durable_execution_sdk._model.errors import DurableOperationError
from durable_execution_sdk._model.homes import public
from durable_execution_sdk._model.serdes import SerDes, SerDesDeserializer
from durable_execution_sdk._model.strategies import RetryStrategy
from durable_execution_sdk._model.values import Value

P = TypeVar("P")
R = TypeVar("R")
T = TypeVar("T")
C_contra = TypeVar("C_contra", contravariant=True)

MAX_CALLBACK_SECONDS: Final = 99_999_999
"""Limit of both timeouts of a callback (Lambda API)."""


@public("types")
class SummaryGenerator(Protocol[C_contra]):
    """Makes a short text for a result that is too large to be kept in history (over 256 KiB)."""

    def __call__(self, result: C_contra) -> str:
        """The text."""
        ...


@public("config")
class NestingType(Enum):
    """What history shows of the branches of a map or parallel."""

    NESTED = "NESTED"
    """Each branch is a context of its own: visible, its result recorded, two updates more per branch."""

    FLAT = "FLAT"
    """Branches record nothing of their own; their operations hang on the map or parallel. Cheaper, less to see."""


@public("config")
class StepSemantics(Enum):
    """What happens to an attempt that an invocation did not finish."""

    AT_MOST_ONCE_PER_RETRY = "AT_MOST_ONCE_PER_RETRY"
    """It counts as failed (`StepInterruptedError`), and the retry strategy decides."""

    AT_LEAST_ONCE_PER_RETRY = "AT_LEAST_ONCE_PER_RETRY"
    """It is run again."""


@public("config")
@dataclass(frozen=True, eq=False, repr=False)
class StepConfig(Value):
    """Options of `ctx.step`.

    Args:
        retry_strategy: Says what to do about a failed attempt. Default: `RetryPresets.default()`.
        step_semantics: What happens to an attempt that an invocation did not finish.
        serdes: Writes the result.
        sub_type: Label in history instead of "Step"; 1 to 32 characters of A-Z, a-z, 0-9, hyphen and underscore.
            Replay compares it, so changing it breaks running executions.

    Raises:
        ValidationError: A value is of the wrong kind or out of range.
    """

    retry_strategy: RetryStrategy | None = None
    step_semantics: StepSemantics = StepSemantics.AT_LEAST_ONCE_PER_RETRY
    serdes: SerDes[Any] | None = None
    sub_type: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        check_optional_callable("retry_strategy", self.retry_strategy)
        if not isinstance(self.step_semantics, StepSemantics):
            raise refusal("step_semantics", self.step_semantics, "a StepSemantics")
        check_optional_serdes("serdes", self.serdes)
        check_sub_type("sub_type", self.sub_type)


@public("config")
@dataclass(frozen=True, eq=False, repr=False)
class ChildConfig(Value, Generic[T]):
    """Options of `ctx.run_in_child_context`.

    Args:
        serdes: Writes the result.
        sub_type: Label in history instead of "RunInChildContext"; as of `StepConfig`.
        summary_generator: Makes what is recorded of a result over 256 KiB; the result itself is made again at replay
            by running the child's code over its recorded operations. Without one, nothing is recorded of it.
        is_virtual: Record nothing of the child itself: it only gives its operations ids of their own.
        error_mapper: Turns the error of the failed child into the one to raise, on the first run as on replay.

    Raises:
        ValidationError: A value is of the wrong kind or out of range.
    """

    serdes: SerDes[Any] | None = None
    sub_type: str | None = None
    summary_generator: SummaryGenerator[Any] | None = None
    is_virtual: bool = False
    error_mapper: Callable[[DurableOperationError], Exception] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        check_optional_serdes("serdes", self.serdes)
        check_sub_type("sub_type", self.sub_type)
        check_optional_callable("summary_generator", self.summary_generator)
        check_optional_callable("error_mapper", self.error_mapper)


def _check_batch(config: ParallelConfig | MapConfig[Any] | ConcurrencyConfig) -> None:
    if config.max_concurrency is not None:
        check_whole("max_concurrency", config.max_concurrency, 1, "a whole number, at least 1, or None")
    if not isinstance(config.completion_config, CompletionConfig):
        raise refusal("completion_config", config.completion_config, "a CompletionConfig")
    check_optional_serdes("serdes", config.serdes)
    check_optional_serdes("item_serdes", config.item_serdes)
    check_optional_callable("summary_generator", config.summary_generator)
    if not isinstance(config.nesting_type, NestingType):
        raise refusal("nesting_type", config.nesting_type, "a NestingType")


@public("config")
@dataclass(frozen=True, eq=False, repr=False)
class ParallelConfig(Value):
    """Options of `ctx.parallel`.

    Args:
        max_concurrency: At most so many branches under way; all at once if None.
        completion_config: When the parallel ends. Default: with the first failure.
        serdes: Writes the whole result, and the results of branches if `item_serdes` is None.
        item_serdes: Writes the result of each branch.
        summary_generator: Adds a text of yours to what is recorded of a result over 256 KiB.
        nesting_type: What history shows of the branches.

    Raises:
        ValidationError: A value is of the wrong kind or out of range.
    """

    max_concurrency: int | None = None
    completion_config: CompletionConfig = field(default_factory=CompletionConfig.all_successful)
    serdes: SerDes[Any] | None = None
    item_serdes: SerDes[Any] | None = None
    summary_generator: SummaryGenerator[Any] | None = None
    nesting_type: NestingType = NestingType.NESTED

    def __post_init__(self) -> None:
        _check_batch(self)


@public("config")
@dataclass(frozen=True, eq=False, repr=False)
class MapConfig(Value, Generic[T]):
    """Options of `ctx.map`.

    Args:
        max_concurrency: At most so many items under way; all at once if None.
        completion_config: When the map ends. Default: with the first failure.
        serdes: Writes the whole result, and the results of items if `item_serdes` is None.
        item_serdes: Writes the result of each item.
        summary_generator: Adds a text of yours to what is recorded of a result over 256 KiB.
        nesting_type: What history shows of the items.
        item_namer: Gives each item's branch a name, from the item and its position. Called for every item on every
            run, so it must depend on these alone. Default: "map-item-<position>".

    Raises:
        ValidationError: A value is of the wrong kind or out of range.
    """

    max_concurrency: int | None = None
    completion_config: CompletionConfig = field(default_factory=CompletionConfig)
    serdes: SerDes[Any] | None = None
    item_serdes: SerDes[Any] | None = None
    summary_generator: SummaryGenerator[Any] | None = None
    nesting_type: NestingType = NestingType.NESTED
    item_namer: Callable[[T, int], str] | None = None

    def __post_init__(self) -> None:
        _check_batch(self)
        check_optional_callable("item_namer", self.item_namer)


@public("config")
@dataclass(frozen=True, eq=False, repr=False)
class ConcurrencyConfig(Value):
    """Options of `ctx.execute_concurrently`, the primitive under map and parallel.

    Args:
        max_concurrency: At most so many items under way; all at once if None.
        completion_config: When it ends. Default: with the first failure.
        serdes: Writes the whole result, and the results of items if `item_serdes` is None.
        item_serdes: Writes the result of each item.
        summary_generator: Adds a text of yours to what is recorded of a result over 256 KiB.
        nesting_type: What history shows of the items.
        top_level_sub_type: Label of the whole in history; "RunInChildContext" if None.
        iteration_sub_type: Label of each item in history; "RunInChildContext" if None.

    Raises:
        ValidationError: A value is of the wrong kind or out of range.
    """

    max_concurrency: int | None = None
    completion_config: CompletionConfig = field(default_factory=CompletionConfig)
    serdes: SerDes[Any] | None = None
    item_serdes: SerDes[Any] | None = None
    summary_generator: SummaryGenerator[Any] | None = None
    nesting_type: NestingType = NestingType.NESTED
    top_level_sub_type: str | None = field(default=None, kw_only=True)
    iteration_sub_type: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        _check_batch(self)
        check_sub_type("top_level_sub_type", self.top_level_sub_type)
        check_sub_type("iteration_sub_type", self.iteration_sub_type)


@public("config")
@dataclass(frozen=True, eq=False, repr=False)
class ParallelBranch(Value, Generic[T]):
    """A branch of `ctx.parallel` with a name. Calling it calls the function.

    Raises:
        ValidationError: The function cannot be called.
    """

    func: Callable[..., T]
    name: str | None = None

    def __post_init__(self) -> None:
        check_callable("func", self.func)

    def __call__(self, *args: Any, **kwargs: Any) -> T:
        """Call the function."""
        return self.func(*args, **kwargs)


@public("config")
@dataclass(frozen=True, eq=False, repr=False)
class InvokeConfig(Value, Generic[P, R]):
    """Options of `ctx.invoke`.

    Args:
        serdes_payload: Writes the payload. Default: plain JSON.
        serdes_result: Reads the result. Default: plain JSON.
        tenant_id: Calls the function for this tenant.

    Raises:
        ValidationError: A value is of the wrong kind.
    """

    serdes_payload: SerDes[P] | None = None
    serdes_result: SerDes[R] | None = None
    tenant_id: str | None = None

    def __post_init__(self) -> None:
        check_optional_serdes("serdes_payload", self.serdes_payload)
        check_optional_serdes("serdes_result", self.serdes_result)
        if self.tenant_id is not None and not isinstance(self.tenant_id, str):
            raise refusal("tenant_id", self.tenant_id, "a string or None")


@public("config")
@dataclass(frozen=True, eq=False, repr=False)
class CallbackConfig(Value):
    """Options of `ctx.create_callback`.

    Args:
        timeout: Fail when it is not completed after so long; zero is never.
        heartbeat_timeout: Fail when nobody sent a heartbeat for so long; zero is never.
        serdes: Reads the result. Default: the text as it was sent.
        sub_type: Label in history instead of "Callback"; as of `StepConfig`.

    Raises:
        ValidationError: A value is of the wrong kind or out of range.
    """

    timeout: DurationField = DurationField(Duration())
    heartbeat_timeout: DurationField = DurationField(Duration())
    serdes: SerDesDeserializer[Any] | None = None
    sub_type: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        check_at_most("timeout", self.timeout, MAX_CALLBACK_SECONDS)
        check_at_most("heartbeat_timeout", self.heartbeat_timeout, MAX_CALLBACK_SECONDS)
        check_optional_serdes("serdes", self.serdes, ("deserialize",))
        check_sub_type("sub_type", self.sub_type)

    @property
    def timeout_seconds(self) -> int:
        """`timeout` in seconds."""
        return self.timeout.to_seconds()

    @property
    def heartbeat_timeout_seconds(self) -> int:
        """`heartbeat_timeout` in seconds."""
        return self.heartbeat_timeout.to_seconds()


@public("config")
@dataclass(frozen=True, eq=False, repr=False)
class WaitForCallbackConfig(CallbackConfig):
    """Options of `ctx.wait_for_callback`: those of `CallbackConfig`, and one for the submitter.

    Args:
        timeout: As of `CallbackConfig`.
        heartbeat_timeout: As of `CallbackConfig`.
        serdes: As of `CallbackConfig`.
        retry_strategy: Says what to do about a submitter that failed. Default: `RetryPresets.default()`.
        sub_type: Label of the callback; the surrounding context stays a "WaitForCallback".
    """

    # Said again, since mypy gives inherited fields of a frozen dataclass the type that the constructor takes.
    timeout: DurationField = DurationField(Duration())
    heartbeat_timeout: DurationField = DurationField(Duration())
    retry_strategy: RetryStrategy | None = None

    def __post_init__(self) -> None:
        # Not super(): the class that dataclass() returns may be another one than this body belongs to.
        CallbackConfig.__post_init__(self)
        check_optional_callable("retry_strategy", self.retry_strategy)


@public("retries")
@dataclass(frozen=True, eq=False, repr=False)
class WithRetryConfig(Value, Generic[T]):
    """Options of `with_retry`.

    Args:
        retry_strategy: Says what to do about a failed run. Default: that of `create_retry_strategy()`, 3 attempts.
        wrap_with_run_in_child_context: Run in a child context; the last failure is then raised as
            `ChildContextError`, with the error itself as `__cause__`.
        child_context_config: Options of that child context.

    Raises:
        ValidationError: A value is of the wrong kind.
    """

    retry_strategy: RetryStrategy | None = None
    wrap_with_run_in_child_context: bool = True
    child_context_config: ChildConfig[T] | None = None

    def __post_init__(self) -> None:
        check_optional_callable("retry_strategy", self.retry_strategy)
        if self.child_context_config is not None and not isinstance(self.child_context_config, ChildConfig):
            raise refusal("child_context_config", self.child_context_config, "a ChildConfig or None")


@public("serdes")
@dataclass(frozen=True, eq=False, repr=False)
class SerDesConfig(Value):
    """Argument of `ctx.configure_serdes`.

    Args:
        default_serdes: Used by steps, child contexts, invokes and conditions that are given none.
        default_callback_deserializer: Used by callbacks that are given none.
    """

    default_serdes: SerDes[Any] | None = None
    default_callback_deserializer: SerDesDeserializer[Any] | None = None

    def __post_init__(self) -> None:
        check_optional_serdes("default_serdes", self.default_serdes)
        check_optional_serdes("default_callback_deserializer", self.default_callback_deserializer, ("deserialize",))
