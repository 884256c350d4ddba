"""From a recorded error to the exception that user code sees, and from a payload to its size.

The first run and every replay build the exception from the same recorded fields, so both raise equal errors.
"""

from __future__ import annotations

from durable_execution_sdk._core import Record
from durable_execution_sdk._model.errors import DurableOperationError, SerDesError
from durable_execution_sdk._model.updates import OperationIdentifier
from durable_execution_sdk._model.wire import ErrorObject
from durable_execution_sdk._operations.identity import describe

PAYLOAD_LIMIT_BYTES = 6_291_456
"""Longest payload that the Lambda API takes in one update."""

PAYLOAD_WARN_BYTES = 1_048_576
"""Documented quota of a single payload; the service may refuse what is longer."""

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


def size_bytes(payload: str) -> int:
    """Bytes of the payload's own text in UTF-8."""
    return len(payload) if payload.isascii() else len(payload.encode("utf-8", "surrogatepass"))


def require_sendable(identity: OperationIdentifier, payload: str | None) -> None:
    """Refuse a payload that the Lambda API cannot take.

    Raises:
        SerDesError: It is longer than 6,291,456 bytes.
    """
    if payload is None or len(payload) * 4 <= PAYLOAD_LIMIT_BYTES:
        return
    size = size_bytes(payload)
    if size > PAYLOAD_LIMIT_BYTES:
        raise SerDesError(
            f"The payload of {describe(identity)} has {size} bytes; the Lambda API takes at most {PAYLOAD_LIMIT_BYTES}."
            " Store large values elsewhere (FileSystemSerDes, S3) and return a reference."
        )
