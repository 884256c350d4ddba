"""What the handlers of maps and parallels have in common."""

from __future__ import annotations

import json
from typing import Any

from durable_execution_sdk.concurrency.models import BatchResult
from durable_execution_sdk.config import BatchItemStatus
from durable_execution_sdk.serdes import SerDes


def fail(*_: Any) -> Any:
    raise ValueError("it does not work")


def summary(result: BatchResult[Any], *members: str) -> dict[str, Any]:
    """The named facts about a result."""
    facts = {
        "completionReason": result.completion_reason.value,
        "status": result.status.value,
        "successCount": result.success_count,
        "failureCount": result.failure_count,
        "totalCount": result.total_count,
    }
    assert result.status is (BatchItemStatus.FAILED if result.failure_count else BatchItemStatus.SUCCEEDED)
    return {member: facts[member] for member in members}


class Wrapping(SerDes[Any]):
    def serialize(self, value, serdes_context):
        return json.dumps({"wrapped": value})

    def deserialize(self, data, serdes_context):
        return json.loads(data)["wrapped"]
