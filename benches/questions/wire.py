"""What do the SDKs cost over their own clients: pages of state, fresh steps, and the start of a cold process?

Each figure is that of a process of its own, because both SDKs keep the client that they make first. Two more say what a
request costs without an SDK: the same updates by a boto3 client, and prepared bytes over a bare socket.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import urlsplit

from benches.events import (
    ARN,
    NAME,
    STEP_UPDATES,
    Colour,
    Json,
    LambdaContext,
    event_text,
    execution_record,
    finished_step,
    small_result,
    stored,
    takes_coroutines,
)
from benches.service import service

What = Literal["pages", "fresh", "cold", "boto3 alone", "socket alone"]
BESIDE_TIMES = ("fresh", "boto3 alone", "socket alone")
"""What is a median of single requests, less the time for which the service held them."""


def measure(
    sdk: str, what: What, steps: int = 1, latency_ms: int = 0, transport: str = "boto3", colour: Colour = "def"
) -> float:
    """Microseconds per operation (pages), milliseconds to the end of a process (cold), else milliseconds a request.

    Of a request, the time for which the service held it is taken off: the latency, and what its timer adds to that.
    Without an SDK, no steps at all stand for a cold process, which makes its connection and sends one request.
    """
    paged = range(1, steps + 1) if what == "pages" else ()
    records = [finished_step(n, stored(sdk, small_result(n)), NAME) for n in paged]
    spent, elapsed, held_ms = process(records, latency_ms, transport, [sdk, what, str(steps), colour])
    if what == "cold" or not steps:
        return elapsed * 1e3
    return spent * 1e3 - held_ms if what in BESIDE_TIMES else spent / steps * 1e6


def floor(what: What, steps: int = 1, latency_ms: int = 0, transport: str = "boto3", colour: Colour = "def") -> float:
    """In the unit of its row: of pages, the loop over a method in C; else prepared bytes over a bare socket."""
    if what == "pages":
        from benches.questions import shapes  # not at the top: this module is part of every cold process

        return shapes.floor("steps", steps, colour)
    return measure("", "socket alone", 0 if what == "cold" else steps, latency_ms, transport)


def process(records: list[Json], latency_ms: int, transport: str, arguments: list[str]) -> tuple[float, float, float]:
    """What this module prints as a program, how long that took, and for how long the service held a request (ms)."""
    with service(records, latency_ms) as running:
        environment = os.environ | running.environment | {"DURABLE_EXECUTION_TRANSPORT": transport}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a deployed package comes with its bytecode
        command = [sys.executable, "-m", "benches.questions.wire", *arguments]
        started = time.perf_counter()
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        elapsed = time.perf_counter() - started
    return float(done.stdout), elapsed, running.held_ms


def plain(what: What, steps: int, spent: list[float]) -> Any:
    """The handler as `def`."""

    def handler(_: object, context: Any) -> int:
        if what == "pages":
            return sum(context.step(lambda _: None, NAME)["lines"] >= 0 for _ in range(steps))
        context.step(lambda _: 0)  # makes the client and its connection
        for number in range(steps if what == "fresh" else 0):
            started = time.perf_counter()
            context.step(lambda _, number=number: {"order": number})
            spent.append(time.perf_counter() - started)
        return steps

    return handler


def coroutine(what: What, steps: int, spent: list[float]) -> Any:
    """The handler as `async def`."""

    async def handler(_: object, context: Any) -> int:
        count = 0
        if what == "pages":
            for _ in range(steps):
                count += (await context.step(lambda _: None, NAME))["lines"] >= 0
            return count
        await context.step(lambda _: 0)  # makes the client and its connection
        for number in range(steps if what == "fresh" else 0):
            started = time.perf_counter()
            await context.step(lambda _, number=number: {"order": number})
            spent.append(time.perf_counter() - started)
        return steps

    return handler


def run(sdk: str, what: What, steps: int, colour: Colour) -> float:
    """Seconds of a step (fresh) or of the invocation."""
    module = importlib.import_module(sdk)
    spent: list[float] = []
    handler = (coroutine if takes_coroutines(sdk, colour) else plain)(what, steps, spent)
    state = {"Operations": [execution_record()], "NextMarker": "m0"}
    paged = {"DurableExecutionArn": ARN, "CheckpointToken": "token-0", "InitialExecutionState": state}
    event = paged if what == "pages" else json.loads(event_text([]))
    durable = module.durable_execution(handler)
    if what == "pages":
        durable(json.loads(json.dumps(event)), LambdaContext())  # makes the client and its connection
    started = time.perf_counter()
    output = durable(event, LambdaContext())
    elapsed = time.perf_counter() - started
    assert output == {"Status": "SUCCEEDED", "Result": str(steps)}, output
    return statistics.median(spent) if what == "fresh" else elapsed


def alone(what: What, steps: int) -> float:
    """Seconds of a request without an SDK."""
    send = boto3_call() if what == "boto3 alone" else socket_exchange()
    send()  # makes the connection
    spent = []
    for _ in range(steps):
        started = time.perf_counter()
        send()
        spent.append(time.perf_counter() - started)
    return statistics.median(spent or [0.0])


def boto3_call() -> Callable[[], object]:
    """A checkpoint by a boto3 client."""
    import boto3

    client: Any = boto3.client("lambda")
    return lambda: client.checkpoint_durable_execution(
        DurableExecutionArn=ARN, CheckpointToken="token-1", Updates=STEP_UPDATES
    )


def socket_exchange() -> Callable[[], object]:
    """A checkpoint in prepared bytes: what the way to the service and back costs, and waking up on either side."""
    url = urlsplit(os.environ["AWS_ENDPOINT_URL_LAMBDA"])
    connection = socket.create_connection((url.hostname or "", url.port or 0))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    body = json.dumps({"CheckpointToken": "token-1", "Updates": STEP_UPDATES}).encode()
    head = f"POST /2025-12-01/durable-executions/x/checkpoint HTTP/1.1\r\nX: {'-' * 700}\r\nContent-Length: {len(body)}"

    def exchange() -> None:
        connection.sendall(b"%s\r\n\r\n%s" % (head.encode(), body))
        received = b""
        while not received.endswith(b"]}}"):
            received += connection.recv(65536)

    return exchange


if __name__ == "__main__":
    _, _sdk, _what, _steps, _colour = sys.argv
    if _what.endswith("alone"):
        print(alone(_what, int(_steps)))  # type: ignore[arg-type]  # one of `What`
    else:
        print(run(_sdk, _what, int(_steps), _colour))  # type: ignore[arg-type]  # one of each
