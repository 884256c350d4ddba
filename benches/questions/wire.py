"""What do the SDKs cost over their own clients: pages of state, fresh steps, and the start of a cold process?

Each figure is that of a process of its own, because both SDKs keep the client that they make first.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from typing import Any, Literal

from benches.events import ARN, LambdaContext, event_text, execution_record, finished_step, small_result
from benches.questions.replay import NAME, stored
from benches.service import service

What = Literal["pages", "fresh", "cold"]


def measure(sdk: str, what: What, steps: int = 1, latency_ms: int = 0, transport: str = "boto3") -> float:
    """Microseconds per operation (pages), milliseconds a step beyond the latency (fresh), or milliseconds (cold)."""
    records = [finished_step(n, stored(sdk, small_result(n)), NAME) for n in range(1, steps + 1)] * (what == "pages")
    with service(records, latency_ms) as found:
        environment = os.environ | found | {"DURABLE_EXECUTION_TRANSPORT": transport}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a deployed package comes with its bytecode
        command = [sys.executable, "-m", "benches.questions.wire", sdk, what, str(steps)]
        started = time.perf_counter()
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        elapsed = time.perf_counter() - started
    if what == "cold":
        return elapsed * 1e3
    spent = float(done.stdout)
    return spent / steps * 1e6 if what == "pages" else spent / steps * 1e3 - latency_ms


def run(sdk: str, what: What, steps: int) -> float:
    """Seconds of the handler's loop (fresh) or of the invocation."""
    module = importlib.import_module(sdk)
    spent = 0.0

    def handler(_: object, context: Any) -> int:
        nonlocal spent
        if what == "pages":
            return sum(context.step(lambda _: None, NAME)["lines"] >= 0 for _ in range(steps))
        context.step(lambda _: 0)  # makes the client and its connection
        started = time.perf_counter()
        for number in range(steps if what == "fresh" else 0):
            context.step(lambda _, number=number: {"order": number})
        spent = time.perf_counter() - started
        return steps

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
    return spent if what == "fresh" else elapsed


if __name__ == "__main__":
    print(run(sys.argv[1], sys.argv[2], int(sys.argv[3])))  # type: ignore[arg-type]  # one of `What`
