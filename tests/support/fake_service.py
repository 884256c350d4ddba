"""A small service in memory that keeps the contract: one execution, a virtual clock, the rules of checkpoint batches.

It is a `Transport`, and it runs a `DurableFunction` to its end: each invocation gets an event as the service would
send it, and when an invocation answers PENDING the clock jumps to the next timer. `fault` lets a test end an
invocation, or lose an answer, at any request.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping
from typing import Any

ARN = "arn:aws:lambda:eu-north-1:000000000000:function:shop:1/durable-execution/order-7/f4a1"
EXECUTION_ID = "f4a1"
START_MS = 1_800_000_000_000


class Crash(BaseException):
    """The process ends here."""


class Refused(Exception):
    """The service does not take the batch."""


class VirtualClock:
    """Time that moves when a test says so."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.time_ms = now_ms

    def now_ms(self) -> int:
        return self.time_ms


class LambdaContext:
    """What Lambda hands to a function, as far as the SDK looks."""

    aws_request_id = "req-1"

    def __init__(self, remaining_ms: Callable[[], int] = lambda: 900_000) -> None:
        self._remaining_ms = remaining_ms

    def get_remaining_time_in_millis(self) -> int:
        return self._remaining_ms()


def _as_boto3(value: Any, field: str = "") -> Any:
    """An answer as boto3 parses it: timestamps are datetimes."""
    if isinstance(value, dict):
        return {key: _as_boto3(member, key) for key, member in value.items()}
    if isinstance(value, list):
        return [_as_boto3(member) for member in value]
    return datetime.datetime.fromtimestamp(value, datetime.UTC) if field.endswith("Timestamp") else value


_TERMINAL = {"SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT", "STOPPED"}
_SOURCES = {
    ("STEP", "START"): {None, "READY"},
    ("STEP", "SUCCEED"): {None, "STARTED", "READY"},
    ("STEP", "FAIL"): {None, "STARTED", "READY"},
    ("STEP", "RETRY"): {None, "STARTED", "READY"},
    ("CONTEXT", "START"): {None},
    ("CONTEXT", "SUCCEED"): {None, "STARTED"},
    ("CONTEXT", "FAIL"): {None, "STARTED"},
    ("WAIT", "START"): {None},
    ("WAIT", "CANCEL"): {"STARTED"},
    ("CALLBACK", "START"): {None},
    ("CHAINED_INVOKE", "START"): {None},
    ("EXECUTION", "SUCCEED"): {None},
    ("EXECUTION", "FAIL"): {None},
}


