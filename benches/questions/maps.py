"""What does one item of a map cost, the first time and when it is replayed, and how many threads does it take?"""

from __future__ import annotations

import importlib
import json
import threading
import time
from typing import Any

from benches.events import (
    Client,
    LambdaContext,
    event_text,
    finished_branch,
    open_context,
    open_wait,
    operation_id,
)


def measure(sdk: str, items: int, latency_ms: int = 0, what: str = "time") -> float:
    """Microseconds per one-step item of a map that runs for the first time, or the most threads beside the main one.

    With `what="replay"`, microseconds per finished branch instead.
    """
    if what == "replay":
        return replay(sdk, items)
    module = importlib.import_module(sdk)
    client = Client(latency_ms / 1000)
    most = threading.active_count()
    before = most
    spent = 0.0

    def item(branch: Any, value: int, index: int, inputs: Any) -> Any:
        nonlocal most
        most = max(most, threading.active_count())
        return branch.step(lambda _: value)

    def handler(_: object, context: Any) -> int:
        nonlocal spent
        started = time.perf_counter()
        batch = context.map(range(items), item)
        spent = time.perf_counter() - started
        return int(batch.success_count)

    durable = module.durable_execution(handler, boto3_client=client)
    output = durable(json.loads(event_text([])), LambdaContext())
    assert output == {"Status": "SUCCEEDED", "Result": str(items)}, output
    return float(most - before) if what == "threads" else spent / items * 1e6


def replay(sdk: str, items: int) -> float:
    """Microseconds per finished branch of a map that waits for its last one."""
    module = importlib.import_module(sdk)
    client = Client()
    batch = operation_id(None, 1)
    last = operation_id(batch, items)
    records = [
        open_context(batch, "Map"),
        *(finished_branch(batch, index, str(index)) for index in range(items)),
        {**open_context(last, "MapIteration"), "Name": f"map-item-{items}", "ParentId": batch},
        {**open_wait(1), "Id": operation_id(last, 1), "ParentId": last},
    ]
    text = event_text(records)

    def item(branch: Any, value: int, index: int, inputs: Any) -> None:
        branch.wait(importlib.import_module(f"{sdk}.config").Duration(3600))

    durable = module.durable_execution(
        lambda _, context: context.map(range(items + 1), item).success_count, boto3_client=client
    )
    event = json.loads(text)
    started = time.perf_counter()
    output = durable(event, LambdaContext())
    spent = time.perf_counter() - started
    assert output == {"Status": "PENDING"}, output
    return spent / items * 1e6
