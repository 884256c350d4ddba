"""The process that `questions/wire.py` times: a handler over an SDK's own client, or requests without an SDK.

    python -m benches.wire_program SDK WHAT STEPS COLOUR      prints seconds

A cold process is timed from its start to its end, and whatever is imported here is added to both sides of that
comparison. So this module imports what every handler's process has, and the rest where it is used.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from benches.events import (
    ARN,
    NAME,
    STEP_UPDATES,
    Colour,
    LambdaContext,
    event_text,
    execution_record,
    takes_coroutines,
)


def plain(what: str, steps: int, spent: list[float]) -> Any:
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


def coroutine(what: str, steps: int, spent: list[float]) -> Any:
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


def run(sdk: str, what: str, steps: int, colour: Colour) -> float:
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
    return median(spent) if what == "fresh" else elapsed


def alone(what: str, steps: int) -> float:
    """Seconds of a request without an SDK."""
    send = boto3_call() if what == "boto3 alone" else socket_exchange()
    send()  # makes the connection
    spent = []
    for _ in range(steps):
        started = time.perf_counter()
        send()
        spent.append(time.perf_counter() - started)
    return median(spent or [0.0])


def median(figures: list[float]) -> float:
    """The one in the middle."""
    import statistics  # brings a tenth of what the SDK itself imports

    return statistics.median(figures)


def boto3_call() -> Callable[[], object]:
    """A checkpoint by a boto3 client."""
    import boto3

    client: Any = boto3.client("lambda")
    return lambda: client.checkpoint_durable_execution(
        DurableExecutionArn=ARN, CheckpointToken="token-1", Updates=STEP_UPDATES
    )


def socket_exchange() -> Callable[[], object]:
    """A checkpoint in prepared bytes: what the way to the service and back costs, and waking up on either side."""
    import socket
    from urllib.parse import urlsplit

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
        print(alone(_what, int(_steps)))
    else:
        print(run(_sdk, _what, int(_steps), _colour))  # type: ignore[arg-type]  # one of each