class FakeService:
    """One execution and its service."""

    def __init__(
        self,
        event_input: Any = None,
        *,
        page_size: int | None = None,
        raw: bool = True,
        fault: Callable[[str, int], None] | None = None,
    ) -> None:
        self.clock = VirtualClock()
        self.operations: dict[str, dict[str, Any]] = {}
        self.execution: dict[str, Any] = {
            "Id": EXECUTION_ID,
            "Type": "EXECUTION",
            "Status": "STARTED",
            "StartMs": START_MS,
            "Payload": json.dumps(event_input),
        }
        self.requests: list[list[dict[str, Any]]] = []
        self.fetched: list[str] = []
        self.outputs: list[dict[str, Any]] = []
        self.functions: dict[str, Callable[[Any], Any]] = {}
        self.invocations = 0
        self.revoke_at: int | None = None
        self._page_size = page_size
        self._raw = raw
        self._fault = fault or (lambda phase, number: None)
        self._sequence = 0
        self._version = 0
        self._seen = 0
        self._delivered = 0

    # --- the transport ---

    def checkpoint(self, arn: str, request: Any) -> bytes | Mapping[str, Any]:
        """Apply a batch and say what has changed."""
        number = len(self.requests) + 1
        body = json.loads(request.body)
        self._fault("before", number)
        if arn != ARN or body["CheckpointToken"] != self._token() or body["CheckpointToken"] != request.token:
            raise Refused("Invalid checkpoint token")
        updates = body["Updates"]
        self._validate(updates)
        for update in updates:
            self._apply(update)
        self.requests.append(updates)
        self._fault("after", number)
        if self.revoke_at == number:
            return self._answer({})
        if any(update["Type"] == "EXECUTION" for update in updates):
            return self._answer({"NewExecutionState": {"Operations": self._changes()[0]}})
        self.fire_due()
        self._sequence += 1
        operations, marker = self._changes()
        state = {"Operations": operations, **({"NextMarker": marker} if marker else {})}
        return self._answer({"CheckpointToken": self._token(), "NewExecutionState": state})

    def fetch_state(self, arn: str, token: str, marker: str, max_items: int) -> bytes | Mapping[str, Any]:
        """One further page."""
        self.fetched.append(marker)
        if token != self._token():
            raise Refused("Invalid checkpoint token")
        kind, start = marker.split(":")
        shown = self._visible() if kind == "all" else self._changed_since(int(kind))
        page = shown[int(start) : int(start) + (self._page_size or max_items)]
        further = int(start) + len(page)
        answer: dict[str, Any] = {"Operations": [self._wire(op, 1000) for op in page]}
        if further < len(shown):
            answer["NextMarker"] = f"{kind}:{further}"
        return self._answer(answer)

    # --- running an execution ---

    def event(self) -> dict[str, Any]:
        """The event of the next invocation."""
        updated = [
            op["Id"] for op in self.operations.values() if op["Version"] > self._delivered and op.get("ByService")
        ]
        self._delivered = self._seen = self._version
        shown = self._visible()
        page = shown if self._page_size is None else shown[: self._page_size]
        state: dict[str, Any] = {"Operations": [self._wire(op, 1) for op in page]}
        if len(page) < len(shown):
            state["NextMarker"] = f"all:{len(page)}"
        return {
            "DurableExecutionArn": ARN,
            "CheckpointToken": self._token(),
            "InitialExecutionState": state,
            "UpdatedOperationIds": updated,
        }

    def invoke(self, durable: Any, lambda_context: Any = None) -> dict[str, Any]:
        """One invocation."""
        self.invocations += 1
        self._sequence += 1
        context = LambdaContext() if lambda_context is None else lambda_context
        output: dict[str, Any] = durable.invoke(self.event(), context, self, self.clock)
        self.outputs.append(output)
        return output

    def run(self, durable: Any, limit: int = 1000) -> dict[str, Any]:
        """Invoke until the execution ends; what an invocation raises counts as a crash of it and is tried again."""
        failures = 0
        for _ in range(limit):
            try:
                output = self.invoke(durable)
            except (Crash, Exception):
                failures += 1
                if failures > 5:
                    raise
                continue
            failures = 0
            if output["Status"] != "PENDING":
                return output
            self.advance()
        raise AssertionError("the execution does not end")

    def advance(self) -> None:
        """Let the next timer fire, unless there is news already that no invocation has seen."""
        if self._version > self._seen:
            self.fire_due()
            return
        timers = [op["DueMs"] for op in self.operations.values() if op.get("DueMs") is not None]
        if not timers:
            raise AssertionError("PENDING, but nothing is pending")
        self.clock.time_ms = max(self.clock.time_ms, min(timers))
        self.fire_due()

    def fire_due(self) -> None:
        """Complete every wait and retry whose time has come."""
        due = [
            op for op in self.operations.values() if op.get("DueMs") is not None and op["DueMs"] <= self.clock.time_ms
        ]
        for op in sorted(due, key=lambda op: op["DueMs"]):
            if op["Type"] == "WAIT":
                self._end(op, "SUCCEEDED", by_service=True)
            elif op["Type"] == "CALLBACK":
                self._end(op, "TIMED_OUT", by_service=True, error={"ErrorType": "Callback.Timeout"})
            else:
                op.update(Status="READY", DueMs=None)
                self._touch(op, by_service=True)

    def complete_callback(
        self, callback_id: str, result: str | None = None, error: dict[str, Any] | None = None
    ) -> None:
        """What somebody outside does."""
        for op in self.operations.values():
            if op.get("CallbackId") == callback_id:
                self._end(op, "FAILED" if error else "SUCCEEDED", by_service=True, payload=result, error=error)

    def updates(self) -> list[dict[str, Any]]:
        """Everything that was acknowledged, in order."""
        return [update for request in self.requests for update in request]

    # --- inside ---

    def _token(self) -> str:
        return f"token-{self._sequence}"

    def _answer(self, answer: dict[str, Any]) -> bytes | Mapping[str, Any]:
        return json.dumps(answer).encode() if self._raw else _as_boto3(answer)

    def _validate(self, updates: list[dict[str, Any]]) -> None:
        started: dict[str, str | None] = {}
        for position, update in enumerate(updates):
            kind, action, key = update["Type"], update["Action"], update["Id"]
            known = self.operations.get(key)
            status = started.get(key, known["Status"] if known else None)
            if key in started and (kind not in {"STEP", "CONTEXT"} or action == "START"):
                raise Refused(f"{key} twice in one batch")
            if status not in _SOURCES[kind, action]:
                raise Refused(f"{action} of {kind} {key} while it is {status}")
            parent = update.get("ParentId")
            if parent and self.operations.get(parent, {}).get("Type") != "CONTEXT" and parent not in started:
                raise Refused(f"{key} under the unknown parent {parent}")
            if known and any(
                known.get(field) != update.get(field) for field in ("Type", "SubType", "Name", "ParentId")
            ):
                raise Refused(f"{key} is another operation")
            if kind == "EXECUTION" and position != len(updates) - 1:
                raise Refused("EXECUTION must be last")
            started[key] = "STARTED"

    def _apply(self, update: dict[str, Any]) -> None:
        kind, action, key = update["Type"], update["Action"], update["Id"]
        if kind == "EXECUTION":
            self.execution.update(Status="SUCCEEDED" if action == "SUCCEED" else "FAILED", Final=update)
            return
        op = self.operations.get(key)
        if op is None:
            identity = {field: update[field] for field in ("ParentId", "Name", "SubType") if field in update}
            op = {"Id": key, "Type": kind, "Status": "STARTED", "Attempt": 0, "StartMs": self.clock.time_ms, **identity}
            self.operations[key] = op
        now = self.clock.time_ms
        match action:
            case "START":
                # A condition's state is kept: a service that clears it here loses it if the process dies in the check.
                op.update(Status="STARTED", DueMs=None, Error=None)
                if kind == "WAIT":
                    op["DueMs"] = op["ScheduledMs"] = now + update["WaitOptions"]["WaitSeconds"] * 1000
                elif kind == "CALLBACK":
                    timeout = update["CallbackOptions"]["TimeoutSeconds"]
                    op.update(CallbackId=f"cb-{key[:8]}", DueMs=now + timeout * 1000 if timeout else None)
                elif kind == "CHAINED_INVOKE":
                    self._call(op, update)
                self._touch(op)
            case "RETRY":
                delay = update["StepOptions"]["NextAttemptDelaySeconds"]
                op.update(Status="PENDING", Attempt=op["Attempt"] + 1, DueMs=now + delay * 1000)
                op.update(Payload=update.get("Payload"), Error=update.get("Error"))
                self._touch(op)
            case "SUCCEED" | "FAIL":
                if kind == "STEP":
                    op["Attempt"] += 1
                op["ReplayChildren"] = update.get("ContextOptions", {}).get("ReplayChildren", False)
                status = "SUCCEEDED" if action == "SUCCEED" else "FAILED"
                self._end(op, status, payload=update.get("Payload"), error=update.get("Error"))

    def _call(self, op: dict[str, Any], update: dict[str, Any]) -> None:
        function = self.functions.get(update["ChainedInvokeOptions"]["FunctionName"])
        if function is None:
            self._end(
                op, "FAILED", error={"ErrorType": "ResourceNotFoundException", "ErrorMessage": "no such function"}
            )
            return
        result = function(json.loads(update["Payload"]))
        self._end(op, "SUCCEEDED", by_service=True, payload=json.dumps(result))

    def _end(
        self,
        op: dict[str, Any],
        status: str,
        *,
        by_service: bool = False,
        payload: str | None = None,
        error: dict[str, Any] | None = None,
    ) -> None:
        op.update(Status=status, DueMs=None, EndMs=self.clock.time_ms, Payload=payload, Error=error)
        self._touch(op, by_service=by_service)

    def _touch(self, op: dict[str, Any], *, by_service: bool = False) -> None:
        self._version += 1
        op.update(Version=self._version, ByService=by_service)

    def _visible(self) -> list[dict[str, Any]]:
        """What a state shows: nothing below a context that answers from its own record."""
        hidden = {op["Id"] for op in self.operations.values() if op["Type"] == "CONTEXT" and op["Status"] in _TERMINAL}
        hidden -= {op["Id"] for op in self.operations.values() if op.get("ReplayChildren")}

        def is_hidden(op: dict[str, Any]) -> bool:
            parent = op.get("ParentId")
            return parent is not None and (parent in hidden or is_hidden(self.operations[parent]))

        return [self.execution, *(op for op in self.operations.values() if not is_hidden(op))]

    def _changed_since(self, version: int) -> list[dict[str, Any]]:
        return [op for op in self.operations.values() if op["Version"] > version]

    def _changes(self) -> tuple[list[dict[str, Any]], str | None]:
        before, self._seen = self._seen, self._version
        shown = self._changed_since(before)
        page = shown if self._page_size is None else shown[: self._page_size]
        marker = f"{before}:{len(page)}" if len(page) < len(shown) else None
        return [self._wire(op, 1000) for op in page], marker

    def _wire(self, op: dict[str, Any], divisor: int) -> dict[str, Any]:
        """The operation as sent; times in ms in an event (divisor 1), in seconds elsewhere (divisor 1000)."""

        def time(ms: int) -> float:
            return ms if divisor == 1 else ms / divisor

        wire = {field: op[field] for field in ("Id", "Type", "Status", "ParentId", "Name", "SubType") if field in op}
        wire["StartTimestamp"] = time(op["StartMs"])
        if op.get("EndMs") is not None:
            wire["EndTimestamp"] = time(op["EndMs"])
        outcome = {
            **({"Result": op["Payload"]} if op.get("Payload") is not None else {}),
            **({"Error": op["Error"]} if op.get("Error") is not None else {}),
        }
        match op["Type"]:
            case "EXECUTION":
                wire["ExecutionDetails"] = {"InputPayload": op["Payload"]}
            case "CONTEXT":
                wire["ContextDetails"] = {**outcome, "ReplayChildren": op.get("ReplayChildren", False)}
            case "STEP":
                wire["StepDetails"] = {"Attempt": op["Attempt"], **outcome}
                if op.get("DueMs") is not None:
                    wire["StepDetails"]["NextAttemptTimestamp"] = time(op["DueMs"])
            case "WAIT":
                wire["WaitDetails"] = {"ScheduledEndTimestamp": time(op["ScheduledMs"])}
            case "CALLBACK":
                wire["CallbackDetails"] = {"CallbackId": op["CallbackId"], **outcome}
            case "CHAINED_INVOKE":
                wire["ChainedInvokeDetails"] = outcome
        return wire
