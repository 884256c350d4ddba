"""Made-up histories of a shape and size, for measurements. Nothing in them is random."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Literal

from durable_execution_sdk._core import encode, operation_id
from durable_execution_sdk.replay.bodies import turns
from durable_execution_sdk.replay.histories import History

Shape = Literal["steps", "nested", "map", "mixed"]
SHAPES: Final[tuple[Shape, ...]] = ("steps", "nested", "map", "mixed")

_START_MS: Final = 1_760_000_000_000
_TYPES: Final = {
    "Step": ("STEP", "StepDetails"),
    "WaitForCondition": ("STEP", "StepDetails"),
    "Wait": ("WAIT", "WaitDetails"),
    "ChainedInvoke": ("CHAINED_INVOKE", "ChainedInvokeDetails"),
    "RunInChildContext": ("CONTEXT", "ContextDetails"),
    "Map": ("CONTEXT", "ContextDetails"),
    "MapIteration": ("CONTEXT", "ContextDetails"),
}


def synthetic_history(shape: Shape, operations: int, result_bytes: int, number: int = 1) -> History:
    """A finished execution of about so many operations.

    Args:
        shape: `steps`: one after the other; `nested`: blocks of 4 steps and a context of 4 steps, each in a context;
            `map`: one map whose branches have ended; `mixed`: blocks of 4 steps, a wait, a context of 2 steps, a
            condition and an invoke. Contexts are recorded so that a replay enters them. All but branches are unnamed.
        operations: At least; blocks are kept whole.
        result_bytes: The length of the text in each result.
        number: Names the execution.
    """
    made = _Records(f"bench-{number}", shape, operations, result_bytes)
    if shape == "steps":
        for position in range(1, operations + 1):
            made.add(None, position, "Step")
    elif shape == "map":
        batch = made.add(None, 1, "Map")
        for index in range(max(1, operations - 1)):
            made.add(batch, index, "MapIteration", f"map-item-{index}")
    elif shape == "nested":
        for turn in range(turns(operations)):
            outer = made.add(None, turn + 1, "RunInChildContext")
            for position in range(1, 5):
                made.add(outer, position, "Step")
            inner = made.add(outer, 5, "RunInChildContext")
            for position in range(1, 5):
                made.add(inner, position, "Step")
    else:
        for turn in range(turns(operations)):
            first = turn * 8
            for position in range(first + 1, first + 5):
                made.add(None, position, "Step")
            made.add(None, first + 5, "Wait")
            child = made.add(None, first + 6, "RunInChildContext")
            for position in (1, 2):
                made.add(child, position, "Step")
            made.add(None, first + 7, "WaitForCondition")
            made.add(None, first + 8, "ChainedInvoke")
    arn = "arn:aws:lambda:eu-central-1:123456789012:function:bench:$LATEST/durable-execution/bench/" + made.execution
    return History(made.execution, arn, made.records, complete=True)


class _Records:
    def __init__(self, execution: str, shape: str, operations: int, result_bytes: int) -> None:
        self.execution = execution
        event = json.dumps({"shape": shape, "operations": operations})
        self.records: list[Mapping[str, Any]] = [
            {
                "Id": execution,
                "Type": "EXECUTION",
                "Name": execution,
                "Status": "SUCCEEDED",
                "StartTimestamp": _START_MS,
                "ExecutionDetails": {"InputPayload": event},
            }
        ]
        self._text = "x" * result_bytes

    def add(self, parent: str | None, position: int, sub_type: str, name: str | None = None) -> str:
        """Add a finished operation; its id."""
        here = operation_id(parent, position)
        kind, details = _TYPES[sub_type]
        value = {"number": len(self.records), "text": self._text}
        result: dict[str, Any] = {"Result": json.dumps(value) if sub_type == "ChainedInvoke" else encode(value)}
        if kind == "STEP":
            result["Attempt"] = 1
        elif kind == "WAIT":
            result = {"ScheduledEndTimestamp": _START_MS + len(self.records)}
        elif sub_type in {"RunInChildContext", "Map"}:
            result = {"Result": "", "ReplayChildren": True}
        record: dict[str, Any] = {
            "Id": here,
            "Type": kind,
            "SubType": sub_type,
            "Status": "SUCCEEDED",
            "StartTimestamp": _START_MS + len(self.records),
            "EndTimestamp": _START_MS + len(self.records),
            details: result,
        }
        if parent is not None:
            record["ParentId"] = parent
        if name is not None:
            record["Name"] = name
        self.records.append(record)
        return here


__all__ = ["SHAPES", "Shape", "synthetic_history"]
