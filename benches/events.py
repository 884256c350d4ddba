"""Invocation events and the client behind them: what both SDKs are given, built from plain data only.

Nothing here imports an SDK before it is asked to, so a worker can measure what importing one costs.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import time
from datetime import UTC, datetime
from typing import Any, Literal

ARN = "arn:aws:lambda:eu-central-1:123456789012:function:bench:$LATEST/durable-execution/bench/0b5f4ad1"
EXECUTION_ID = ARN.rpartition("/")[2]
START_MS = 1_760_000_000_000
NAME = "charge"
"""Of every step."""

Json = dict[str, Any]
Colour = Literal["def", "async def"]


def takes_coroutines(sdk: str, colour: Colour) -> bool:
    """Whether that SDK's handler is to be `async def`: the official one knows `def` only, and answers with that."""
    return colour == "async def" and sdk == "durable_execution_sdk"


def operation_id(prefix: str | None, position: int) -> str:
    """The id of the operation at that position, as the official SDK computes it."""
    raw = f"{prefix}-{position}" if prefix else str(position)
    return hashlib.blake2b(raw.encode()).hexdigest()[:64]


def execution_record(payload: str = "{}") -> Json:
    """The record of the execution itself, which carries the input."""
    return {
        "Id": EXECUTION_ID,
        "Type": "EXECUTION",
        "Name": "bench",
        "Status": "STARTED",
        "StartTimestamp": START_MS,
        "ExecutionDetails": {"InputPayload": payload},
    }


def finished_step(position: int, payload: str, name: str) -> Json:
    """A step that succeeded at its first attempt."""
    return {
        "Id": operation_id(None, position),
        "Type": "STEP",
        "SubType": "Step",
        "Name": name,
        "Status": "SUCCEEDED",
        "StartTimestamp": START_MS + position,
        "EndTimestamp": START_MS + position + 1,
        "StepDetails": {"Attempt": 1, "Result": payload},
    }


def open_wait(position: int) -> Json:
    """A wait that has an hour to go."""
    return {
        "Id": operation_id(None, position),
        "Type": "WAIT",
        "SubType": "Wait",
        "Status": "STARTED",
        "StartTimestamp": START_MS,
        "WaitDetails": {"ScheduledEndTimestamp": int(time.time() * 1000) + 3_600_000},
    }


def open_context(key: str, sub_type: str) -> Json:
    """A context that has not ended."""
    return {"Id": key, "Type": "CONTEXT", "SubType": sub_type, "Status": "STARTED", "StartTimestamp": START_MS}


def finished_branch(batch: str, index: int, payload: str) -> Json:
    """A branch of a map that has its result."""
    return {
        **open_context(operation_id(batch, index), "MapIteration"),
        "ParentId": batch,
        "Name": f"map-item-{index}",
        "Status": "SUCCEEDED",
        "EndTimestamp": START_MS + index,
        "ContextDetails": {"Result": payload},
    }


def event_text(operations: list[Json]) -> str:
    """The event as Lambda's runtime receives it; parse it anew for each invocation, as the runtime does."""
    return json.dumps(
        {
            "DurableExecutionArn": ARN,
            "CheckpointToken": "token-0",
            "InitialExecutionState": {"Operations": [execution_record(), *operations], "NextMarker": ""},
        }
    )


def small_result(position: int) -> Json:
    """A small result as the default serdes stores it, in plain data."""
    return {"order": f"A-{position}", "amount": position / 4, "paid": True, "lines": position % 7}


def stored(sdk: str, value: object) -> str:
    """The text that the SDK's default serdes stores for a value."""
    text = importlib.import_module(f"{sdk}.serdes").serialize(None, value, "operation", "arn")
    assert isinstance(text, str)
    return text


STEP_UPDATES = [
    {"Id": "0" * 64, "Type": "STEP", "SubType": "Step", "Action": "START"},
    {"Id": "0" * 64, "Type": "STEP", "SubType": "Step", "Action": "SUCCEED", "Payload": '{"order": 7}'},
]
"""What a fresh step sends."""


class Client:
    """A boto3 Lambda client as far as an SDK calls it: acknowledges every update after `latency_s`."""

    def __init__(self, latency_s: float = 0.0) -> None:
        self.latency_s = latency_s
        self.requests = 0
        self.busy_s = 0.0
        """Time spent in here, which is not the SDK's."""

    def checkpoint_durable_execution(self, **request: Any) -> Json:
        """Acknowledge a batch: each operation in the state that its update leads to."""
        started = time.perf_counter()
        self.requests += 1
        if self.latency_s:
            time.sleep(self.latency_s)
        now = datetime.now(UTC)
        operations = []
        for update in request["Updates"]:
            record = {key: update[key] for key in ("Id", "Type", "SubType", "Name", "ParentId") if key in update}
            record["StartTimestamp"] = now
            record["Status"] = {"SUCCEED": "SUCCEEDED", "FAIL": "FAILED", "RETRY": "PENDING"}.get(
                update["Action"], "STARTED"
            )
            if update["Type"] == "STEP":
                record["StepDetails"] = {"Attempt": 1, "Result": update.get("Payload")}
            elif update["Type"] == "CONTEXT":
                record["ContextDetails"] = {"Result": update.get("Payload")}
            elif update["Type"] == "WAIT":
                record["WaitDetails"] = {"ScheduledEndTimestamp": datetime.fromtimestamp(now.timestamp() + 3600, UTC)}
            operations.append(record)
        self.busy_s += time.perf_counter() - started
        return {
            "CheckpointToken": f"token-{self.requests}",
            "NewExecutionState": {"Operations": operations, "NextMarker": ""},
        }

    def get_durable_execution_state(self, **request: Any) -> Json:
        """Never asked: every history of these benches fits the first page."""
        raise AssertionError(f"a page was asked for: {request}")


class LambdaContext:
    """What the runtime passes beside the event."""

    aws_request_id = "00000000-0000-4000-8000-000000000000"
    function_name = "bench"
    function_version = "$LATEST"
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:bench"
    memory_limit_in_mb = "1024"
    log_group_name = "/aws/lambda/bench"
    log_stream_name = "bench"
    tenant_id = None
    client_context = None
    identity = None

    def get_remaining_time_in_millis(self) -> int:
        """A quarter of an hour, always."""
        return 900_000

    def log(self, message: str) -> None:
        """Drop it."""
