"""What does the SDK add to a step that runs for the first time?"""

from __future__ import annotations

import importlib
import json
import time

from benches.events import Client, LambdaContext, event_text


def measure(sdk: str, latency_ms: int, steps: int = 50) -> float:
    """Milliseconds per step beyond the time that the service takes for one request."""
    added, _ = run(sdk, latency_ms, steps)
    return added


def run(sdk: str, latency_ms: int, steps: int) -> tuple[float, float]:
    """Milliseconds added per step, and requests per step."""
    module = importlib.import_module(sdk)
    client = Client(latency_ms / 1000)
    spent = 0.0

    def handler(_: object, context: object) -> None:
        nonlocal spent
        started = time.perf_counter()
        for number in range(steps):
            context.step(lambda _, number=number: {"order": number})  # type: ignore[attr-defined]  # either SDK's
        spent = time.perf_counter() - started

    durable = module.durable_execution(handler, boto3_client=client)
    output = durable(json.loads(event_text([])), LambdaContext())
    assert output["Status"] == "SUCCEEDED", output
    return (spent - client.busy_s) / steps * 1e3, client.requests / steps
