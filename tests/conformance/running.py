"""Runs a requirement's handler on the embedded engine, and plays the outside world."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from durable_execution_sdk.engine import Engine, ExecutionEnded, OperationRecord, Progress, VirtualClock
from tests.conformance.handlers import Registered
from tests.conformance.requirements import Requirement
from tests.conformance.validator import Bindings


@dataclass(slots=True)
class _Line:
    """The actions for one callback name, carried out one after the other."""

    name: str
    actions: deque[dict[str, Any]]
    last_ms: int = 0


@dataclass
class Outside:
    """Sends what the requirement says to callbacks, in virtual time.

    The engine tells whenever the execution is suspended, and until when. What is due before that time comes is then
    sent: an action's delay counts from the moment its callback is there and the one before it is done.
    """

    actions: list[dict[str, Any]]
    clock: VirtualClock
    engine: Engine = field(init=False)
    arn: str | None = None

    def __post_init__(self) -> None:
        names = dict.fromkeys(action["CallbackName"] for action in self.actions)
        self._lines = [
            _Line(name, deque(action for action in self.actions if action["CallbackName"] == name)) for name in names
        ]

    def watch(self, progress: Progress) -> None:
        """Act if the execution waits and an action comes first."""
        if progress.arn != self.arn or progress.running or progress.status != "RUNNING":
            return
        open_ones = [
            operation
            for operation in self.engine.operations(progress.arn)
            if operation.operation_type == "CALLBACK" and not operation.is_terminal
        ]
        possible = [
            (max(callback.start_ms, line.last_ms) + 1000 * line.actions[0].get("Delay", 0), line, callback)
            for line in self._lines
            if line.actions and (callback := _called(line.name, open_ones)) is not None
        ]
        if not possible:
            return
        due_ms, line, callback = min(possible, key=lambda one: one[0])
        if progress.waiting_until_ms is not None and progress.waiting_until_ms < due_ms:
            return
        self.clock.catch_up(due_ms)
        line.last_ms = due_ms
        self._send(line.actions.popleft(), callback.callback_id or "")

    def _send(self, action: dict[str, Any], callback_id: str) -> None:
        payload = action.get("Payload")
        match action["Operation"]:
            case "success":
                self.engine.send_callback_success(callback_id, None if payload is None else json.dumps(payload))
            case "failure":
                self.engine.send_callback_failure(
                    callback_id, payload.get("ErrorMessage"), error_type=payload.get("ErrorType")
                )
            case "heartbeat":
                self.engine.send_callback_heartbeat(callback_id)
            case other:
                raise ValueError(f"{other!r} is no operation on a callback")

    @property
    def left(self) -> list[dict[str, Any]]:
        """Actions that could not be carried out."""
        return [action for line in self._lines for action in line.actions]


def _called(name: str, callbacks: list[OperationRecord]) -> OperationRecord | None:
    return next((callback for callback in callbacks if name in {"*", callback.name}), None)


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of an execution."""

    status: str
    result: Any
    events: list[dict[str, Any]]
    undone: list[dict[str, Any]]


def run(requirement: Requirement, registered: Registered, bindings: Bindings) -> Ran:
    """Run the requirement's execution to its end."""
    clock = VirtualClock()
    outside = Outside(bindings.fill(requirement.says.get("CallbackActions") or []), clock)
    with Engine(
        clock=clock,
        functions=registered.targets,
        observer=outside.watch,
        isolation="process" if registered.crashes else "inline",
    ) as engine:
        outside.engine = engine
        created = engine.create(registered.handler, bindings.fill(requirement.says.get("Input")))
        outside.arn = created.arn
        try:
            result = engine.resume(created.arn)
        except ExecutionEnded:
            result = None
        return Ran(engine.describe(created.arn).status, result, [*engine.history(created.arn)], outside.left)
