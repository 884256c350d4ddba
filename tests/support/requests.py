"""A stand-in for the core's `Request`, for tests that need no journal."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Update:
    """As much of an `OperationUpdate` as a transport reads."""

    wire: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return self.wire


def start_of(operation_id: str) -> Update:
    return Update({"Id": operation_id, "Type": "STEP", "Action": "START", "SubType": "Step", "Name": operation_id})


@dataclass(frozen=True)
class Batch:
    """As much of a `Request` as a transport reads."""

    token: str
    updates: tuple[Update, ...] = ()
    client_token: str = "client-token-1"

    @property
    def body(self) -> bytes:
        """Spaced as botocore does not space it, so that a test can tell the two apart."""
        wire = {
            "CheckpointToken": self.token,
            "ClientToken": self.client_token,
            "Updates": [update.to_dict() for update in self.updates],
        }
        return json.dumps(wire, separators=(" , ", " : ")).encode()


def batch(token: str, *operation_ids: str, client_token: str = "client-token-1") -> Any:
    """A request with the START of a step for each id; `Any`, as it stands for the core's `Request`."""
    return Batch(token, tuple(start_of(operation_id) for operation_id in operation_ids), client_token)
