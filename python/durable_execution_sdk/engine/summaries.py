"""What users are shown of executions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from durable_execution_sdk._model.homes import public
from durable_execution_sdk.engine.records import PAUSED, Ended, ExecutionRecord


@public("engine")
@dataclass(frozen=True, slots=True)
class ExecutionSummary:
    """What an engine knows of an execution, apart from its operations.

    Attributes:
        arn: Names it everywhere.
        execution_id: The last part of the ARN.
        name: Unique among the executions of its function; the execution id if none was given.
        function_name: The handler's name, or the name it was registered under.
        target: `module:attribute` of the handler, if it can be imported.
        status: RUNNING, PAUSED, SUCCEEDED, FAILED, TIMED_OUT or STOPPED.
        start_ms: When it was started, in milliseconds since the epoch.
        end_ms: When it ended, or None.
        operations: How many operations it has.
        finished: How many of them have ended.
        invocations: How often its handler was invoked.
        driver_pid: The process that drives it at the moment, or None.
        parent_execution_id: The id of the execution that invoked it, or None.
        input_json: Its input, as the JSON text that was given.
        result_json: Its result as JSON text, if it has one.
        error_json: Its error object as JSON text, if it has one.
    """

    arn: str
    execution_id: str
    name: str
    function_name: str
    target: str | None
    status: str
    start_ms: int
    end_ms: int | None
    operations: int
    finished: int
    invocations: int
    driver_pid: int | None
    parent_execution_id: str | None
    input_json: str | None = None
    result_json: str | None = None
    error_json: str | None = None

    @property
    def is_ended(self) -> bool:
        """Whether it has a final status."""
        return self.end_ms is not None


@public("engine")
@dataclass(frozen=True, slots=True)
class Progress:
    """How far an execution has got, as an observer is told after each change.

    Attributes:
        arn: The execution.
        name: Its name.
        status: As in `ExecutionSummary`.
        running: Whether an invocation of its handler runs at the moment.
        operations: How many operations it has.
        finished: How many of them have ended.
        current: The name (or subtype) of the operation that was touched last and has not ended, or None.
        waiting_until_ms: When the next timer comes, if nothing runs; None with `running` false means that only an event
            from outside (a callback, a chained invoke) can go on with it.
    """

    arn: str
    name: str
    status: str
    running: bool
    operations: int
    finished: int
    current: str | None
    waiting_until_ms: int | None


Observer: TypeAlias = Callable[[Progress], None]


def status_of(record: ExecutionRecord) -> str:
    """The status as the Lambda API words it."""
    return PAUSED if record.is_paused else record.status


def summary_of(
    record: ExecutionRecord, driver_pid: int | None, input_json: str | None = None, outcome: Ended | None = None
) -> ExecutionSummary:
    """What users are shown of a record."""
    return ExecutionSummary(
        arn=record.arn,
        execution_id=record.execution_id,
        name=record.name,
        function_name=record.function_name,
        target=record.target,
        status=status_of(record),
        start_ms=record.start_ms,
        end_ms=record.end_ms,
        operations=record.operations,
        finished=record.finished,
        invocations=record.invocation,
        driver_pid=driver_pid,
        parent_execution_id=record.parent_execution_id,
        input_json=input_json,
        result_json=None if outcome is None else outcome.result,
        error_json=None if outcome is None else outcome.error,
    )
