"""Random async workflows, and the run that tries each with an end of the process or a suspension at every request.

A program is data: hypothesis shrinks it, and a failing one can be pasted into a test. Unlike the programs of
`tests.support.colours`, what these do depends on what finishes first. So no two executions need to agree, but every
invocation of one execution must repeat what user code saw in the invocations before it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from durable_execution_sdk._drivers.aio.loop import DurableEventLoop, loop_of_thread
from durable_execution_sdk._drivers.invocation import DurableFunction
from durable_execution_sdk._model.config import StepConfig
from durable_execution_sdk._model.duration import Duration
from durable_execution_sdk._model.strategies import RetryDecision
from tests.support.deliveries import with_rules
from tests.support.fake_service import Crash, FakeService


@dataclass(frozen=True)
class Step:
    """Its body takes `turns` turns of the loop and fails `failures` times, of two attempts; `plain` is a `def` body."""

    turns: int = 0
    failures: int = 0
    plain: bool = False


@dataclass(frozen=True)
class Wait:
    seconds: int


@dataclass(frozen=True)
class Turns:
    """The task itself gives way to others so often."""

    count: int


@dataclass(frozen=True)
class Fail:
    """The task raises."""


@dataclass(frozen=True)
class Tasks:
    """One task for each body, brought together in one of asyncio's ways."""

    how: str
    bodies: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Child:
    body: tuple[Any, ...]


@dataclass(frozen=True)
class Combined:
    """A combinator of `ctx.promise` over leaves: steps and waits."""

    how: str
    leaves: tuple[Any, ...]


WAYS = ("gather", "group", "backwards", "first", "as_completed", "shield", "lock", "queue", "event")
COMBINATORS = ("all", "all_settled", "any", "race")

steps = st.builds(Step, st.integers(0, 3), st.sampled_from([0, 0, 0, 1, 2]), st.booleans())
leaves = st.one_of(steps, steps, st.builds(Wait, st.integers(1, 3)))
combined = st.builds(Combined, st.sampled_from(COMBINATORS), st.lists(leaves, min_size=1, max_size=3).map(tuple))
simple = st.one_of(leaves, leaves, st.builds(Turns, st.integers(1, 3)), st.builds(Fail), combined)


