"""What the drivers ask of the world. Edges implement these; tests and the embedded engine do too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from durable_execution_sdk._core import Request


class Transport(Protocol):
    """The two calls an invocation makes to the service that keeps its history.

    Answers are either the raw JSON body (bytes; timestamps in epoch seconds), which the core reads without building
    Python objects, or a mapping as boto3 parses it. Failures are raised as `CheckpointError` or
    `GetExecutionStateError`, already classified.
    """

    def checkpoint(self, arn: str, request: Request) -> bytes | Mapping[str, Any]:
        """Send one batch and wait for its acknowledgement."""

    def fetch_state(self, arn: str, token: str, marker: str, max_items: int) -> bytes | Mapping[str, Any]:
        """Read one page of the history (GetDurableExecutionState)."""


class Clock(Protocol):
    """Wall-clock time, passed in so that tests and the embedded engine can replace it."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
