"""What does replay cost for other shapes than a row of steps, in both colours?

The colour is that of our handler: the official SDK has `def` handlers only, and answers with one.
"""

from __future__ import annotations

import importlib
import json
import time
from datetime import timedelta
from functools import cache
from typing import Any, Literal

from benches import stand_in
from benches.events import (
    NAME,
    START_MS,
    Client,
    Colour,
    Json,
    LambdaContext,
    event_text,
    finished_step,
    open_context,
    operation_id,
    stored,
    takes_coroutines,
)
from benches.events import small_result as small

Shape = Literal["steps", "children", "mixed"]

CHILD_STEPS = 10
"""Steps of one child context; ten of these make one outer context."""


def ended(key: str, kind: str, sub_type: str, name: str | None = None, **details: Any) -> Json:
    """An operation that succeeded."""
    times = {"StartTimestamp": START_MS, "EndTimestamp": START_MS + 1}
    record = {"Id": key, "Type": kind, "SubType": sub_type, "Status": "SUCCEEDED", **times, **details}
    return record if name is None else {**record, "Name": name}


def replayed_context(key: str, parent: str | None = None) -> Json:
    """A finished context whose result was too large to keep, so that its body runs over its children again."""
    record = {**open_context(key, "RunInChildContext"), "Status": "SUCCEEDED", "EndTimestamp": START_MS + 1}
    record["ContextDetails"] = {"ReplayChildren": True}
    return record if parent is None else {**record, "ParentId": parent}


@cache
def event(sdk: str, shape: Shape, operations: int) -> str:
    """A history of that shape."""
    return event_text({"steps": steps, "children": children, "mixed": mixed}[shape](sdk, operations))


def steps(sdk: str, operations: int) -> list[Json]:
    """Finished steps in a row."""
    return [finished_step(n, stored(sdk, small(n)), NAME) for n in range(1, operations + 1)]


def children(sdk: str, operations: int) -> list[Json]:
    """Finished steps two contexts deep."""
    records = []
    for outer in range(1, operations // (CHILD_STEPS * 10) + 1):
        outer_id = operation_id(None, outer)
        records.append(replayed_context(outer_id))
        for inner in range(1, 11):
            inner_id = operation_id(outer_id, inner)
            records.append(replayed_context(inner_id, outer_id))
            for n in range(1, CHILD_STEPS + 1):
                step = finished_step(n, stored(sdk, small(n)), NAME)
                records.append({**step, "Id": operation_id(inner_id, n), "ParentId": inner_id})
    return records


def mixed(sdk: str, operations: int) -> list[Json]:
    """A step, a wait, an invoke and a child context by turns."""
    records = []
    for n in range(1, operations + 1, 4):
        keys = [operation_id(None, n + offset) for offset in range(4)]
        text = stored(sdk, small(n))
        records += [
            finished_step(n, text, NAME),
            ended(keys[1], "WAIT", "Wait", WaitDetails={"ScheduledEndTimestamp": START_MS + 1}),
            ended(keys[2], "CHAINED_INVOKE", "ChainedInvoke", "ship", ChainedInvokeDetails={"Result": json.dumps({})}),
            ended(keys[3], "CONTEXT", "RunInChildContext", "refund", ContextDetails={"Result": text}),
        ]
    return records


def never(*_: object) -> Any:
    """The body of what has finished."""
    raise AssertionError("what had finished ran again")


def plain(shape: Shape, operations: int, pause: Any) -> Any:
    """The handler as `def`."""

    def inner(context: Any) -> int:
        return sum(context.step(never, NAME)["lines"] >= 0 for _ in range(CHILD_STEPS))

    def outer(context: Any) -> int:
        return sum(context.run_in_child_context(inner) for _ in range(10))

    def handler(_: object, context: Any) -> int:
        count = 0
        if shape == "steps":
            for _ in range(operations):
                count += context.step(never, NAME)["lines"] >= 0
        elif shape == "children":
            for _ in range(operations // (CHILD_STEPS * 10)):
                count += context.run_in_child_context(outer)
        else:
            for _ in range(operations // 4):
                context.step(never, NAME)
                context.wait(pause)
                context.invoke("ship", {}, "ship")
                context.run_in_child_context(never, "refund")
                count += 4
        return count

    return handler


def coroutine(shape: Shape, operations: int, pause: Any) -> Any:
    """The handler as `async def`."""

    async def inner(context: Any) -> int:
        count = 0
        for _ in range(CHILD_STEPS):
            count += (await context.step(never, NAME))["lines"] >= 0
        return count

    async def outer(context: Any) -> int:
        count = 0
        for _ in range(10):
            count += await context.run_in_child_context(inner)
        return count

    async def handler(_: object, context: Any) -> int:
        count = 0
        if shape == "steps":
            for _ in range(operations):
                count += (await context.step(never, NAME))["lines"] >= 0
        elif shape == "children":
            for _ in range(operations // (CHILD_STEPS * 10)):
                count += await context.run_in_child_context(outer)
        else:
            for _ in range(operations // 4):
                await context.step(never, NAME)
                await context.wait(pause)
                await context.invoke("ship", {}, "ship")
                await context.run_in_child_context(never, "refund")
                count += 4
        return count

    return handler


def measure(sdk: str, shape: Shape, steps: int, colour: Colour = "def") -> float:
    """Microseconds per step, or per operation of the mixture."""
    module = importlib.import_module(sdk)
    pause = importlib.import_module(f"{sdk}.config").Duration.from_seconds(1)
    handler = (coroutine if takes_coroutines(sdk, colour) else plain)(shape, steps, pause)
    durable = module.durable_execution(handler, boto3_client=Client())
    invocation, lambda_context = json.loads(event(sdk, shape, steps)), LambdaContext()
    started = time.perf_counter()
    output = durable(invocation, lambda_context)
    elapsed = time.perf_counter() - started
    assert output == {"Status": "SUCCEEDED", "Result": str(steps)}, output
    return elapsed / steps * 1e6


def floor(shape: Shape, steps: int, colour: Colour = "def") -> float:
    """Microseconds per turn of the same loops, over methods that return what was made before."""
    asynchronous = colour == "async def"
    handler = (coroutine if asynchronous else plain)(shape, steps, timedelta(seconds=1))
    given = stand_in.context(asynchronous=asynchronous, enters=shape == "children")
    return stand_in.seconds(handler, given) / steps * 1e6
