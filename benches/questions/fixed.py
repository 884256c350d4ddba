"""What does an invocation cost that does nothing, or that suspends at once?"""

from __future__ import annotations

import importlib
import json
import time

from benches.events import Client, LambdaContext, event_text, open_wait


def measure(sdk: str, ending: str, times: int = 5) -> float:
    """Milliseconds per invocation: `empty` returns at once, `suspending` comes upon a wait that is not over."""
    module = importlib.import_module(sdk)
    duration = importlib.import_module(f"{sdk}.config").Duration.from_hours(1)

    def handler(_: object, context: object) -> None:
        if ending == "suspending":
            context.wait(duration)  # type: ignore[attr-defined]  # either SDK's context

    durable = module.durable_execution(handler, boto3_client=Client())
    expected = {"empty": "SUCCEEDED", "suspending": "PENDING"}[ending]
    text = event_text([open_wait(1)] if ending == "suspending" else [])
    elapsed = []
    for _ in range(times):
        invocation, lambda_context = json.loads(text), LambdaContext()
        started = time.perf_counter()
        output = durable(invocation, lambda_context)
        elapsed.append(time.perf_counter() - started)
        assert output["Status"] == expected, output
    return sorted(elapsed)[len(elapsed) // 2] * 1e3