def _inner(nodes: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    body = st.lists(nodes, min_size=1, max_size=3).map(tuple)
    bodies = st.lists(body, min_size=2, max_size=3).map(tuple)
    tasks = st.builds(Tasks, st.sampled_from(WAYS), bodies)
    return st.one_of(tasks, tasks, st.builds(Child, body))


programs = st.lists(st.recursive(simple, _inner, max_leaves=10), min_size=1, max_size=4).map(tuple)

Trace = dict[str, list[Any]]
"""The place of a context in the program -> what its tasks saw, in order."""


class Boom(Exception):
    """What programs raise."""


def _twice(error: Exception, attempt: int) -> RetryDecision:
    return RetryDecision.retry(Duration(1)) if attempt < 2 else RetryDecision.no_retry()


def handler_of(program: tuple[Any, ...], trace: Trace) -> Callable[[Any, Any], Any]:
    """The handler of a program; it writes into `trace`."""

    async def handler(event: Any, ctx: Any) -> str:
        await _Body(ctx, trace.setdefault("", []), trace).run(program, "")
        return repr(trace[""])

    return handler


class _Body:
    """What runs in one context."""

    def __init__(self, ctx: Any, seen: list[Any], trace: Trace) -> None:
        self.ctx = ctx
        self.seen = seen
        self.trace = trace

    async def run(self, nodes: tuple[Any, ...], place: str) -> str:
        for index, node in enumerate(nodes):
            here = f"{place}/{index}"
            if isinstance(node, Fail):
                self.seen.append((here, "raises"))
                raise Boom(here)
            try:
                found = await self._node(node, here)
            except Exception as error:
                found = [type(error).__name__, [str(one) for one in getattr(error, "exceptions", [])]]
            self.seen.append((here, found))
        return place

    async def _node(self, node: Any, here: str) -> Any:
        match node:
            case Step() | Wait():
                return await self._leaf(node, here)
            case Turns(count):
                for _ in range(count):
                    await asyncio.sleep(0)
                return count
            case Child(body):

                async def child(ctx: Any) -> str:
                    return await _Body(ctx, self.trace.setdefault(here, []), self.trace).run(body, here)

                return await self.ctx.run_in_child_context(child, "child")
            case Combined(how, parts):
                promises = [self._leaf(part, f"{here}.{index}") for index, part in enumerate(parts)]
                return repr(await getattr(self.ctx.promise, how)(promises))
            case Tasks(how, bodies):
                return await self._tasks(how, bodies, here)
        raise AssertionError(node)

    def _leaf(self, node: Any, here: str) -> Any:
        if isinstance(node, Wait):
            return self.ctx.wait(Duration(node.seconds))

        async def native(step: Any) -> str:
            for _ in range(node.turns):
                await asyncio.sleep(0)
            return plain(step)

        def plain(step: Any) -> str:
            if step.attempt <= node.failures:
                raise Boom(here)
            return here

        return self.ctx.step(plain if node.plain else native, "step", StepConfig(_twice))

    async def _tasks(self, how: str, bodies: tuple[tuple[Any, ...], ...], here: str) -> Any:
        lock, queue, event = asyncio.Lock(), asyncio.Queue[str](), asyncio.Event()

        async def task(index: int) -> str:
            place = f"{here}.{index}"
            if how == "event" and index == 0:
                await event.wait()
            try:
                if how == "lock":
                    async with lock:
                        return await self.run(bodies[index], place)
                return await self.run(bodies[index], place)
            finally:
                queue.put_nowait(place)
                if index == 1:
                    event.set()

        if how == "group":
            async with asyncio.TaskGroup() as group:
                made = [group.create_task(task(index)) for index in range(len(bodies))]
            return [one.result() for one in made]
        tasks = [asyncio.create_task(task(index)) for index in range(len(bodies))]
        names = {one: index for index, one in enumerate(tasks)}
        match how:
            case "first":
                done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for one in rest:
                    one.cancel()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
                return [[names[one] for one in done], [type(one).__name__ for one in ended]]
            case "as_completed":
                order = []
                for one in asyncio.as_completed(tasks):
                    try:
                        order.append(await one)
                    except Boom as error:
                        order.append(str(error))
                return order
            case "backwards":
                return [await one for one in reversed(tasks)]
            case "shield":
                return [await asyncio.shield(one) for one in tasks]
            case "queue":
                return [await queue.get() for _ in tasks]
        return await asyncio.gather(*tasks)


class RisingService(FakeService):
    """What becomes visible later has a later millisecond; `fine` sets each update of a request apart as well."""

    stamps_rise = True

    def __init__(self, *, fine: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._fine = fine

    def checkpoint(self, arn: str, request: Any) -> Any:
        self.clock.time_ms += 1
        return super().checkpoint(arn, request)

    def _apply(self, update: dict[str, Any]) -> None:
        if self._fine:
            self.clock.time_ms += 1
        super()._apply(update)

    def advance(self) -> None:
        self.clock.time_ms += 1
        if self._version > self._seen:
            self.fire_due()
            return
        super().advance()


ENDINGS = ("before", "after", "revoke")


@dataclass(frozen=True)
class Ending:
    """How one invocation is ended: at which request, and by what ("before", "after": a crash; "revoke")."""

    at: int
    by: str


@contextmanager
def without_inline_lane() -> Iterator[None]:
    """Every completion goes through the loop."""
    with with_rules(take_if_next=lambda *args, **kwargs: False):
        yield


@contextmanager
def eager_tasks(on: bool) -> Iterator[DurableEventLoop]:
    """Tasks start eagerly where Python can do that (from 3.12 on)."""
    loop = loop_of_thread()
    before = loop.get_task_factory()
    factory = getattr(asyncio, "eager_task_factory", None)
    loop.set_task_factory(factory if on else before)
    try:
        yield loop
    finally:
        loop.set_task_factory(before)


class Difference(AssertionError):
    """An invocation did not repeat what was seen before it."""


def execute(program: tuple[Any, ...], *, fine: bool, ending: Ending | None = None) -> int:
    """One execution and a replay of it, inline and through the loop; how many requests it took.

    Raises:
        Difference: User code of a later invocation saw something else.
    """
    due = [ending] if ending is not None and ending.by != "revoke" else []

    def fault(phase: str, number: int) -> None:
        if due and (due[0].by, due[0].at) == (phase, number):
            due.clear()
            raise Crash

    service = RisingService(fine=fine, fault=fault)
    if ending is not None and ending.by == "revoke":
        service.revoke_at = ending.at
    before: Trace = {}
    for _ in range(200):
        trace: Trace = {}
        try:
            output = service.invoke(DurableFunction(handler_of(program, trace)))
        except Crash:
            output = {"Status": "CRASHED"}
        crashed = output["Status"] == "CRASHED" or service.revoke_at == len(service.requests)
        _compare(before, trace, shorter=crashed)
        for place, seen in trace.items():
            if len(seen) > len(before.get(place, [])):
                before[place] = seen
        if output["Status"] == "PENDING":
            service.advance()
        elif output["Status"] != "CRASHED":
            break
    else:
        raise Difference("the execution does not end")
    sent = len(service.requests)
    if output["Status"] != "SUCCEEDED" and "Boom" not in repr(output):
        raise Difference(repr(output))
    for again in (_replay, _replay_through_the_loop):
        trace = {}
        repeated = again(service, program, trace)
        _compare(before, trace, shorter=False)
        if (repeated["Status"], repeated.get("Result")) != (output["Status"], output.get("Result")):
            raise Difference(f"{output} became {repeated}")
    if len(service.requests) != sent:
        raise Difference(f"a replay sent {service.requests[sent:]}")
    return sent


def _replay(service: FakeService, program: tuple[Any, ...], trace: Trace) -> dict[str, Any]:
    return service.invoke(DurableFunction(handler_of(program, trace)))


def _replay_through_the_loop(service: FakeService, program: tuple[Any, ...], trace: Trace) -> dict[str, Any]:
    with without_inline_lane():
        return _replay(service, program, trace)


def _compare(before: Trace, now: Trace, *, shorter: bool) -> None:
    """What each context saw before comes again; one that answers from its own record shows nothing."""
    for place, seen in now.items():
        known = before.get(place, [])
        length = min(len(known), len(seen))
        if known[:length] != seen[:length] or (length < len(known) and not shorter):
            raise Difference(f"context {place!r} saw {known}\nand then {seen}")


def check(program: tuple[Any, ...], *, fine: bool = False, eager: bool = False, salt: int | None = None) -> None:
    """Run a program through, and again with an end of the process or a suspension at each of its requests.

    Args:
        program: What the handler does.
        fine: Whether each update has a millisecond of its own, or only each request.
        eager: Whether tasks start eagerly.
        salt: Which of the three endings each request gets; None: every request gets all three.

    Raises:
        Difference: Some invocation saw something else than those before it.
    """
    threads = threading.active_count()
    with eager_tasks(eager):
        requests = execute(program, fine=fine)
        for at in range(1, requests + 1):
            for by in ENDINGS if salt is None else (ENDINGS[(at + salt) % 3],):
                execute(program, fine=fine, ending=Ending(at, by))
    if threading.active_count() > threads:
        raise Difference("threads are left")
