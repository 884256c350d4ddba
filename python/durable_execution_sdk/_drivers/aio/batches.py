"""Maps and parallels under asyncio: the events of the coordinator, carried by the loop.

The batch is a child context whose body is a task of the SDK's: it starts branches as the coordinator admits them, then
waits for the next end of one. Branches are child contexts too. The coordinator hears of the end of a branch when its
event is delivered, so what it decides (which branch comes next, whether the batch is complete) is the same at replay.
Branches that wait are tasks that wait; the coordinator never hears of that, and the handler is parked with them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from typing import Any

from durable_execution_sdk._core import MISS, Record
from durable_execution_sdk._drivers.aio.colours import run_body
from durable_execution_sdk._drivers.aio.promise import DurablePromise
from durable_execution_sdk._drivers.aio.started import StartedScope, decode
from durable_execution_sdk._drivers.codec import Codec
from durable_execution_sdk._drivers.plans import BatchPlan
from durable_execution_sdk._model.batch import BatchItem, BatchResult
from durable_execution_sdk._model.completion import BatchItemStatus, CompletionPolicy
from durable_execution_sdk._model.enums import OperationSubType, OperationType
from durable_execution_sdk._model.errors import SerDesError
from durable_execution_sdk._operations.batch import BatchOperation, Settle, ended_by, failure_again, rebuild_branch
from durable_execution_sdk._operations.batch_events import (
    Ask,
    Begun,
    BranchEvent,
    Command,
    Decided,
    Drain,
    Drained,
    Event,
    Failed,
    Fatal,
    Finish,
    Lanes,
    Raise,
    Start,
    Succeeded,
)
from durable_execution_sdk._operations.batch_record import CompletionRecord, summary_writer
from durable_execution_sdk._operations.coordinator import Coordinator
from durable_execution_sdk._operations.verdicts import Enter
from durable_execution_sdk._serdes.text import EXTENDED_TYPES_SERDES


def start_batch(context: Any, plan: BatchPlan, what: str) -> DurablePromise[BatchResult[Any]]:
    """Start one batch in an `AsyncDurableContext`."""
    config, run = plan.config, context.run
    sub_type = config.top_level_sub_type or OperationSubType.RUN_IN_CHILD_CONTEXT.value
    scope = context._caller(what)
    identity, position = context._begin(scope, OperationType.CONTEXT, sub_type, plan.name)
    inner = context.create_child_context(identity.operation_id, replaying=scope.core.replaying)

    async def body(entered: Enter) -> BatchResult[Any]:
        names = None if plan.given_names is None else plan.given_names()
        operation = BatchOperation(identity, config, plan.total, plan.default_name, names)
        found = started.found
        if run.state.hooks is not None:
            run.state.hooks.batch_entered(operation)
            found = found and run.journal.find(identity.operation_id)
        batch = AsyncBatch(inner, operation, plan, found)
        return await (batch.rebuild(codec) if entered.reconstruct else batch.run())

    def own(coroutine: object) -> None:
        inner.own_scope = run.scopes.own(coroutine, inner, inner.scope)

    # Never the context's default serdes: it is meant for the user's values, and this is one of ours.
    codec = Codec(config.serdes or EXTENDED_TYPES_SERDES, context.state, identity)
    write = summary_writer(sub_type, config.summary_generator)
    started: StartedScope[BatchResult[Any]] = StartedScope(
        run, context.state.child_operation(identity), position, codec, body, write, own, lambda: run.abandon(inner)
    )
    started.owner = inner
    promise: DurablePromise[BatchResult[Any]] = context._launch(scope, started)
    return promise


class StartedBranch(StartedScope[Any]):
    """A branch; its batch is told of its end at once when that is delivered."""

    index: int
    tell: Callable[[BranchEvent, BaseException | None], None]

    def resolve(self, value: Any) -> None:
        if not self.promise.done():
            super().resolve(value)
            self.tell(Succeeded(self.index, value), None)

    def fail(self, error: BaseException) -> None:
        if not self.promise.done():
            super().fail(error)
            self.tell(ended_by(self.index, error), error)

    def cancelled_itself(self) -> None:
        error = asyncio.CancelledError()
        self.tell(Fatal(self.index, error), error)


class AsyncBatch:
    """One batch, while its branches run. All of it happens on the loop."""

    def __init__(self, context: Any, op: BatchOperation, plan: BatchPlan, record: Record | None) -> None:
        config = op.config
        self._context = context
        self._state = context.state
        self._op = op
        self._plan = plan
        self._record = record
        self._serdes = config.item_serdes or config.serdes or context.default_serdes or EXTENDED_TYPES_SERDES
        # Answers for finished branches where the default serdes reads them and no plugin is told.
        is_open = self._state.hooks is None and self._serdes is EXTENDED_TYPES_SERDES and not op.is_flat
        self._lane = context.scope.replay_branch if is_open and record is not None else None
        self._machine: Coordinator | None = None
        """None where the result is only made again."""
        self._events: deque[tuple[BranchEvent, BaseException | None]] = deque()
        self._commands: Sequence[Command] | None = None
        self._wake: DurablePromise[None] | None = None

    async def run(self) -> BatchResult[Any]:
        """Run the branches until the batch is complete."""
        op, run = self._op, self._context.run
        machine = Coordinator(op.total, op.config.completion_config, op.config.max_concurrency, op.given_names)
        self._machine = machine

        def tell(event: Event) -> Sequence[Command]:
            return machine.on(event, self._state.clock.now_ms())

        commands = tell(Begun())
        while True:
            match commands:
                case []:
                    for command in tell(Lanes(machine.runnable)) if machine.runnable else ():
                        assert isinstance(command, Start)  # nothing is resumed where nothing was suspended
                        for index in command.indexes:
                            self._start(index)
                    if (said := await self._next_said()) is not None:
                        commands = said
                        continue
                    event, _ = self._events.popleft()
                    if isinstance(event, Failed) and event.retryable is not None:
                        run.curable = event.retryable
                    commands = tell(event)
                case [Ask(status)]:
                    commands = tell(Decided(CompletionPolicy(op.total, op.config.completion_config).ask(status)))
                case [Drain()]:
                    run.curable = None
                    commands = tell(Drained())
                case [Finish(result)]:
                    return result
                case [Raise(error)]:
                    run.curable = None
                    raise error
                case other:
                    raise AssertionError(f"the coordinator asks for what no branch under asyncio leads to: {other!r}")

    async def rebuild(self, codec: Codec) -> BatchResult[Any]:
        """The result of a batch that was too large to be kept, or keeps its children, made again from its branches."""
        op, state = self._op, self._state
        payload = None if self._record is None else self._record.result
        end = CompletionRecord.from_summary_payload(payload)
        if end is None:
            with suppress(SerDesError):  # then the branches' own records have to do
                end = CompletionRecord.from_result(await decode(codec, payload))
        items: dict[int, BatchItem[Any]] = {}
        again: deque[int] = deque()
        count = op.total if end is None else min(op.total, end.started_total)
        for index in range(count):
            if (end is None or index not in end.started_indexes) and (ended := self._recorded(index)) is not None:
                items[index] = BatchItem(index, BatchItemStatus.SUCCEEDED, ended.result)
                continue
            identity = op.branch(index)
            verdict = rebuild_branch(op, index, identity, state.seek(identity, is_virtual=op.is_flat), end)
            if isinstance(verdict, Settle):
                items[index] = verdict.item
            else:
                again.append(index)
        running = 0
        while again or running:
            while again and (op.config.max_concurrency is None or running < op.config.max_concurrency):
                self._start(again.popleft())
                running += 1
            event, error = await self._next_end()
            running -= 1
            items[event.index] = self._item(event, error)
        ordered = [items[index] for index in range(count)]
        if end is None:
            return BatchResult.from_items(ordered, op.config.completion_config)
        return BatchResult(ordered, end.completion_reason)

    def _item(self, event: BranchEvent, error: BaseException | None) -> BatchItem[Any]:
        if isinstance(event, Succeeded):
            return BatchItem(event.index, BatchItemStatus.SUCCEEDED, event.result)
        record = self._context.run.state.journal.find(self._op.branch_id(event.index))
        failure = failure_again(self._op, event, record)
        if failure is not None:
            return BatchItem(event.index, BatchItemStatus.FAILED, error=failure)
        assert error is not None  # only a success has none
        raise error

    # --- branches ---

    def _recorded(self, index: int) -> Succeeded | None:
        """How a branch has ended, if history has its result and the lane can read that."""
        if self._lane is None:
            return None
        value = self._lane(index, self._op.branch_sub_type, self._op.branch_name(index))
        return None if value is MISS else Succeeded(index, value)

    def _start(self, index: int) -> None:
        op, plan, state, run = self._op, self._plan, self._state, self._context.run
        ended = self._recorded(index)
        if ended is not None and run.order.tell(op.branch_id(index), self._succeeded, ended):
            return  # its end is delivered when its turn comes, and it needs neither context nor promise for that
        identity = op.branch(index)
        replaying = self._context.scope.replaying and (
            op.is_flat or state.journal.find(identity.operation_id) is not None
        )
        child = self._context.create_child_context(identity.operation_id, is_virtual=op.is_flat, replaying=replaying)

        async def body(_: Enter) -> Any:
            with nullcontext() if state.hooks is None else state.hooks.branch_context():
                return await run_body(child, plan.function_of(index), lambda branch: plan.body(branch, index))

        def own(coroutine: object) -> None:
            child.own_scope = run.scopes.own(coroutine, child, child.scope)

        codec = Codec(self._serdes, state, identity)
        operation = state.child_operation(identity, is_virtual=op.is_flat)
        branch = StartedBranch(run, operation, None, codec, body, None, own, lambda: run.abandon(child))
        branch.owner = child
        branch.index = index
        branch.tell = self._ended
        run.start(branch, self._context)

    def _succeeded(self, event: Succeeded) -> None:
        self._ended(event, None)

    def _ended(self, event: BranchEvent, error: BaseException | None) -> None:
        machine, wake = self._machine, self._wake
        if wake is None or wake.done():
            self._events.append((event, error))
            return
        if machine is not None and isinstance(event, Succeeded):
            # The task would ask the coordinator, which mostly has nothing to say to that: so it need not be woken.
            commands = machine.on(event, self._state.clock.now_ms())
            if not commands and not machine.runnable:
                return
            self._commands = commands
        else:
            self._events.append((event, error))
        wake.set_result(None)

    async def _next_said(self) -> Sequence[Command] | None:
        """Wait for the end of a branch: what the coordinator has said to it, None if it was not asked yet."""
        if not self._events:
            await self._woken()
        commands, self._commands = self._commands, None
        return commands

    async def _next_end(self) -> tuple[BranchEvent, BaseException | None]:
        if not self._events:
            await self._woken()
        return self._events.popleft()

    async def _woken(self) -> None:
        # A promise, since what the service completes will settle it: the handler may be suspended meanwhile.
        self._wake = DurablePromise(operation_id=self._op.identity.operation_id, loop=self._context.run.loop)
        await self._wake
