"""What a context is to the operations made in it: ids, replay flag, lane, serdes, logger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import CoroutineType
from typing import Any, Self

from durable_execution_sdk._core import Scope
from durable_execution_sdk._drivers.bodies import settle
from durable_execution_sdk._drivers.hooks import CLOSED_LANE, Lane
from durable_execution_sdk._drivers.logger import ROOT_LOGGER, DurableLogData, Logger, LoggerConfig, LogInfo
from durable_execution_sdk._drivers.state import ExecutionState
from durable_execution_sdk._drivers.strand import Strand
from durable_execution_sdk._model.contexts import LoggerInterface
from durable_execution_sdk._model.homes import public
from durable_execution_sdk._model.updates import OperationIdentifier
from durable_execution_sdk._model.values import Value


class _LogData:
    """A context's fields, and those of the invocation that Lambda's own logger would add."""

    def __init__(self, logger: Logger, lambda_context: Any) -> None:
        self._logger = logger
        self._lambda_context = lambda_context

    def get_durable_log_data(self) -> DurableLogData:
        """Where the code is now."""
        data = self._logger.get_durable_log_data()
        request_id = getattr(self._lambda_context, "aws_request_id", None)
        tenant_id = getattr(self._lambda_context, "tenant_id", None)
        if request_id:
            data["requestId"] = request_id
        if tenant_id:
            data["tenantId"] = tenant_id
        return data


@public("context")
@dataclass(frozen=True, eq=False, repr=False)
class ExecutionContext(Value):
    """Read-only facts about the execution, reached as `ctx.execution_context`."""

    durable_execution_arn: str


class OperationScope:
    """Where operations are made. `DurableContext` adds the operations.

    The lane (`_lane_...`) answers from the record of a finished operation, or says `MISS`. It is closed where its
    answer could differ: with plugins, with a default serdes, and once the strand has ended.
    """

    __slots__ = (
        "__weakref__",
        "_lane_child",
        "_lane_condition",
        "_lane_invoke",
        "_lane_step",
        "_lane_wait",
        "_log_during_replay",
        "_log_target",
        "_logger",
        "callback_serdes",
        "default_serdes",
        "execution_context",
        "lambda_context",
        "parent",
        "scope",
        "state",
        "strand",
    )

    def __init__(
        self,
        state: ExecutionState,
        scope: Scope,
        lambda_context: Any,
        execution_context: ExecutionContext,
        *,
        parent: OperationScope | None = None,
        strand: Strand | None = None,
    ) -> None:
        self.state = state
        self.execution_context = execution_context
        self.lambda_context = lambda_context
        self.scope = scope
        self.parent = parent
        self.strand = Strand() if strand is None else strand
        self._logger: Logger | None = None
        if parent is None:
            self.default_serdes: Any = None
            self.callback_serdes: Any = None
            self._log_target: LoggerInterface = ROOT_LOGGER
            self._log_during_replay = False
        else:
            self.default_serdes = parent.default_serdes
            self.callback_serdes = parent.callback_serdes
            self._log_target = parent._log_target
            self._log_during_replay = parent._log_during_replay
        if state.hooks is None:
            self._open_lane(scope)
        else:
            self._open_lane(state.hooks.lane(scope) or CLOSED_LANE)
        if self.default_serdes is not None:
            self.close_lane()

    def create_child_context(
        self,
        operation_id: str,
        *,
        is_virtual: bool = False,
        replaying: bool | None = None,
        strand: Strand | None = None,
    ) -> Self:
        """A context for the operations inside `operation_id`; used by the operations themselves, not by users.

        Args:
            operation_id: Prefix of the ids in it.
            is_virtual: Its operations name this context's parent as theirs.
            replaying: Default: whether this context is.
            strand: The line of code that runs in it, for branches; default: that of this context.
        """
        parent_id = self.scope.parent_id if is_virtual else operation_id
        flag = self.scope.replaying if replaying is None else replaying
        return type(self)(
            self.state,
            self.state.journal.scope(operation_id, parent_id, flag),
            self.lambda_context,
            self.execution_context,
            parent=self,
            strand=self.strand if strand is None else strand,
        )

    # --- logging ---

    @property
    def logger(self) -> Logger:
        """Logs with the execution's ARN and the context's id as `extra`; silent during replay."""
        if self._logger is None:
            info = LogInfo(self.state, self.scope.parent_id)
            self._logger = Logger.from_log_info(self._log_target, info, self._silence())
        return self._logger

    def set_logger(self, new_logger: LoggerInterface) -> None:
        """Log to `new_logger` from now on, in this context and in those created in it later."""
        self.configure_logger(new_logger)

    def configure_logger(
        self, custom_logger: LoggerInterface | LoggerConfig | None = None, mode_aware: bool | None = None
    ) -> None:
        """Change where this context, and those created in it later, log to, and whether replays are silent.

        Args:
            custom_logger: Receives the records; None leaves it as it is. A `LoggerConfig` says both at once. A method
                `configure_durable_logging_context` of it, if there is one, is called with what tells the fields.
            mode_aware: False logs during replay too, True does not; None leaves it as it is (default: True).
        """
        if isinstance(custom_logger, LoggerConfig):
            mode_aware = custom_logger.mode_aware if mode_aware is None else mode_aware
            custom_logger = custom_logger.custom_logger
        if mode_aware is not None:
            self._log_during_replay = not mode_aware
        self._logger = None
        if custom_logger is not None:
            self._log_target = custom_logger
            introduce = getattr(custom_logger, "configure_durable_logging_context", None)
            if introduce is not None:
                introduce(_LogData(self.logger, self.lambda_context))

    # --- for the drivers ---

    def run_body(self, func: Callable[[Self], Any]) -> Any:
        """Call a body with this context; a signal that it swallowed is raised again."""
        value = func(self)
        if isinstance(value, CoroutineType):
            value = settle(value)
        if self.strand.signal is not None:
            raise self.strand.signal
        return value

    def close_lane(self) -> None:
        """Have every operation go the long way from now on."""
        self._open_lane(CLOSED_LANE)

    def _open_lane(self, lane: Lane) -> None:
        self._lane_step = lane.replay_step
        self._lane_wait = lane.replay_wait
        self._lane_child = lane.replay_child
        self._lane_invoke = lane.replay_invoke
        self._lane_condition = lane.replay_condition

    def operation_logger(self, identity: OperationIdentifier, attempt: int) -> Logger:
        """The logger for a body."""
        state = self.state
        place = partial(LogInfo.from_operation_identifier, state, identity, attempt)
        return Logger.at(place, state.hooks, self._log_target, self._silence())

    def _silence(self) -> Callable[[], bool]:
        """Tells whether a logger made now keeps quiet."""
        scope, aloud = self.scope, self._log_during_replay
        return lambda: scope.replaying and not aloud
