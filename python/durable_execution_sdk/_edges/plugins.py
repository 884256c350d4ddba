"""The plugins of one invocation: when each hook is called, and how plugins are kept from doing harm."""

from __future__ import annotations

import copy
import datetime
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from durable_execution_sdk._core import Record, Scope
from durable_execution_sdk._drivers.hooks import InvocationFacts
from durable_execution_sdk._model.enums import OperationAction, OperationStatus
from durable_execution_sdk._model.errors import ErrorObject
from durable_execution_sdk._model.plugin import (
    DurableInstrumentationPlugin,
    DurableInstrumentationPluginFactory,
    InvocationEndInfo,
    InvocationStartInfo,
    InvocationStatus,
    OperationChangeInfo,
    OperationEndInfo,
    OperationInfo,
    OperationStartInfo,
    OperationType,
    PropagationInput,
    UserFunctionEndInfo,
    UserFunctionOutcome,
    UserFunctionStartInfo,
)
from durable_execution_sdk._model.updates import OperationIdentifier, OperationUpdate

if TYPE_CHECKING:
    from durable_execution_sdk._operations.batch import BatchOperation

_logger = logging.getLogger("durable_execution_sdk")

_ENDS_THE_PROCESS = (KeyboardInterrupt, SystemExit, GeneratorExit)


def _must_pass(error: BaseException) -> bool:
    """Whether it ends the process's work, so that no isolation may hold it back."""
    if isinstance(error, BaseExceptionGroup):
        return any(_must_pass(inner) for inner in error.exceptions)
    return isinstance(error, _ENDS_THE_PROCESS)


def _time(ms: int | None) -> datetime.datetime | None:
    return None if ms is None else datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC)


def _describe(record: Record, kind: type[OperationInfo], *, is_replayed: bool) -> Any:
    return kind(
        operation_id=record.operation_id,
        operation_type=OperationType(record.operation_type),
        sub_type=record.sub_type,
        name=record.name,
        parent_id=record.parent_id,
        start_time=_time(record.start_ms),
        is_replayed=is_replayed,
        status=OperationStatus(record.status),
        end_time=_time(record.end_ms),
        result=record.result,
        error=None if record.error is None else ErrorObject(*record.error),
        attempt=record.attempt if record.operation_type == "STEP" else None,
    )


