"""The service side of one execution, in memory: what AWS Lambda keeps, as far as an SDK can tell.

Written against facts about the service as the official local runner shows them, and independent of both SDKs: the
differential tests trust it to treat either alike. Timestamps are integer milliseconds of a clock that jumps: it shows
real time plus whatever was skipped while the execution was suspended.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

# Timers this close end together: branches that ask for the same delay do so some milliseconds apart, more on a busy
# machine, and which of them shared an invocation would otherwise be chance. Scenarios differ by whole seconds.
TOGETHER_MS = 250
TERMINAL = {"SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT", "STOPPED"}
DETAILS = {
    "STEP": "StepDetails",
    "CONTEXT": "ContextDetails",
    "WAIT": "WaitDetails",
    "CALLBACK": "CallbackDetails",
    "CHAINED_INVOKE": "ChainedInvokeDetails",
    "EXECUTION": "ExecutionDetails",
}
LEGAL = {
    "STEP": {
        "START": {None, "READY"},
        "SUCCEED": {None, "STARTED", "READY"},
        "FAIL": {None, "STARTED", "READY"},
        "RETRY": {None, "STARTED", "READY"},
    },
    "CONTEXT": {"START": {None}, "SUCCEED": {None, "STARTED"}, "FAIL": {None, "STARTED"}},
    "WAIT": {"START": {None}, "CANCEL": {"STARTED"}},
    "CALLBACK": {"START": {None}},
    "CHAINED_INVOKE": {"START": {None}},
    "EXECUTION": {"SUCCEED": {"STARTED"}, "FAIL": {"STARTED"}},
}


class ServiceError(Exception):
    """An SDK sent what the service refuses, or asked to be suspended with nothing to wait for."""


@dataclass(frozen=True)
class Outcome:
    """How something outside ends: a callback or an invoked function."""

    status: str = "SUCCEEDED"
    result: str | None = None
    error: Mapping[str, Any] | None = None


@dataclass
class Script:
    """What the world outside does, by operation name (callbacks) or function name (invokes).

    Both happen while the execution is suspended; `at_once` names those whose end shows already in the answer to their
    START.
    """

    callbacks: Mapping[str, Outcome] = field(default_factory=dict)
    invokes: Mapping[str, Outcome] = field(default_factory=dict)
    at_once: frozenset[str] = frozenset()


class Service:
    """One execution. Calls may come from any thread."""

    def __init__(self, payload: str | None, script: Script | None = None, name: str = "diff") -> None:
        self.arn = f"arn:aws:lambda:eu-central-1:123456789012:function:{name}:$LATEST/durable-execution/{name}/5c1e0f3a"
        self.script = script or Script()
        self.operations: dict[str, Json] = {}
        self.stream: list[Json] = []
        """Every update that was acknowledged, in order."""
        self.requests: list[list[Json]] = []
        self.on_request: Callable[[int], None] = lambda number: None
        """Called with the number of each checkpoint request before it is looked at; may raise to lose it."""
        self.read_only = False
        self._lock = threading.Lock()
        self._skipped_ms = 0
        self._unseen: dict[str, None] = {}
        self._token = 0
        self._hidden: set[str] = set()
        self._fired = False
        details = {} if payload is None else {"InputPayload": payload}
        self._put(
            {
                "Id": self.arn.rpartition("/")[2],
                "Type": "EXECUTION",
                "Name": name,
                "Status": "STARTED",
                "StartTimestamp": self.now_ms(),
                "ExecutionDetails": details,
            }
        )

    @classmethod
    def of_history(cls, arn: str, operations: Iterable[Json]) -> Service:
        """The service as it stands after a recorded execution; it refuses every update."""
        service = cls(None)
        service.arn = arn
        service.operations = {record["Id"]: record for record in operations}
        service.read_only = True
        return service

    def now_ms(self) -> int:
        """The clock."""
        return int(time.time() * 1000) + self._skipped_ms

    # --- what an invocation sees ---------------------------------------------------------------------------------

    def event(self) -> Json:
        """The next invocation's event, with the whole history on its first page."""
        with self._lock:
            self._fire_timers()
            self._fired = False
            self._token += 1
            self._unseen.clear()
            return {
                "DurableExecutionArn": self.arn,
                "CheckpointToken": self.token,
                "InitialExecutionState": {"Operations": self.visible(), "NextMarker": ""},
            }

    @property
    def token(self) -> str:
        """The token that the next checkpoint must carry."""
        return f"token-{self._token}"

    def visible(self) -> list[Json]:
        """The history as the service returns it: without what is inside a context whose result stands for it."""
        return [dict(record) for key, record in self.operations.items() if key not in self._hidden]

    def checkpoint(self, request: Mapping[str, Any]) -> Json:
        """CheckpointDurableExecution. Timestamps stay integers: the client makes of them what its SDK expects."""
        with self._lock:
            self.on_request(len(self.requests))
            if request["CheckpointToken"] != self.token:
                raise ServiceError(f"Invalid checkpoint token {request['CheckpointToken']}: {self.token} is due")
            updates = list(request["Updates"])
            if updates and self.read_only:
                raise ServiceError(f"a replay sent {updates}")
            self._validate(updates)
            self.requests.append(updates)
            for update in updates:
                self._apply(update)
                self.stream.append(update)
            self._fire_timers()
            self._token += 1
            changed = [dict(self.operations[key]) for key in self._unseen if key not in self._hidden]
            self._unseen.clear()
            answer: Json = {"NewExecutionState": {"Operations": changed, "NextMarker": ""}}
            if not any(update["Type"] == "EXECUTION" for update in updates):
                answer["CheckpointToken"] = self.token
            return answer

    # --- what happens while nothing runs -------------------------------------------------------------------------

    def pass_time(self) -> str:
        """Let one thing happen that re-invokes a suspended execution; says what it was."""
        with self._lock:
            for record in self.operations.values():
                if record["Status"] != "STARTED":
                    continue
                if record["Type"] == "CALLBACK" and (outcome := self.script.callbacks.get(record.get("Name", ""))):
                    self._finish(record, outcome)
                    return f"callback {record.get('Name')}"
                if record["Type"] == "CHAINED_INVOKE":
                    function = record["FunctionName"]
                    self._finish(record, self.script.invokes[function])
                    return f"invoke {function}"
            timers = [due for record in self.operations.values() if (due := due_ms(record)) is not None]
            if not timers and self._fired:
                return "a timer whose time came while the invocation ran"
            if not timers:
                raise ServiceError(
                    "PENDING, but nothing is pending: " + ", ".join(map(describe, self.operations.values()))
                )
            self._skipped_ms += max(0, min(timers) + TOGETHER_MS - self.now_ms())
            self._fire_timers()
            return "timer"

    # --- inside --------------------------------------------------------------------------------------------------

    def _put(self, record: Json) -> None:
        self.operations[record["Id"]] = record
        self._unseen[record["Id"]] = None

    def _validate(self, updates: list[Json]) -> None:
        seen: dict[str, str | None] = {}
        for update in updates:
            key, kind, action = update["Id"], update["Type"], update["Action"]
            stored = self.operations.get(key)
            if kind == "EXECUTION":
                status: str | None = "STARTED"
            else:
                status = seen[key] if key in seen else stored["Status"] if stored else None
            if status not in LEGAL[kind].get(action, set()):
                raise ServiceError(f"{action} of {kind} {update.get('Name')!r} is illegal from {status}")
            if stored is not None and kind != "EXECUTION":
                for member in ("Type", "SubType", "Name", "ParentId"):
                    if update.get(member) and update[member] != stored.get(member):
                        raise ServiceError(f"{member} of {key} was {stored.get(member)!r}, now {update[member]!r}")
            if update.get("Payload") is not None and action == "FAIL":
                raise ServiceError("FAIL carries no payload")
            if update.get("Error") is not None and action == "SUCCEED":
                raise ServiceError("SUCCEED carries no error")
            parent = update.get("ParentId")
            if parent is not None and parent not in seen and parent not in self.operations:
                raise ServiceError(f"the parent of {update.get('Name')!r} was never started")
            seen[key] = {"START": "STARTED", "SUCCEED": "SUCCEEDED", "FAIL": "FAILED", "RETRY": "PENDING"}.get(action)

    def _apply(self, update: Json) -> None:
        kind, action = update["Type"], update["Action"]
        if kind == "EXECUTION":
            return
        record = self.operations.get(update["Id"])
        if record is None:
            record = {key: update[key] for key in ("Id", "Type", "SubType", "Name", "ParentId") if update.get(key)}
            record["StartTimestamp"] = self.now_ms()
        else:
            record = dict(record)
        details = dict(record.get(DETAILS[kind], {}))
        if kind == "STEP":
            self._apply_step(record, details, update)
        elif action == "START":
            record["Status"] = "STARTED"
            if kind == "WAIT":
                details["ScheduledEndTimestamp"] = self.now_ms() + int(update["WaitOptions"]["WaitSeconds"] * 1000)
            elif kind == "CALLBACK":
                details["CallbackId"] = f"callback-{update.get('Name')}-{update['Id'][:8]}"
            elif kind == "CHAINED_INVOKE":
                record["FunctionName"] = update["ChainedInvokeOptions"]["FunctionName"]
        else:
            record["Status"] = {"SUCCEED": "SUCCEEDED", "FAIL": "FAILED", "CANCEL": "CANCELLED"}[action]
            record["EndTimestamp"] = self.now_ms()
            put(details, "Result", update.get("Payload"))
            put(details, "Error", update.get("Error"))
            if kind == "CONTEXT" and action == "SUCCEED":
                details["ReplayChildren"] = bool(update.get("ContextOptions", {}).get("ReplayChildren"))
        record[DETAILS[kind]] = details
        self._put(record)
        if kind == "CONTEXT" and action == "SUCCEED" and not details["ReplayChildren"]:
            self._hide_below(record["Id"])
        name = record.get("FunctionName") or record.get("Name", "")
        if action == "START" and name in self.script.at_once:
            self._finish(record, self.script.invokes[name] if kind == "CHAINED_INVOKE" else self.script.callbacks[name])

    def _apply_step(self, record: Json, details: Json, update: Json) -> None:
        action = update["Action"]
        details.setdefault("Attempt", 0)
        details.pop("NextAttemptTimestamp", None)
        if action == "START":
            record["Status"] = "STARTED"
            details.pop("Result", None)
            details.pop("Error", None)
            return
        details["Attempt"] += 1
        put(details, "Result", update.get("Payload"))
        put(details, "Error", update.get("Error"))
        if action == "RETRY":
            record["Status"] = "PENDING"
            details["NextAttemptTimestamp"] = self.now_ms() + update["StepOptions"]["NextAttemptDelaySeconds"] * 1000
        else:
            record["Status"] = {"SUCCEED": "SUCCEEDED", "FAIL": "FAILED"}[action]
            record["EndTimestamp"] = self.now_ms()

    def _finish(self, record: Json, outcome: Outcome) -> None:
        details = dict(record.get(DETAILS[record["Type"]], {}))
        put(details, "Result", outcome.result)
        put(details, "Error", dict(outcome.error) if outcome.error is not None else None)
        self._put(record | {"Status": outcome.status, "EndTimestamp": self.now_ms(), DETAILS[record["Type"]]: details})

    def _fire_timers(self) -> None:
        for record in list(self.operations.values()):
            due = due_ms(record)
            if due is None or due > self.now_ms():
                continue
            self._fired = True
            if record["Type"] == "WAIT":
                self._put(record | {"Status": "SUCCEEDED", "EndTimestamp": self.now_ms()})
            else:
                details = {key: value for key, value in record["StepDetails"].items() if key != "NextAttemptTimestamp"}
                self._put(record | {"Status": "READY", "StepDetails": details})

    def _hide_below(self, parent: str) -> None:
        for key, record in self.operations.items():
            if record.get("ParentId") == parent and key not in self._hidden:
                self._hidden.add(key)
                self._hide_below(key)


def due_ms(record: Mapping[str, Any]) -> int | None:
    """When a timer changes the record by itself."""
    due: int | None = None
    if record["Type"] == "WAIT" and record["Status"] == "STARTED":
        due = record["WaitDetails"]["ScheduledEndTimestamp"]
    elif record["Type"] == "STEP" and record["Status"] == "PENDING":
        due = record["StepDetails"]["NextAttemptTimestamp"]
    return due


def put(details: Json, key: str, value: object) -> None:
    """Set a member, or remove it where there is nothing to set."""
    if value is None:
        details.pop(key, None)
    else:
        details[key] = value


def describe(record: Mapping[str, Any]) -> str:
    """One operation in a message."""
    return f"{record['Type']} {record.get('Name')!r} {record['Status']}"
