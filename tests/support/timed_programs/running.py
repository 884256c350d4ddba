"""Carrying a program out: an interpreter that tells, in order, what user code gets to see."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Protocol

from durable_execution_sdk import PromiseCombinatorError, PromiseTimeoutError
from durable_execution_sdk._model.completion import CompletionConfig
from durable_execution_sdk._model.config import (
    ChildConfig,
    MapConfig,
    NestingType,
    ParallelBranch,
    ParallelConfig,
    StepConfig,
)
from durable_execution_sdk._model.duration import Duration
from durable_execution_sdk._model.errors import DurableOperationError
from durable_execution_sdk._model.strategies import RetryDecision
from tests.support.timed_programs.nodes import (
    Batch,
    Body,
    Cancelled,
    Child,
    Combined,
    Launched,
    Limited,
    Locked,
    Node,
    Pause,
    Program,
    Promises,
    Queued,
    Seen,
    Step,
    Tasks,
    Trace,
    Wait,
)

MOMENT_SECONDS = 0.0004
MOST_TURNS = 6
LONG_SECONDS = 60.0
LARGE = 260 * 1024
ALL = CompletionConfig.all_completed()


class Failed(Exception):
    """What a step raises that fails."""


def _told(value: Any) -> Any:
    """A value as it is traced: errors by their class, what is large by its length."""
    if isinstance(value, BaseException):
        return type(value).__name__
    if isinstance(value, str) and len(value) > 100:
        return len(value)
    if isinstance(value, list):
        return [_told(each) for each in value]
    return value


class Tempo(Protocol):
    """How long what takes a moment takes."""

    threads: bool
    """Whether `def` bodies run as such, on threads: when one of those ends is never the same."""

    async def spend(self, moments: int, label: str) -> None:
        """Let that many moments pass; `label` says where."""


class RealTime:
    """A moment is a fraction of a millisecond."""

    threads = True

    async def spend(self, moments: int, label: str) -> None:
        """Sleep."""
        await asyncio.sleep(moments * MOMENT_SECONDS)


class Turns:
    """Nothing waits for real time; how many turns of the loop something takes depends on the place and on `salt`."""

    threads = False

    def __init__(self, salt: str) -> None:
        self._salt = salt

    async def spend(self, moments: int, label: str) -> None:
        """Give way to others so often."""
        for _ in range(zlib.crc32(f"{self._salt} {label}".encode()) % MOST_TURNS):
            await asyncio.sleep(0)


def handler_of(
    program: Program, trace: Trace, tempo: Tempo | None = None
) -> Callable[[Any, Any], Coroutine[Any, Any, Any]]:
    """The program as a handler; `trace` receives what it sees."""
    running = Running(trace, (), tempo or RealTime())

    async def handler(event: Any, ctx: Any) -> Any:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(getattr(asyncio, "eager_task_factory", None) if program.eager else None)
        return await running.body(ctx, program.body, "")

    return handler


class Running:
    """The interpreter."""

    def __init__(self, trace: Trace, contexts: tuple[str, ...], tempo: Tempo) -> None:
        self._trace = trace
        self._contexts = contexts
        self._tempo = tempo

    def _inside(self, name: str) -> Running:
        return Running(self._trace, (*self._contexts, name), self._tempo)

    def _saw(self, where: str, what: Any) -> None:
        self._trace.append(Seen(self._contexts, where, _told(what)))

    async def body(self, ctx: Any, nodes: Body, path: str) -> list[Any]:
        """Run nodes one after the other; an error is what the node gave."""
        found = []
        for position, node in enumerate(nodes):
            label = f"{path}.{position}"
            try:
                value = await self._node(ctx, node, label)
            except asyncio.CancelledError:
                if not self._tempo.threads:  # in real time, how far a task is when it is cancelled depends on that
                    self._saw(label, "cancelled")
                raise
            except (DurableOperationError, PromiseCombinatorError, PromiseTimeoutError) as error:
                value = error
            if not isinstance(node, Pause):
                self._saw(label, value)
            found.append(_told(value))
        return found

    def _node(self, ctx: Any, node: Node, label: str) -> Awaitable[Any]:
        run: Callable[[Any, Any, str], Awaitable[Any]] = getattr(self, f"_{type(node).__name__.lower()}")
        return run(ctx, node, label)

    # --- operations ---

    def _step(self, ctx: Any, node: Step, label: str) -> Awaitable[Any]:
        async def on_the_loop(step: Any) -> int:
            if node.moments:
                await self._tempo.spend(node.moments, f"{label} {step.attempt}")
            return done(step.attempt)

        def on_a_thread(step: Any) -> int:
            if node.moments:
                time.sleep(node.moments * MOMENT_SECONDS)
            return done(step.attempt)

        def done(attempt: int) -> int:
            if node.for_good or attempt <= node.failures:
                raise Failed(str(attempt))
            return node.value

        def again(error: Exception, attempt: int) -> RetryDecision:
            return RetryDecision.retry(Duration(1)) if attempt <= node.failures else RetryDecision.no_retry()

        body = on_a_thread if node.colour == "def" and self._tempo.threads else on_the_loop
        started: Awaitable[Any] = ctx.step(body, f"s{node.value}", StepConfig(retry_strategy=again))
        return started

    def _wait(self, ctx: Any, node: Wait, label: str) -> Awaitable[Any]:
        started: Awaitable[Any] = ctx.wait(Duration(node.seconds))
        return started

    async def _pause(self, ctx: Any, node: Pause, label: str) -> None:
        await self._tempo.spend(node.moments, label)

    def _child(self, ctx: Any, node: Child, label: str) -> Awaitable[Any]:
        async def inside(child: Any) -> Any:
            found = await self._inside(label).body(child, node.body, label)
            return "x" * LARGE if node.large else found

        started: Awaitable[Any] = ctx.run_in_child_context(inside, label, ChildConfig())
        return started

    async def _batch(self, ctx: Any, node: Batch, label: str) -> Any:
        nesting = NestingType.FLAT if node.flat else NestingType.NESTED

        async def one(branch: Any, body: int, *_: Any) -> Any:
            running = self._inside(label)._inside(f"{label}[{body}]")
            return await running.body(branch, node.branches[body], f"{label}[{body}]")

        def named(item: Any, place: int) -> str:
            return f"{label}[{place}]"

        places = range(len(node.branches))
        if node.kind == "map":
            config = MapConfig(
                max_concurrency=node.at_once, completion_config=ALL, nesting_type=nesting, item_namer=named
            )
            batch = await ctx.map(places, one, label, config)
        else:
            functions = [ParallelBranch(partial(one, body=place), named(None, place)) for place in places]
            rule = ParallelConfig(max_concurrency=node.at_once, completion_config=ALL, nesting_type=nesting)
            batch = await ctx.parallel(functions, label, rule)
        return [[item.status.value, item.result] for item in batch.all]

    # --- asyncio's own ---

    def _coroutines(self, ctx: Any, branches: tuple[Body, ...], label: str) -> list[Coroutine[Any, Any, Any]]:
        return [self.body(ctx, branch, f"{label}[{place}]") for place, branch in enumerate(branches)]

    async def _tasks(self, ctx: Any, node: Tasks, label: str) -> Any:
        coroutines = self._coroutines(ctx, node.branches, label)
        if node.how == "gather":
            return await asyncio.gather(*coroutines)
        if node.how == "group":
            return await self._group(coroutines)
        tasks = [asyncio.create_task(each) for each in coroutines]
        if node.how == "first":
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            self._saw(f"{label} first", [place for place, task in enumerate(tasks) if task in done])
            return await asyncio.gather(*tasks)
        if node.how == "all":
            done, _ = await asyncio.wait(tasks)
            self._saw(f"{label} in the order of a set", [tasks.index(each) for each in done])
        if node.how == "as completed":
            return [await each for each in asyncio.as_completed(tasks)]
        if node.how == "shield":
            return [await asyncio.shield(each) for each in tasks]
        ordered = reversed(tasks) if node.how == "in reverse" else tasks
        return [await each for each in ordered]

    async def _group(self, coroutines: list[Coroutine[Any, Any, Any]]) -> Any:
        """The first branch in which something failed ends the others."""

        async def member(coroutine: Coroutine[Any, Any, Any]) -> Any:
            found = await coroutine
            if "StepError" in found:
                raise Failed("member")
            return found

        failed = 0
        try:
            async with asyncio.TaskGroup() as group:
                members = [group.create_task(member(each)) for each in coroutines]
        except* Failed as failures:
            failed = len(failures.exceptions)
        if failed:
            return f"{failed} failed"
        return [each.result() for each in members]

    async def _promises(self, ctx: Any, node: Promises, label: str) -> Any:
        promises = [self._node(ctx, each, f"{label}[{place}]") for place, each in enumerate(node.members)]
        if node.how == "gather":
            return await asyncio.gather(*promises, return_exceptions=True)
        if node.how == "wait first":
            done, _ = await asyncio.wait(promises, return_when=asyncio.FIRST_COMPLETED)  # type: ignore[type-var] # they are futures
            self._saw(f"{label} first", [place for place, each in enumerate(promises) if each in done])
            return await asyncio.gather(*promises, return_exceptions=True)
        if node.how == "as completed":
            return [await self._caught(each) for each in asyncio.as_completed(promises)]  # type: ignore[type-var] # as above
        return [await self._caught(each) for each in reversed(promises)]

    async def _caught(self, awaitable: Awaitable[Any]) -> Any:
        try:
            return _told(await awaitable)
        except DurableOperationError as error:
            return _told(error)

    async def _locked(self, ctx: Any, node: Locked, label: str) -> Any:
        lock: Any = asyncio.Lock() if node.places == 1 else asyncio.Semaphore(node.places)

        async def one(place: int, branch: Body) -> Any:
            async with lock:
                return await self.body(ctx, branch, f"{label}[{place}]")

        return await asyncio.gather(*(one(place, branch) for place, branch in enumerate(node.branches)))

    async def _queued(self, ctx: Any, node: Queued, label: str) -> Any:
        queue: asyncio.Queue[Any] = asyncio.Queue(maxsize=1)

        async def produce(place: int, branch: Body) -> None:
            for position, each in enumerate(branch):
                [value] = await self.body(ctx, (each,), f"{label}[{place}.{position}]")
                await queue.put([place, position, value])

        async def consume() -> list[Any]:
            found = []
            for number in range(sum(len(branch) for branch in node.branches)):
                got = await queue.get()
                self._saw(f"{label} got", got)
                found.append(await self._step(ctx, Step(number), f"{label} consumed {number}"))
            return found

        producers = [produce(place, branch) for place, branch in enumerate(node.branches)]
        return (await asyncio.gather(consume(), *producers))[0]

    async def _launched(self, ctx: Any, node: Launched, label: str) -> Any:
        async def launch() -> list[asyncio.Task[Any]]:
            await self._tempo.spend(node.moments, label)
            return [asyncio.create_task(each) for each in self._coroutines(ctx, node.branches, label)]

        if node.how == "wait_for":
            tasks = await asyncio.wait_for(launch(), LONG_SECONDS)
        else:
            async with asyncio.timeout(LONG_SECONDS):
                tasks = await launch()
        return await asyncio.gather(*tasks)

    # --- races ---

    async def _combined(self, ctx: Any, node: Combined, label: str) -> Any:
        promises = [self._node(ctx, each, f"{label}[{place}]") for place, each in enumerate(node.members)]
        found = await getattr(ctx.promise, node.how)(promises)
        if node.how == "all_settled":
            return [str(each.status) for each in found]
        return found

    async def _limited(self, ctx: Any, node: Limited, label: str) -> Any:
        inside = self._child(ctx, Child(node.body), label)
        return await ctx.promise.timeout(inside, Duration(node.seconds))

    async def _cancelled(self, ctx: Any, node: Cancelled, label: str) -> Any:
        task = asyncio.current_task()
        assert task is not None
        cancelling = task.cancelling()  # before Python 3.13 a task group that failed leaves one behind
        if node.what == "task":
            victim: Any = asyncio.create_task(self.body(ctx, node.body, f"{label}[0]"))
        else:
            victim = self._child(ctx, Child(node.body), f"{label}[0]")
        await self.body(ctx, node.after, f"{label}[1]")
        victim.cancel()
        try:
            return await victim
        except asyncio.CancelledError:
            if task.cancelling() > cancelling:
                raise
            return "was cancelled"
