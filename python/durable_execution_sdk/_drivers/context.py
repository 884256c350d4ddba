"""The context that `def` handlers, child contexts and branches get.

Each operation first asks the scope whether it is finished (the replay lane: one call, one value) and enters the long
way only if it is not. The lane is closed where its answer could differ: with plugins, with a default serdes, and once
the strand has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, overload

from durable_execution_sdk._core import MISS
from durable_execution_sdk._drivers.calls import (
    Callback,
    call_callback,
    call_child,
    call_condition,
    call_invoke,
    call_step,
    call_wait,
)
from durable_execution_sdk._drivers.concurrent import ConcurrentScope
from durable_execution_sdk._drivers.scope import ExecutionContext
from durable_execution_sdk._drivers.state import ExecutionState
from durable_execution_sdk._model.checks import (
    check_callable,
    check_config,
    check_function_name,
    check_optional_serdes,
    refusal,
)
from durable_execution_sdk._model.config import (
    CallbackConfig,
    ChildConfig,
    InvokeConfig,
    SerDesConfig,
    StepConfig,
    WaitForCallbackConfig,
)
from durable_execution_sdk._model.contexts import (
    StepContext,
    WaitForCallbackContext,
    WaitForConditionCheckContext,
)
from durable_execution_sdk._model.duration import Duration, DurationLike, as_duration
from durable_execution_sdk._model.enums import OperationSubType
from durable_execution_sdk._model.errors import ChildContextError
from durable_execution_sdk._model.homes import public
from durable_execution_sdk._model.serdes import SerDes, SerDesDeserializer
from durable_execution_sdk._model.strategies import WaitForConditionConfig
from durable_execution_sdk._operations.callback import submission_error
from durable_execution_sdk._policy.naming import BOUND_NAME, callback_name, submitter_name

T = TypeVar("T")
P = TypeVar("P")
R = TypeVar("R")


@public("context")
class DurableContext(ConcurrentScope):
    """What a handler, a child context or a branch does durable things with.

    You never make one: the decorated handler gets it as its second argument, child contexts and branches as their
    first. Every operation blocks until its result is known and recorded; where that has to be waited for, the call
    does not return in this invocation and the handler runs again from the top in a later one.
    """

    __slots__ = ()

    # --- operations ---

    @overload
    def step(
        self,
        func: Callable[[StepContext], Coroutine[Any, Any, T]],
        name: str | None = None,
        config: StepConfig | None = None,
    ) -> T: ...
    @overload
    def step(
        self, func: Callable[[StepContext], T], name: str | None = None, config: StepConfig | None = None
    ) -> T: ...
    def step(
        self, func: Callable[[StepContext], Any], name: str | None = None, config: StepConfig | None = None
    ) -> Any:
        """Run a function once and record its result; a replay returns what is recorded.

        A failing function is tried again as the retry strategy says (default: `RetryPresets.default()`); between
        attempts the invocation is suspended.

        Args:
            func: Called with a `StepContext`; `def` or `async def`. Its result must survive the serdes; you get it back
                as a replay would.
            name: Shown in the history. Default: the name of a function decorated with `durable_step`, else none.
            config: Retry strategy, guarantee per attempt, serdes, subtype.

        Returns:
            What `func` returned, after one round trip through the serdes.

        Raises:
            StepError: Every attempt failed; `error_type` and `__cause__` tell what the function raised.
            SerDesError: The result cannot be written or read.

        Example:
            >>> total = ctx.step(lambda step: price(order), name="price")
        """
        name = name or getattr(func, BOUND_NAME, None)
        if config is not None and not isinstance(config, StepConfig):
            check_config(config, StepConfig)
        if config is None or (config.serdes is None and not config.sub_type):
            value = self._lane_step(name)
            if value is not MISS:
                return value
        check_callable("func", func)
        return call_step(self, func, name, config or _STEP)

    def wait(self, duration: DurationLike, name: str | None = None) -> None:
        """Suspend for a while without paying for compute.

        Args:
            duration: At least one second; a `timedelta` or a mapping such as `{"minutes": 5}` will do.
            name: Shown in the history.

        Raises:
            ValidationError: It is shorter than a second, or longer than 366 days (Lambda API).

        Example:
            >>> ctx.wait(Duration.from_hours(1), name="settlement")
        """
        seconds = require_seconds(duration)
        if self._lane_wait(name) is MISS:
            call_wait(self, seconds, name)

    def run_in_child_context(
        self, func: Callable[[DurableContext], T], name: str | None = None, config: ChildConfig[T] | None = None
    ) -> T:
        """Group operations under a context of their own, with ids of its own, and record its result.

        Args:
            func: Called with the child's context; it must use that one for its operations.
            name: Shown in the history. Default: the name of a function decorated with `durable_with_child_context`.
            config: Serdes, subtype, summary of large results, virtual contexts, error mapping.

        Returns:
            What `func` returned, after one round trip through the serdes. Where it is longer than 256 KiB, the record
            holds a summary and replays run `func` again over the recorded children.

        Raises:
            ChildContextError: `func` raised; `error_type` and `__cause__` tell what.

        Example:
            >>> receipt = ctx.run_in_child_context(lambda child: settle(child, batch), name="batch-7")
        """
        name = name or getattr(func, BOUND_NAME, None)
        if config is not None and not isinstance(config, ChildConfig):
            check_config(config, ChildConfig)
        if config is None or (config.serdes is None and not config.sub_type and not config.is_virtual):
            value = self._lane_child(name)
            if value is not MISS:
                return value  # type: ignore[no-any-return]  # the lane answers with what was recorded
        check_callable("func", func)
        config = config or _CHILD
        try:
            return call_child(self, func, name, config, config.sub_type or _RUN_IN_CHILD_CONTEXT)  # type: ignore[no-any-return]  # one round trip of T
        except ChildContextError as error:
            mapper = config.error_mapper
            if mapper is None:
                raise
            mapped = mapper(error)
        raise mapped

    def invoke(
        self,
        function_name: str,
        payload: P = None,  # type: ignore[assignment]  # no payload is the payload None
        name: str | None = None,
        config: InvokeConfig[P, R] | None = None,
    ) -> R:
        """Call another Lambda function, durable or not, and suspend until its result is recorded.

        Args:
            function_name: Name or ARN.
            payload: Anything plain JSON can hold; default: None.
            name: Shown in the history.
            config: Serdes of payload and result, tenant id.

        Raises:
            InvokeError: The function failed, timed out or was stopped.

        Example:
            >>> score = ctx.invoke("credit-check:live", {"customer": 7}, name="credit")
        """
        if config is not None and not isinstance(config, InvokeConfig):
            check_config(config, InvokeConfig)
        if config is None or config.serdes_result is None:
            value = self._lane_invoke(name)
            if value is not MISS:
                return value  # type: ignore[no-any-return]  # the lane answers with what was recorded
        check_function_name(function_name)
        return call_invoke(self, function_name, payload, name, config or InvokeConfig())  # type: ignore[no-any-return]  # R by promise

    def create_callback(self, name: str | None = None, config: CallbackConfig | None = None) -> Callback[Any]:
        """Ask the service for a callback id that somebody outside completes.

        Args:
            name: Shown in the history.
            config: Timeouts and the serdes that reads the result (default: the text as it came).

        Returns:
            A handle: hand out its `callback_id`, then call `result()`.

        Example:
            >>> approval = ctx.create_callback("approval", CallbackConfig(timeout=Duration.from_days(2)))
            >>> ctx.step(lambda step: mail(approval.callback_id), name="ask")
            >>> answer = approval.result()
        """
        check_config(config, CallbackConfig)
        return call_callback(self, name, config or _CALLBACK)

    def wait_for_callback(
        self,
        submitter: Callable[[str, WaitForCallbackContext], Any],
        name: str | None = None,
        config: WaitForCallbackConfig | None = None,
    ) -> Any:
        """Create a callback, hand its id out in a retried step, and suspend until somebody completes it.

        Args:
            submitter: Called with the callback id and a `WaitForCallbackContext`, as a step.
            name: Shown in the history. Default: the name of a function decorated with `durable_wait_for_callback`.
            config: Timeouts, serdes, retry strategy of the submitter.

        Returns:
            The callback's result: the text as it came unless the serdes makes something else of it.

        Raises:
            CallbackExternalError: Whoever completed it reported a failure.
            CallbackTimeoutError: A timeout passed.
            CallbackSubmitterError: The submitter failed for good.

        Example:
            >>> answer = ctx.wait_for_callback(lambda callback_id, _: mail(callback_id), name="approval")
        """
        check_callable("submitter", submitter)
        check_config(config, WaitForCallbackConfig)
        name = name or getattr(submitter, BOUND_NAME, None)
        settings = config or WaitForCallbackConfig()

        def body(child: DurableContext) -> Any:
            callback = child.create_callback(callback_name(name), settings)

            def submit(step: StepContext) -> Any:
                return submitter(callback.callback_id, WaitForCallbackContext(logger=step.logger))

            child.step(
                submit,
                submitter_name(name),
                StepConfig(retry_strategy=settings.retry_strategy, serdes=_two_way(settings.serdes)),
            )
            return callback.result()

        try:
            return call_child(self, body, name, _CHILD, OperationSubType.WAIT_FOR_CALLBACK.value)
        except ChildContextError as error:
            raised = submission_error(error)
            if raised is error:
                raise
        raise raised

    @overload
    def wait_for_condition(
        self,
        check: Callable[[T, WaitForConditionCheckContext], Coroutine[Any, Any, T]],
        config: WaitForConditionConfig[T],
        name: str | None = None,
    ) -> T: ...
    @overload
    def wait_for_condition(
        self,
        check: Callable[[T, WaitForConditionCheckContext], T],
        config: WaitForConditionConfig[T],
        name: str | None = None,
    ) -> T: ...
    def wait_for_condition(
        self,
        check: Callable[[Any, WaitForConditionCheckContext], Any],
        config: WaitForConditionConfig[Any],
        name: str | None = None,
    ) -> Any:
        """Call `check` until the wait strategy is content, suspended in between.

        Args:
            check: Gets the last state and a context, returns the next state. The state is recorded between checks.
            config: Wait strategy, initial state, serdes.
            name: Shown in the history.

        Returns:
            The state that the strategy stopped at.

        Raises:
            ValidationError: `check` or `config` is missing.
            WaitForConditionError: `check` or the strategy raised, or the strategy gave up.

        Example:
            >>> job = ctx.wait_for_condition(lambda job, _: fetch(job), config, name="job done")
        """
        require_condition(check, config)
        if config.serdes is None:
            value = self._lane_condition(name)
            if value is not MISS:
                return value
        return call_condition(self, check, config, name)

    # --- about the context ---

    def configure_serdes(
        self,
        default_serdes: SerDes[Any] | SerDesConfig | None = None,
        default_callback_deserializer: SerDesDeserializer[Any] | None = None,
    ) -> None:
        """Change what this context, and those created in it later, write and read values with.

        Args:
            default_serdes: For steps, child contexts, invokes and conditions that name none; None leaves it as it is.
                A `SerDesConfig` says both at once.
            default_callback_deserializer: For the results of callbacks; None leaves it as it is.
        """
        if isinstance(default_serdes, SerDesConfig):
            default_callback_deserializer = (
                default_callback_deserializer or default_serdes.default_callback_deserializer
            )
            default_serdes = default_serdes.default_serdes
        check_optional_serdes("default_serdes", default_serdes)
        check_optional_serdes("default_callback_deserializer", default_callback_deserializer, ("deserialize",))
        if default_serdes is not None:
            self.default_serdes = default_serdes
            self.close_lane()
        if default_callback_deserializer is not None:
            self.callback_serdes = default_callback_deserializer

    def is_replaying(self) -> bool:
        """Whether this context is still repeating what an earlier invocation did."""
        return self.scope.replaying

    @property
    def is_virtual(self) -> bool:
        """Whether this context leaves no operation of its own in the history (virtual children, FLAT branches)."""
        return (self.scope.prefix or None) != (self.scope.parent_id or None)

    @staticmethod
    def from_lambda_context(state: ExecutionState, lambda_context: Any, replaying: bool = False) -> DurableContext:
        """The root context of an invocation."""
        return DurableContext(
            state,
            state.journal.scope(None, None, replaying),
            lambda_context,
            ExecutionContext(state.durable_execution_arn),
        )


def _two_way(serdes: Any) -> Any:
    """The serdes of a callback for its submitter, whose result is recorded too; a mere deserializer cannot write."""
    return serdes if hasattr(serdes, "serialize") else None


def require_seconds(duration: DurationLike) -> int:
    """The length of a wait in seconds, or the error that says how long it must be."""
    seconds = (duration if isinstance(duration, Duration) else as_duration("duration", duration)).seconds
    if not 1 <= seconds <= _LONGEST_WAIT:
        raise refusal("duration", duration, f"1 to {_LONGEST_WAIT} seconds (Lambda API)")
    return seconds


def require_condition(check: object, config: object) -> None:
    """The error that says what a condition needs, if that is missing."""
    if not callable(check):
        raise refusal("check", check, "a function")
    if config is None:
        raise refusal("config", config, "a WaitForConditionConfig")
    check_config(config, WaitForConditionConfig)


_LONGEST_WAIT = 31_622_400
_STEP = StepConfig()
_CHILD: ChildConfig[Any] = ChildConfig()
_CALLBACK = CallbackConfig()
_RUN_IN_CHILD_CONTEXT = OperationSubType.RUN_IN_CHILD_CONTEXT.value
