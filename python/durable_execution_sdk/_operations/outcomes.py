"""From a recorded error to the exception that user code sees, and from a payload to its size.

The first run and every replay build the exception from the same recorded fields, so both raise equal errors.
"""

from __future__ import annotations

from durable_execution_sdk._core import Record
from durable_execution_sdk._model.errors import DurableOperationError, ErrorObject
from durable_execution_sdk._model.updates import OperationIdentifier
from durable_execution_sdk._operations.identity import describe

INLINE_LIMIT_BYTES = 262_144
"""A context result longer than this is not stored: its children are replayed instead."""


def recorded_error(record: Record) -> ErrorObject | None:
    """The error of a record as a noun."""
    fields = record.error
    return None if fields is None else ErrorObject(*fields)


def failure(error: ErrorObject | None, kind: type[DurableOperationError], otherwise: str) -> Exception:
    """The exception for a failed operation: `kind` with its rebuilt cause, or `SerDesError` if that was recorded."""
    return kind(otherwise) if error is None else error.to_operation_error(kind)


def ended_otherwise(identity: OperationIdentifier, record: Record, kind: type[DurableOperationError]) -> Exception:
    """The exception for an operation that failed, or that was cancelled, stopped or timed out by the service."""
    how = {"FAILED": "failed", "TIMED_OUT": "timed out"}.get(record.status, f"was {record.status.lower()}")
    return failure(recorded_error(record), kind, f"{describe(identity)} {how}; the service gave no reason.")
