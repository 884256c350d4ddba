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


def measure(
    sdk: str, items: int, latency_ms: int = 0, what: str = "time", waiting: int = 1, colour: str = "def"
) -> float:
    """Microseconds per one-step item of a map that runs for the first time, or the most threads beside the main one.

    With `what="replay"`, microseconds per finished branch instead.
    """
    if what == "replay":
        return replay(sdk, items, waiting, asynchronous=colour == "async def" and sdk == "durable_execution_sdk")
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


def replay(sdk: str, items: int, waiting: int, *, asynchronous: bool) -> float:
    """Microseconds per branch of a map: `items` of them are finished, and the `waiting` others are at a wait."""
    module = importlib.import_module(sdk)
    pause = importlib.import_module(f"{sdk}.config").Duration.from_hours(1)
    batch = operation_id(None, 1)
    records = [open_context(batch, "Map"), *(finished_branch(batch, index, str(index)) for index in range(items))]
    for index in range(items, items + waiting):
        branch = operation_id(batch, index)
        records += [
            {**open_context(branch, "MapIteration"), "Name": f"map-item-{index}", "ParentId": batch},
            {**open_wait(1), "Id": operation_id(branch, 1), "ParentId": branch},
        ]
    text = event_text(records)

    def item(branch: Any, value: int, index: int, inputs: Any) -> None:
        branch.wait(pause)

    async def coroutine_item(branch: Any, value: int, index: int, inputs: Any) -> None:
        await branch.wait(pause)

    def handler(_: object, context: Any) -> int:
        return int(context.map(range(items + waiting), item).success_count)

    async def coroutine(_: object, context: Any) -> int:
        return int((await context.map(range(items + waiting), coroutine_item)).success_count)

    chosen: Any = coroutine if asynchronous else handler
    durable = module.durable_execution(chosen, boto3_client=Client())
    event = json.loads(text)
    started = time.perf_counter()
    output = durable(event, LambdaContext())
    spent = time.perf_counter() - started
    assert output == {"Status": "PENDING"}, output
    return spent / (items + waiting) * 1e6