class InvocationPlugins:
    """Implements the drivers' `Hooks` for the plugins of one invocation."""

    def __init__(self, factories: Sequence[DurableInstrumentationPluginFactory], facts: InvocationFacts) -> None:
        self._factories = factories
        self._facts = facts
        self._plugins: list[DurableInstrumentationPlugin] = []
        self._start: InvocationStartInfo | None = None
        self._lock = threading.Lock()
        updated = set(facts.updated_operation_ids)
        self._operations: dict[str, OperationInfo] = {}
        self._settled: set[str] = set()
        """Operations whose end was told, or is old news."""
        for record in facts.journal.records():
            self._operations[record.operation_id] = _describe(record, OperationInfo, is_replayed=True)
            if record.is_terminal and record.operation_id not in updated:
                self._settled.add(record.operation_id)
        self._begun: set[str] = set()
        self._unsettled: list[str] = []
        self._changes: _ChangeThread | None = None

    def lane(self, scope: Scope) -> None:
        """Plugins are told of every operation, so none takes the lane."""

    # --- the invocation ---

    def invocation_started(self) -> None:
        """Make the plugins and tell them."""
        facts = self._facts
        execution = facts.execution
        try:
            given = copy.deepcopy(facts.event_input)
        except Exception:
            _logger.exception("the input cannot be copied for plugins; they see None")
            given = None
        operations = dict(self._operations)
        self._start = InvocationStartInfo(
            getattr(facts.lambda_context, "aws_request_id", None),
            facts.arn,
            facts.is_first,
            None if execution is None else _time(execution.start_ms),
            execution_input=given,
            operations=operations,
            updated_operations={id_: operations[id_] for id_ in facts.updated_operation_ids if id_ in operations},
        )
        for factory in self._factories:
            made = self._contained(factory, factory.create_plugin, self._start)
            if made is not None:
                self._plugins.append(made)
        self._each("on_invocation_start", self._start)

    def invocation_ended(self, output: Mapping[str, Any] | None, error: BaseException | None) -> None:
        """Tell what is still to be told, then the end."""
        for operation_id in self._unsettled:
            self.operation_ended(operation_id)
        if self._changes is not None:
            self._changes.join()
        start = self._start
        if start is None:
            return
        if output is None:
            status, result = InvocationStatus.RETRY, None
            failure = None if error is None else ErrorObject.from_exception(error)
        else:
            status, result = InvocationStatus(output["Status"]), output.get("Result")
            failure = ErrorObject.from_dict(output["Error"]) if output.get("Error") else None
        self._each(
            "on_invocation_end",
            InvocationEndInfo(
                start.request_id,
                start.execution_arn,
                start.is_first_invocation,
                start.execution_start_time,
                failure,
                execution_input=start.execution_input,
                operations=self._snapshot(),
                status=status,
                execution_result=result,
            ),
        )

    def around_invocation(self) -> AbstractContextManager[None]:
        """Entered around the handler."""
        return self._wrapped("wrap_invocation", self._start)

    # --- operations ---

    def operation_attempted(self, identity: OperationIdentifier, is_virtual: bool) -> None:
        """Plugins hear of operations when they are met or started."""

    def batch_entered(self, batch: BatchOperation) -> None:
        """Plugins hear of the context that a batch is."""

    def task_scope_opened(self, prefix: str, creator: str | None, qualname: str, ordinal: int) -> None:
        """Plugins do not hear of tasks."""

    def operation_met(self, record: Record) -> None:
        """The code has reached an operation that is recorded."""
        if record.is_terminal or record.status == "READY":
            return
        with self._lock:
            if record.operation_id in self._begun:
                return
            self._begun.add(record.operation_id)
        info = _describe(record, OperationStartInfo, is_replayed=True)
        self._each("on_operation_start", info)

    def operation_starting(self, update: OperationUpdate) -> None:
        """A START is about to be queued."""
        if update.action is not OperationAction.START:
            return
        with self._lock:
            known = self._operations.get(update.operation_id)
            self._begun.add(update.operation_id)
        self._each(
            "on_operation_start",
            OperationStartInfo(
                operation_id=update.operation_id,
                operation_type=OperationType(update.operation_type.value),
                sub_type=update.sub_type,
                name=update.name,
                parent_id=update.parent_id,
                start_time=None if known is None else known.start_time,
                is_replayed=known is not None,
                status=OperationStatus.STARTED,
            ),
        )

    def operation_ended(self, operation_id: str) -> None:
        """The end of an operation is observed; it is told once."""
        record = self._facts.journal.find(operation_id)
        if record is None or not record.is_terminal:
            return
        with self._lock:
            if operation_id in self._settled:
                return
            self._settled.add(operation_id)
        self._each("on_operation_end", _describe(record, OperationEndInfo, is_replayed=False))

    def scope_ended(self, identity: OperationIdentifier, error: Exception | None, replayed: bool) -> None:
        """A context that records nothing now has ended."""
        self._each(
            "on_operation_end",
            OperationEndInfo(
                operation_id=identity.operation_id,
                operation_type=OperationType(identity.operation_type.value),
                sub_type=identity.sub_type,
                name=identity.name,
                parent_id=identity.parent_id,
                start_time=None,
                is_replayed=replayed,
                status=OperationStatus.SUCCEEDED if error is None else OperationStatus.FAILED,
                end_time=datetime.datetime.now(datetime.UTC),
                error=None if error is None else ErrorObject.from_exception(error),
            ),
        )

    @contextmanager
    def around_body(self, identity: OperationIdentifier, attempt: int | None, reconstruct: bool) -> Iterator[None]:
        """Entered around user code; how it ended is seen by the exception."""
        info = UserFunctionStartInfo(
            operation_id=identity.operation_id,
            operation_type=OperationType(identity.operation_type.value),
            sub_type=identity.sub_type,
            name=identity.name,
            parent_id=identity.parent_id,
            start_time=datetime.datetime.now(datetime.UTC),
            is_replayed=False,
            status=OperationStatus.STARTED,
            attempt=attempt,
            is_replay_children=reconstruct,
        )
        self._each("on_user_function_start", info)
        wrap = "wrap_child_context" if info.operation_type is OperationType.CONTEXT else "wrap_operation_attempt"
        error: ErrorObject | None = None
        outcome = UserFunctionOutcome.SUCCEEDED
        try:
            with self._wrapped(wrap, info):
                yield
        except Exception as problem:
            outcome, error = UserFunctionOutcome.FAILED, ErrorObject.from_exception(problem)
            raise
        except BaseException:
            outcome = UserFunctionOutcome.INCOMPLETE
            raise
        finally:
            now = datetime.datetime.now(datetime.UTC)
            ended = UserFunctionEndInfo.from_start_info(info, error, outcome=outcome, end_time=now)
            self._each("on_user_function_end", ended)

    def records_changed(self, operation_ids: Sequence[str]) -> None:
        """An answer was merged: note what has ended, and pass the changes on."""
        changed: dict[str, OperationInfo] = {}
        with self._lock:
            for operation_id in operation_ids:
                record = self._facts.journal.find(operation_id)
                if record is None:
                    continue
                info: OperationInfo = _describe(record, OperationInfo, is_replayed=False)
                before = self._operations.get(operation_id)
                self._operations[operation_id] = info
                if before is None or before.status is not info.status:
                    changed[operation_id] = info
                if record.is_terminal and operation_id not in self._settled:
                    self._unsettled.append(operation_id)
        if changed and self._listens("on_operation_change"):
            if self._changes is None:
                self._changes = _ChangeThread(self._tell_changes)
            self._changes.put(changed)

    def trace_header(self, identity: OperationIdentifier, function_name: str) -> str | None:
        """The first trace header that a plugin has."""
        asked = PropagationInput(self._facts.arn, identity.operation_id, function_name, identity.parent_id)
        for plugin in self._plugins:
            metadata = self._contained(plugin, plugin.provide_propagation_metadata, asked)
            header = getattr(metadata, "x_amzn_trace_id", None)
            if isinstance(header, str) and header.strip():
                return header
        return None

    def log_fields(self) -> Mapping[str, object]:
        """What plugins add to log records; earlier plugins win."""
        fields: dict[str, object] = {}
        for plugin in reversed(self._plugins):
            more = self._contained(plugin, plugin.enrich_log_context)
            if isinstance(more, Mapping):
                fields.update(more)
        return fields

    def branch_context(self) -> AbstractContextManager[None]:
        """Branches run in copies of the coordinator's context variables already."""
        return nullcontext()

    # --- isolation ---

    def _contained(self, whose: object, call: Callable[..., Any], *args: Any) -> Any:
        try:
            return call(*args)
        except BaseException as error:
            if _must_pass(error):
                raise
            _logger.exception("plugin %r failed; it is ignored", type(whose).__qualname__)
            return None

    def _each(self, hook: str, info: Any) -> None:
        for plugin in self._plugins:
            self._contained(plugin, getattr(plugin, hook, _nothing), info)

    def _listens(self, hook: str) -> bool:
        base = getattr(DurableInstrumentationPlugin, hook)
        return any(getattr(type(plugin), hook, base) is not base for plugin in self._plugins)

    @contextmanager
    def _wrapped(self, hook: str, info: Any) -> Iterator[None]:
        """Enter what the plugins wrap around the code; neither it nor its failures change the outcome."""
        if not self._listens(hook):
            yield
            return
        entered: list[tuple[object, AbstractContextManager[Any]]] = []
        with ExitStack() as stack:
            for plugin in self._plugins:
                manager = self._contained(plugin, getattr(plugin, hook, _nothing), info)
                if manager is None:
                    continue
                if self._contained(plugin, _enter, manager):
                    entered.append((plugin, manager))
            stack.push(lambda *outcome: self._leave(entered, *outcome))
            yield

    def _leave(self, entered: list[tuple[object, AbstractContextManager[Any]]], *outcome: Any) -> None:
        for plugin, manager in reversed(entered):
            try:
                manager.__exit__(*outcome)
            except BaseException as error:
                if error is outcome[1]:
                    continue
                if _must_pass(error):
                    raise
                _logger.exception("plugin %r failed; it is ignored", type(plugin).__qualname__)

    def _snapshot(self) -> dict[str, OperationInfo]:
        with self._lock:
            return dict(self._operations)

    def _tell_changes(self, changed: dict[str, OperationInfo]) -> None:
        self._each("on_operation_change", OperationChangeInfo(self._facts.arn, changed, self._snapshot()))


class _ChangeThread:
    """Tells plugins of changes on a thread of its own; what comes meanwhile is merged into one call."""

    def __init__(self, tell: Callable[[dict[str, OperationInfo]], None]) -> None:
        self._tell = tell
        self._condition = threading.Condition()
        self._pending: dict[str, OperationInfo] = {}
        self._closing = False
        self._thread: threading.Thread | None = threading.Thread(target=self._run, name="plugin-change", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            _logger.warning("no thread for plugin changes; they are told at the end", exc_info=True)
            self._thread = None

    def put(self, changed: dict[str, OperationInfo]) -> None:
        """Something changed."""
        with self._condition:
            self._pending.update(changed)
            self._condition.notify()

    def join(self) -> None:
        """Tell the rest and end."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        if self._thread is not None:
            self._thread.join()
        if self._pending:
            self._tell(self._pending)

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._pending and not self._closing:
                    self._condition.wait()
                changed, self._pending = self._pending, {}
                if not changed:
                    return
            self._tell(changed)


def _enter(manager: AbstractContextManager[Any]) -> bool:
    manager.__enter__()
    return True


def _nothing(_: Any) -> None:
    return None
