"""The words of the wire: what the service stores, and what an invocation answers."""

from __future__ import annotations

from enum import Enum, StrEnum

from durable_execution_sdk._model.homes import public


@public("lambda_service")
class OperationAction(Enum):
    """What a checkpoint asks the service to do with an operation."""

    START = "START"
    SUCCEED = "SUCCEED"
    FAIL = "FAIL"
    RETRY = "RETRY"
    CANCEL = "CANCEL"


@public("lambda_service")
class OperationStatus(Enum):
    """Where an operation stands; `SUCCEEDED`, `FAILED`, `CANCELLED`, `TIMED_OUT` and `STOPPED` are final."""

    STARTED = "STARTED"
    PENDING = "PENDING"
    READY = "READY"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"
    STOPPED = "STOPPED"


@public("lambda_service")
class OperationType(Enum):
    """The kinds of operation that the service knows."""

    EXECUTION = "EXECUTION"
    CONTEXT = "CONTEXT"
    STEP = "STEP"
    WAIT = "WAIT"
    CALLBACK = "CALLBACK"
    CHAINED_INVOKE = "CHAINED_INVOKE"


@public("lambda_service")
class OperationSubType(StrEnum):
    """The subtypes that the SDK itself records; fields hold plain strings, which compare equal to these members."""

    STEP = "Step"
    WAIT = "Wait"
    CALLBACK = "Callback"
    RUN_IN_CHILD_CONTEXT = "RunInChildContext"
    MAP = "Map"
    MAP_ITERATION = "MapIteration"
    PARALLEL = "Parallel"
    PARALLEL_BRANCH = "ParallelBranch"
    WAIT_FOR_CALLBACK = "WaitForCallback"
    WAIT_FOR_CONDITION = "WaitForCondition"
    CHAINED_INVOKE = "ChainedInvoke"


@public("lambda_service")
class CallbackTimeoutType(Enum):
    """The error types that the service records for a callback that nobody completed in time."""

    TIMEOUT = "Callback.Timeout"
    HEARTBEAT = "Callback.Heartbeat"


@public("lambda_service")
class InvocationStatus(Enum):
    """What one invocation answers. `RETRY` never leaves the SDK: it stands for a raised, retryable error."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    PENDING = "PENDING"
    RETRY = "RETRY"


@public("state")
class ReplayStatus(Enum):
    """Whether a context still repeats recorded operations."""

    REPLAY = "replay"
    NEW = "new"


TERMINAL_STATUSES = frozenset(
    {
        OperationStatus.SUCCEEDED,
        OperationStatus.FAILED,
        OperationStatus.CANCELLED,
        OperationStatus.TIMED_OUT,
        OperationStatus.STOPPED,
    }
)
