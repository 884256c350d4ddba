"""The child process of one invocation: `python -m durable_execution_sdk.engine.worker DESCRIPTOR MODULE:HANDLER`.

It speaks with the engine over an inherited socket, and dies with it: when the other end is closed, for whatever reason,
the process ends at once, so no orphan goes on executing a step that a second engine executes too.
"""

from __future__ import annotations

import json
import os
import queue
import socket
import sys
import threading
from typing import Any

from durable_execution_sdk.engine import errors, frames
from durable_execution_sdk.engine.clock import EngineClock, RealClock, ScaledClock, VirtualClock
from durable_execution_sdk.engine.functions import load
from durable_execution_sdk.engine.invoking import (
    EngineLambdaContext,
    EngineTransport,
    exception_error,
    run_handler,
)
from durable_execution_sdk.engine.records import Answered, Crashed, InvocationOutcome, Malformed


class _RemoteCalls:
    """The service at the other end of the socket. One call at a time, as the wire has it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._guard = threading.Lock()
        self._answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def listen(self) -> None:
        """Take in answers; the end of the engine is the end of this process."""
        while True:
            try:
                frame = frames.receive(self._connection)
            except OSError:
                frame = None
            if frame is None:
                os._exit(1)
            self._answers.put(frame)

    def checkpoint(self, arn: str, body: bytes) -> bytes:
        return self._call(frames.CHECKPOINT + arn.encode() + b"\n" + body)

    def state(self, arn: str, token_text: str | None, marker: str | None, max_items: int) -> bytes:
        return self._call(frames.STATE + json.dumps([arn, token_text, marker, max_items]).encode())

    def tell(self, outcome: InvocationOutcome) -> None:
        match outcome:
            case Answered(status, result, error):
                values: list[Any] = ["answered", status, result, error]
            case Malformed(error):
                values = ["malformed", error]
            case Crashed(error):
                values = ["crashed", error]
            case _:
                values = ["crashed", None]
        frames.send(self._connection, frames.OUTCOME + json.dumps(values).encode())

    def _call(self, frame: bytes) -> bytes:
        with self._guard:
            frames.send(self._connection, frame)
            answer = self._answers.get()
        kind, body = answer[:1], answer[1:]
        if kind == frames.ANSWER:
            return body
        name, message = json.loads(body)
        fault = getattr(errors, name, None) if name else None
        raise fault(message) if fault is not None else RuntimeError(message)


def _clock(scale: float, now_ms: int) -> EngineClock:
    if scale == 1:
        return RealClock()
    if scale == 0:
        return VirtualClock(now_ms)
    clock = ScaledClock(scale)
    clock.catch_up(now_ms)
    return clock


def main(descriptor: str, target: str) -> None:
    """Run one invocation and tell how it came out."""
    connection = socket.socket(fileno=int(descriptor))
    first = frames.receive(connection)
    if first is None:
        return
    started = json.loads(first)
    calls = _RemoteCalls(connection)
    threading.Thread(target=calls.listen, daemon=True).start()
    try:
        handler = load(target)
    except Exception as error:
        calls.tell(Crashed(exception_error(error)))
        return
    outcome = run_handler(
        handler,
        started["event"],
        EngineLambdaContext(**started["context"]),
        EngineTransport(calls),
        _clock(started["scale"], started["now_ms"]),
        started["plain_input"],
    )
    calls.tell(outcome)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
