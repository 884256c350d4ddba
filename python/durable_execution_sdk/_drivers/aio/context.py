"""The context that `async def` handlers, child contexts and branches get."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, TypeVar, overload

from durable_execution_sdk._core import Deliveries
from durable_execution_sdk._drivers.aio.attempts import StartedCondition, StartedStep
from durable_execution_sdk._drivers.aio.callback import AsyncCallback
from durable_execution_sdk._drivers.aio.colours import call_any, run_body
from durable_execution_sdk._drivers.aio.combinators import Combinators
from durable_execution_sdk._drivers.aio.concurrent import AsyncConcurrentScope
from durable_execution_sdk._drivers.aio.operation import ENDED, ClosedLane
from durable_execution_sdk._drivers.aio.promise import DurablePromise
from durable_execution_sdk._drivers.aio.run import Run
from durable_execution_sdk._drivers.aio.scopes import TaskScope
from durable_execution_sdk._drivers.aio.started import (
    Started,
    StartedBackend,
    StartedCallback,
    StartedResult,
    StartedScope,
    encode,
    replayed,
)
from durable_execution_sdk._drivers.codec import Codec
from durable_execution_sdk._drivers.context import require_condition, require_seconds
from durable_execution_sdk._model.checks import (
    check_callable,
    check_config,
    check_function_name,
    check_name,
    check_optional_serdes,
)
from durable_execution_sdk._model.config import (
    CallbackConfig,
    ChildConfig,
    InvokeConfig,
    StepConfig,
    WaitForCallbackConfig,
)
from durable_execution_sdk._model.contexts import StepContext, WaitForCallbackContext, WaitForConditionCheckContext
from durable_execution_sdk._model.duration import DurationLike
from durable_execution_sdk._model.enums import OperationSubType, OperationType
from durable_execution_sdk._model.errors import ChildContextError
from durable_execution_sdk._model.homes import public
from durable_execution_sdk._model.strategies import WaitForConditionConfig
from durable_execution_sdk._model.updates import OperationIdentifier, OperationUpdate, identify
from durable_execution_sdk._operations.callback import CallbackOperation, callback_result, submission_error
from durable_execution_sdk._operations.condition import ConditionOperation
from durable_execution_sdk._operations.invoke import InvokeOperation
from durable_execution_sdk._operations.step import StepOperation
from durable_execution_sdk._operations.wait import WaitOperation
from durable_execution_sdk._policy.naming import BOUND_NAME, callback_name, submitter_name
from durable_execution_sdk._policy.retry import RetryPresets
from durable_execution_sdk._serdes.text import DEFAULT_JSON_SERDES, EXTENDED_TYPES_SERDES, PASS_THROUGH_SERDES

Lane: TypeAlias = Deliveries | ClosedLane
T = TypeVar("T")
P = TypeVar("P")
R = TypeVar("R")


@public("aio")
class AsyncDurableContext(AsyncConcurrentScope):
    """What an `async def` handler, child context or branch does durable things with.

    You never make one: the decorated handler gets it as its second argument. Every operation takes its id and starts at
    the call, and returns a `DurablePromise`. Tasks (`gather`, `TaskGroup`, `create_task`) may use the context of the
    function they were started in; each numbers its operations for itself, so replays agree whatever the timing.
    """

    __slots__ = ("_lane", "own_scope", "run")

    run: Run
    own_scope: TaskScope

    def __init__(
        self, *args: Any, parent: AsyncDurableContext | None = None, run: Run | None = None, **kw: Any
    ) -> None:
        super().__init__(*args, parent=parent, **kw)
        if run is None:
            assert parent is not None  # only the root is made with a run
            run = parent.run
        self.run = run
        self._lane: Lane = run.order
        run.contexts.add(self)

    def end(self) -> None:
        """The handler is parked: user code that still holds this context keeps no history alive through it."""
        self.close_lane()
        self.state = self.scope = self.own_scope = ENDED
        self.parent = self._logger = None
        self._lane = _CLOSED_LANE

    # --- operations ---

    @overload
    def step(
        self, func: Callable[[StepContext], Awaitable[T]], name: str | None = None, config: StepConfig | None = None
    ) -> DurablePromise[T]: ...
    @overload
    def step(
        self, func: Callable[[StepContext], T], name: str | None = None, config: StepConfig | None = None
    ) -> DurablePromise[T]: ...
    def step(
        self, func: Callable[[StepContext], Any], name: str | None = None, config: StepConfig | None = None
    ) -> Any:
        """Run a function once and record its result; a replay returns what is recorded.

        Args:
            func: Called with a `StepContext`. `async def` runs on the loop, `def` on a thread.
            name: Shown in the history. Default: the name of a function decorated with `durable_step`, else none.
            config: Retry strategy, guarantee per attempt, serdes, subtype.

        Returns:
            A promise of what `func` returned, after one round trip through the serdes. It raises `StepError` when every
            attempt failed, `SerDesError` when the result cannot be written or read.

        Example:
            >>> total = await ctx.step(price, name="price")
        """
        name = name or getattr(func, BOUND_NAME, None)
        if config is not None:
            check_config(config, StepConfig)
        if self.default_serdes is None and (config is None or (config.serdes is None and not config.sub_type)):
            promise = self._lane.step(self, name)
            if promise is not None:
                return promise
        return self._step(func, name, config)

    def wait(self, duration: DurationLike, name: str | None = None) -> DurablePromise[None]:
        """Wait without paying for compute: with nothing else to do, the invocation is suspended.

        Args:
            duration: At least one second; a `timedelta` or a mapping such as `{"minutes": 5}` will do.
            name: Shown in the history.

        Raises:
            ValidationError: It is shorter than a second, or longer than 366 days (Lambda API).

        Example:
            >>> await ctx.wait(Duration.from_hours(1), name="settlement")
        """
        seconds = require_seconds(duration)
        scope = self._caller("ctx.wait")
        recorded = replayed(self, scope, self._lane.wait, scope.lane.replay_wait, name)
        if recorded is not None:
            return recorded
        identity, position = self._begin(scope, OperationType.WAIT, _WAIT_TYPE, name)
        op = WaitOperation(identity, seconds)
        codec = self._codec(identity, None, PASS_THROUGH_SERDES)
        return self._launch(scope, StartedBackend(self.run, op, position, codec, op.start))

    @overload
    def run_in_child_context(
        self,
        func: Callable[[AsyncDurableContext], Awaitable[T]],
        name: str | None = None,
        config: ChildConfig[Any] | None = None,
    ) -> DurablePromise[T]: ...
    @overload
    def run_in_child_context(
        self, func: Callable[[Any], T], name: str | None = None, config: ChildConfig[Any] | None = None
    ) -> DurablePromise[T]: ...
    def run_in_child_context(
        self, func: Callable[[Any], Any], name: str | None = None, config: ChildConfig[Any] | None = None
    ) -> Any:
        """Group operations under a context of their own, with ids of their own, and record the result.

        Args:
            func: Called with the child's context; it must use that one for its operations.
            name: Shown in the history. Default: the name of a function decorated with `durable_with_child_context`.
            config: Serdes, subtype, summary of large results, virtual contexts, error mapping.

        Returns:
            A promise of what `func` returned; it raises `ChildContextError` if `func` raised.

        Example:
            >>> receipt = await ctx.run_in_child_context(settle_batch, name="batch-7")
        """
        name = name or getattr(func, BOUND_NAME, None)
        check_callable("func", func)
        check_config(config, ChildConfig)
        config = config or _CHILD
        scope = self._caller("ctx.run_in_child_context")
        if config.serdes is None and not config.sub_type and not config.is_virtual:
            recorded = replayed(self, scope, self._lane.child, scope.lane.replay_child, name)
            if recorded is not None:
                return recorded
        return self._child(scope, func, name, config, config.sub_type or _CHILD_TYPE, config.error_mapper)

    def invoke(
        self,
        function_name: str,
        payload: Any = None,
        name: str | None = None,
        config: InvokeConfig[Any, R] | None = None,
    ) -> DurablePromise[R]:
        """Call another Lambda function, durable or not.

        Args:
            function_name: Name or ARN.
            payload: Anything plain JSON can hold; default: None.
            name: Shown in the history.
            config: Serdes of payload and result, tenant id.

        Returns:
            A promise of its result; it raises `InvokeError` if the function failed, timed out or was stopped.

        Example:
            >>> score = await ctx.invoke("credit-check:live", {"customer": 7}, name="credit")
        """
        check_function_name(function_name)
        check_config(config, InvokeConfig)
        scope = self._caller("ctx.invoke")
        settings: InvokeConfig[Any, R] = config or InvokeConfig()
        if settings.serdes_result is None:
            recorded = replayed(self, scope, self._lane.invoke, scope.lane.replay_invoke, name)
            if recorded is not None:
                return recorded
        identity, position = self._begin(scope, OperationType.CHAINED_INVOKE, _INVOKE_TYPE, name)
        op = InvokeOperation(identity, function_name, settings.tenant_id)
        outgoing = self._codec(identity, settings.serdes_payload, DEFAULT_JSON_SERDES)

        async def start() -> OperationUpdate:
            text = await encode(outgoing, payload)
            outgoing.require_sendable(text)
            hooks = self.state.hooks
            return op.start(text, None if hooks is None else hooks.trace_header(identity, function_name))

        codec = self._codec(identity, settings.serdes_result, DEFAULT_JSON_SERDES)
        return self._launch(scope, StartedBackend(self.run, op, position, codec, start))

    def create_callback(
        self, name: str | None = None, config: CallbackConfig | None = None
    ) -> DurablePromise[AsyncCallback[Any]]:
        """Ask the service for a callback id that somebody outside completes.

        Args:
            name: Shown in the history.
            config: Timeouts and the serdes that reads the result (default: the text as it came).

        Returns:
            A promise of a handle: hand out its `callback_id`, then await `result()`.

        Example:
            >>> promise, callback_id = await ctx.create_callback("approval")
            >>> await ctx.step(lambda step: mail(callback_id), name="ask")
            >>> answer = await promise
        """
        check_config(config, CallbackConfig)
        settings = config or _CALLBACK
        scope = self._caller("ctx.create_callback")
        identity, position = self._begin(
            scope, OperationType.CALLBACK, settings.sub_type or OperationSubType.CALLBACK.value, name
        )
        op = CallbackOperation(identity, settings.timeout_seconds, settings.heartbeat_timeout_seconds)
        codec = Codec(settings.serdes or self.callback_serdes or PASS_THROUGH_SERDES, self.state, identity)
        started: StartedCallback[AsyncCallback[Any]] = StartedCallback(self.run, op, position, codec, op.start)

        def result() -> DurablePromise[Any]:
            waiting: StartedResult[Any] = StartedResult(
                self.run, identity, codec, lambda record: callback_result(identity.operation_id, record)
            )
            self.run.start(waiting, self)
            return waiting.promise

        started.made = lambda callback_id: AsyncCallback(callback_id, result)
        return self._launch(scope, started)

    def wait_for_callback(
        self,
        submitter: Callable[[str, WaitForCallbackContext], Any],
        name: str | None = None,
        config: WaitForCallbackConfig | None = None,
    ) -> DurablePromise[Any]:
        """Create a callback, hand its id out in a retried step, and wait until somebody completes it.

        Args:
            submitter: Called with the callback id and a `WaitForCallbackContext`, as a step; `def` or `async def`.
            name: Shown in the history. Default: the name of a function decorated with `durable_wait_for_callback`.
            config: Timeouts, serdes, retry strategy of the submitter.

        Returns:
            A promise of the callback's result. It raises `CallbackExternalError`, `CallbackTimeoutError` or
            `CallbackSubmitterError`.

        Example:
            >>> answer = await ctx.wait_for_callback(mail, name="approval")
        """
        check_callable("submitter", submitter)
        check_config(config, WaitForCallbackConfig)
        name = name or getattr(submitter, BOUND_NAME, None)
        settings = config or WaitForCallbackConfig()
        serdes: Any = settings.serdes if hasattr(settings.serdes, "serialize") else None

        async def body(child: AsyncDurableContext) -> Any:
            callback = await child.create_callback(callback_name(name), settings)

            async def submit(step: StepContext) -> Any:
                context = WaitForCallbackContext(logger=step.logger)
                return await call_any(self.run.workers, submitter, callback.callback_id, context)

            await child.step(
                submit, submitter_name(name), StepConfig(retry_strategy=settings.retry_strategy, serdes=serdes)
            )
            return await callback.result()

        scope = self._caller("ctx.wait_for_callback")
        sub_type = OperationSubType.WAIT_FOR_CALLBACK.value
        return self._child(scope, body, name, _CHILD, sub_type, submission_error)

    def wait_for_condition(
        self,
        check: Callable[[T, WaitForConditionCheckContext], Any],
        config: WaitForConditionConfig[T],
        name: str | None = None,
    ) -> DurablePromise[T]:
        """Call `check` until the wait strategy is content.

        Args:
            check: Gets the last state and a context, returns the next state; `def` or `async def`.
            config: Wait strategy, initial state, serdes.
            name: Shown in the history.

        Returns:
            A promise of the state that the strategy stopped at. It raises `WaitForConditionError` if `check` or the
            strategy raised, or the strategy gave up.

        Raises:
            ValidationError: `check` or `config` is missing.

        Example:
            >>> job = await ctx.wait_for_condition(fetch, config, name="job done")
        """
        require_condition(check, config)
        scope = self._caller("ctx.wait_for_condition")
        sub_type = OperationSubType.WAIT_FOR_CONDITION.value
        if config.serdes is None:
            recorded = replayed(self, scope, self._lane.condition, scope.lane.replay_condition, name)
            if recorded is not None:
                return recorded

        async def one_check(before: Any, attempt: int) -> Any:
            context = WaitForConditionCheckContext(self.operation_logger(identity, attempt), attempt)
            return await call_any(self.run.workers, check, before, context)

        identity, position = self._begin(scope, OperationType.STEP, sub_type, name)
        started: Started[T] = StartedCondition(
            self.run,
            ConditionOperation(identity),
            position,
            self._codec(identity, config.serdes, EXTENDED_TYPES_SERDES),
            one_check,
            config.initial_state,
            config.wait_strategy,
        )
        return self._launch(scope, started)

    @property
    def promise(self) -> Combinators:
        """Combinations of promises, whose outcome is recorded: `all`, `all_settled`, `any`, `race`, `timeout`."""
        return Combinators(self)

    # --- about the context ---

    def is_replaying(self) -> bool:
        """Whether the calling task is still repeating what an earlier invocation did."""
        return self.scope.replaying

    @property
    def is_virtual(self) -> bool:
        """Whether this context leaves no operation of its own in the history (virtual children, FLAT branches)."""
        return (self.scope.prefix or None) != (self.scope.parent_id or None)

    def configure_serdes(self, default_serdes: Any = None, default_callback_deserializer: Any = None) -> None:
        """Change what this context, and those created in it later, write and read values with.

        Args:
            default_serdes: For steps, child contexts, invokes and conditions that name none; None leaves it as it is.
            default_callback_deserializer: For the results of callbacks; None leaves it as it is.
        """
        check_optional_serdes("default_serdes", default_serdes)
        check_optional_serdes("default_callback_deserializer", default_callback_deserializer, ("deserialize",))
        if default_serdes is not None:
            self.default_serdes = default_serdes
        if default_callback_deserializer is not None:
            self.callback_serdes = default_callback_deserializer

    @property
    def parent_id(self) -> str | None:
        """The ParentId that its operations carry."""
        return self.scope.parent_id

    # --- how an operation starts ---

    def _caller(self, what: str) -> TaskScope:
        return self.run.scope_of_caller(self, what)

    def _begin(
        self, scope: TaskScope, kind: OperationType, sub_type: str, name: str | None
    ) -> tuple[OperationIdentifier, int]:
        check_name(name)
        operation_id = scope.core.begin(kind.value)
        identity = identify(operation_id, kind, sub_type, scope.core.parent_id, name)
        return identity, scope.core.position

    def _step(self, func: Callable[[StepContext], Any], name: str | None, config: StepConfig | None) -> Any:
        # Apart from `step`, which is called for every finished step and pays for the variables of inner functions.
        check_callable("func", func)
        scope = self._caller("ctx.step")
        config = config or _STEP
        if config.serdes is None and not config.sub_type:
            recorded = replayed(self, scope, self._lane.step, scope.lane.replay_step, name)
            if recorded is not None:
                return recorded

        async def body(attempt: int) -> Any:
            context = StepContext(self.operation_logger(identity, attempt), attempt)
            return await call_any(self.run.workers, func, context)

        identity, position = self._begin(scope, OperationType.STEP, config.sub_type or _STEP_TYPE, name)
        started: Started[Any] = StartedStep(
            self.run,
            StepOperation(identity, config.step_semantics),
            position,
            self._codec(identity, config.serdes, EXTENDED_TYPES_SERDES),
            body,
            config.retry_strategy or _DEFAULT_RETRY,
        )
        return self._launch(scope, started)

    def _launch(self, scope: TaskScope, started: Started[T]) -> DurablePromise[T]:
        self.run.start(started, self)
        scope.core.end(started.identity.operation_id)
        return started.promise

    def _child(
        self,
        scope: TaskScope,
        func: Callable[[Any], Any],
        name: str | None,
        config: ChildConfig[Any],
        sub_type: str,
        mapper: Callable[[ChildContextError], Exception] | None,
    ) -> DurablePromise[Any]:
        identity, position = self._begin(scope, OperationType.CONTEXT, sub_type, name)
        child = self.create_child_context(
            identity.operation_id, is_virtual=config.is_virtual, replaying=scope.core.replaying
        )

        async def body(_: Any) -> Any:
            return await run_body(child, func)

        def own(coroutine: object) -> None:
            child.own_scope = self.run.scopes.own(coroutine, child, child.scope)

        started: StartedScope[Any] = StartedScope(
            self.run,
            self.state.child_operation(identity, is_virtual=config.is_virtual),
            position,
            self._codec(identity, config.serdes, EXTENDED_TYPES_SERDES),
            body,
            config.summary_generator,
            own,
            lambda: self.run.abandon(child),
        )
        started.owner = child
        started.mapper = mapper
        return self._launch(scope, started)

    def _codec(self, identity: OperationIdentifier, own: Any, otherwise: Any) -> Codec:
        return Codec(own or self.default_serdes or otherwise, self.state, identity)


_CLOSED_LANE = ClosedLane()
_STEP = StepConfig()
_DEFAULT_RETRY = RetryPresets.default()
_CHILD: ChildConfig[Any] = ChildConfig()
_CALLBACK = CallbackConfig()
_STEP_TYPE = OperationSubType.STEP.value
_WAIT_TYPE = OperationSubType.WAIT.value
_CHILD_TYPE = OperationSubType.RUN_IN_CHILD_CONTEXT.value
_INVOKE_TYPE = OperationSubType.CHAINED_INVOKE.value
