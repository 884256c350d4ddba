"""Short ways to say what is recorded."""

from __future__ import annotations

from typing import Any

from durable_execution_sdk._core import Record
from durable_execution_sdk._model.enums import OperationSubType, OperationType
from durable_execution_sdk._model.updates import OperationIdentifier

KEY = "1ced8f5be2db23a6513eba4d819c73806424748a7bc6fa0d792cc1c7d1775a97"

KINDS = {
    "STEP": OperationSubType.STEP,
    "WAIT": OperationSubType.WAIT,
    "CALLBACK": OperationSubType.CALLBACK,
    "CHAINED_INVOKE": OperationSubType.CHAINED_INVOKE,
    "CONTEXT": OperationSubType.RUN_IN_CHILD_CONTEXT,
}


def identity(kind: str = "STEP", name: str | None = "pay", parent_id: str | None = None) -> OperationIdentifier:
    return OperationIdentifier(KEY, KINDS[kind].value, parent_id, name, operation_type=OperationType(kind))


def record(status: str, kind: str = "STEP", name: str | None = "pay", **fields: Any) -> Record:
    fields.setdefault("sub_type", KINDS[kind].value)
    return Record(KEY, kind, status, name=name, **fields)


def raised(error: BaseException) -> tuple[Any, ...]:
    """What user code can tell errors apart by."""
    cause = error.__cause__
    return (
        type(error),
        getattr(error, "message", str(error)),
        getattr(error, "error_type", None),
        getattr(error, "data", None),
        getattr(error, "stack_trace", None),
        raised(cause) if cause is not None else None,
    )
