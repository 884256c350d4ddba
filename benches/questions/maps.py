"""What does one item of a map cost, the first time and when it is replayed, and how many threads does it take?"""

from __future__ import annotations

import asyncio
import importlib
import json
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

from benches import stand_in
from benches.events import (
    Client,
    Colour,
    LambdaContext,
    event_text,
    finished_branch,
    open_context,
    open_wait,
    operation_id,
    takes_coroutines,
)

What = Literal["time", "threads", "replay"]


def measure(
    sdk: str, items: int, latency_ms: int = 0, what: What = "time", waiting: int = 1, colour: Colour = "def"
) -> float:
    """Microseconds per one-step item of a map that runs for the first time, or the most threads beside the main one.

    With `what="replay"`, microseconds per branch instead: `items` are finished and `waiting` others are at a wait.
    """
    if what == "replay":
        return replay(sdk, items, waiting, colour)
    module = importlib.import_module(sdk)
    map_ = Map(items)
    handler = map_.coroutine if takes_coroutines(sdk, colour) else map_.plain
    durable = module.durable_execution(handler, boto3_client=Client(latency_ms / 1000))
    output = durable(json.loads(event_text([])), LambdaContext())
    assert output == {"Status": "SUCCEEDED", "Result": str(items)}, output
    return float(map_.most_threads - map_.threads_before) if what == "threads" else map_.spent_s / items * 1e6


class Map:
    """A handler whose map runs for the first time, in both colours, and what is to be told of it."""

    def __init__(self, items: int) -> None:
        self.items = items
        self.spent_s = 0.0
        self.threads_before = self.most_threads = threading.active_count()

    def item(self, branch: Any, value: int, _index: int, _inputs: Any) -> Any:
        """One step."""
        self.most_threads = max(self.most_threads, threading.active_count())
        return branch.step(lambda _: value)

    async def coroutine_item(self, branch: Any, value: int, _index: int, _inputs: Any) -> Any:
        """The same as `async def`."""
        return await branch.step(lambda _: value)

    def plain(self, _: object, context: Any) -> int:
        """As `def`."""
        started = time.perf_counter()
        batch = context.map(range(self.items), self.item)
        self.spent_s = time.perf_counter() - started
        return int(batch.success_count)

    async def coroutine(self, _: object, context: Any) -> int:
        """As `async def`."""
        started = time.perf_counter()
        batch = await context.map(range(self.items), self.coroutine_item)
        self.spent_s = time.perf_counter() - started
        return int(batch.success_count)


def replay(sdk: str, items: int, waiting: int, colour: Colour) -> float:
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
    handler = (waiting_coroutine if takes_coroutines(sdk, colour) else waiting_plain)(items + waiting, pause)
    durable = module.durable_execution(handler, boto3_client=Client())
    event = json.loads(event_text(records))
    started = time.perf_counter()
    output = durable(event, LambdaContext())
    spent = time.perf_counter() - started
    assert output == {"Status": "PENDING"}, output
    return spent / (items + waiting) * 1e6


def waiting_plain(branches: int, pause: Any) -> Any:
    """A handler whose unfinished branches wait, as `def`."""

    def item(branch: Any, _value: int, _index: int, _inputs: Any) -> None:
        branch.wait(pause)

    def handler(_: object, context: Any) -> int:
        return int(context.map(range(branches), item).success_count)

    return handler


def waiting_coroutine(branches: int, pause: Any) -> Any:
    """The same as `async def`."""

    async def item(branch: Any, _value: int, _index: int, _inputs: Any) -> None:
        await branch.wait(pause)

    async def handler(_: object, context: Any) -> int:
        return int((await context.map(range(branches), item)).success_count)

    return handler


Items = Sequence[int]
Item = Callable[[Any, int, int, Items], Any]


class Succeeded:
    """A batch's result, as far as the handlers look at it."""

    def __init__(self, count: int) -> None:
        self.success_count = count


def floor(items: int, latency_ms: int = 0, what: What = "time", waiting: int = 1, colour: Colour = "def") -> float:
    """Microseconds per item of a loop over them without an SDK."""
    asynchronous = colour == "async def"
    if what == "replay":
        return (looked_up_and_awaited if asynchronous else looked_up)(items, waiting) / (items + waiting) * 1e6
    client, map_ = Client(latency_ms / 1000), Map(items)
    given = stand_in.Context(None)
    given.map = (in_tasks if asynchronous else in_turn)(client, items)
    handler: Callable[[Any, Any], Any] = map_.coroutine if asynchronous else map_.plain
    ended = stand_in.loop().run_until_complete(handler(None, given)) if asynchronous else handler(None, given)
    assert ended == items, ended
    return map_.spent_s / items * 1e6


def in_turn(client: Client, items: int) -> Callable[[Items, Item], Succeeded]:
    """A map that runs its items one after the other, and has the client answer for all of them in as few requests as
    there can be: each takes as many updates as both SDKs put into one. So many are answered by 64 threads, too.
    """
    branch = stand_in.Context(None)
    branch.step = lambda body: body(None)
    updates = stand_in.map_updates(items)

    def run(inputs: Items, item: Item) -> Succeeded:
        for index, value in enumerate(inputs):
            item(branch, value, index, inputs)
        stand_in.acknowledge(client, updates)
        return Succeeded(len(inputs))

    return run


def in_tasks(client: Client, items: int) -> Callable[[Items, Item], Any]:
    """The same as coroutines, each in a task."""
    branch = stand_in.Context(None)

    async def step(body: Callable[[object], Any]) -> Any:
        result = body(None)
        return await result if asyncio.iscoroutine(result) else result

    branch.step = step
    updates = stand_in.map_updates(items)

    async def run(inputs: Items, item: Item) -> Succeeded:
        await asyncio.gather(*(item(branch, value, index, inputs) for index, value in enumerate(inputs)))
        stand_in.acknowledge(client, updates)
        return Succeeded(len(inputs))

    return run


def looked_up(items: int, waiting: int) -> float:
    """Seconds of a map that asks a method in C for each finished branch, and runs the others up to their wait."""
    find = stand_in.returning(stand_in.PREBUILT)
    branch, given = stand_in.Context(None), stand_in.Context(None)
    branch.wait = stand_in.suspend

    def run(inputs: Items, item: Item) -> Succeeded:
        for index, value in enumerate(inputs):
            if index < items:
                find(branch, value, index, inputs)
                continue
            try:
                item(branch, value, index, inputs)
            except stand_in.Suspended:
                continue
        return Succeeded(items)

    given.map = run
    return stand_in.seconds(waiting_plain(items + waiting, None), given)


def looked_up_and_awaited(items: int, waiting: int) -> float:
    """The same as coroutines: what is found is a future that is done, what waits is left where it is."""
    find = stand_in.returning(stand_in.future(stand_in.PREBUILT))
    branch, given = stand_in.Context(stand_in.future()), stand_in.Context(None)

    async def run(inputs: Items, item: Item) -> Succeeded:
        parked = []
        for index, value in enumerate(inputs):
            if index < items:
                await find(branch, value, index, inputs)
                continue
            parked.append(item(branch, value, index, inputs))
            stand_in.drive(parked[-1])
        return Succeeded(items)

    given.map = run
    return stand_in.seconds(waiting_coroutine(items + waiting, None), given)
