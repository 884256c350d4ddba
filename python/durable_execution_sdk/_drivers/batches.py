"""Maps and parallels for `def` handlers: the events of the coordinator, carried by threads.

Whoever has an event takes the lock of the batch, hands it to the coordinator, and sees what follows. A pool thread that
has finished a branch takes the next one along at once, so between two branches no thread is woken. What only the
batch's own thread may do (ask the predicate, fetch news, return) is put into its inbox, where it waits.

Branches that history shows as finished need no thread: the batch's own one takes their results. If there is no pool
thread to be had, it runs the other branches too, one after the other.
"""

from __future__ import annotations

import contextvars
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias

from durable_execution_sdk._core import MISS, Record
from durable_execution_sdk._drivers.calls import operate
from durable_execution_sdk._drivers.clock import real_seconds_until
from durable_execution_sdk._drivers.codec import Codec
from durable_execution_sdk._drivers.locks import BriefLock
from durable_execution_sdk._drivers.plans import BatchPlan
from durable_execution_sdk._drivers.scope import OperationScope
from durable_execution_sdk._drivers.state import park
from durable_execution_sdk._drivers.strand import Strand
from durable_execution_sdk._drivers.threads import conclude, run_scope, settle_scope
from durable_execution_sdk._model.batch import BatchItem, BatchResult
from durable_execution_sdk._model.completion import BatchItemStatus, CompletionPolicy
from durable_execution_sdk._model.enums import OperationSubType, OperationType
from durable_execution_sdk._model.errors import SerDesError
from durable_execution_sdk._model.signals import OrphanedChildException
from durable_execution_sdk._model.updates import OperationIdentifier
from durable_execution_sdk._operations.batch import BatchOperation, Settle, ended_by, failure_again, rebuild_branch
from durable_execution_sdk._operations.batch_events import (
    Ask,
    Begun,
    BranchEvent,
    Command,
    Decided,
    Discard,
    Drain,
    Drained,
    Event,
    Finish,
    Lanes,
    Raise,
    Refresh,
    Refreshed,
    Resume,
    Start,
    Succeeded,
    Suspend,
    Tick,
)
from durable_execution_sdk._operations.batch_record import CompletionRecord, summary_writer
from durable_execution_sdk._operations.coordinator import Coordinator, Phase
from durable_execution_sdk._operations.identity import describe
from durable_execution_sdk._operations.verdicts import Deliver, Enter, Settled
from durable_execution_sdk._serdes.text import EXTENDED_TYPES_SERDES

_logger = logging.getLogger("durable_execution_sdk")


def call_batch(context: OperationScope, plan: BatchPlan) -> BatchResult[Any]:
    """One batch, from its START to its result."""
    config = plan.config
    sub_type = config.top_level_sub_type or OperationSubType.RUN_IN_CHILD_CONTEXT.value

    def run(identity: OperationIdentifier, position: int) -> Any:
        state = context.state
        inner = context.create_child_context(identity.operation_id)
        record = state.seek(identity)

        def body(entered: Enter) -> BatchResult[Any]:
            names = None if plan.given_names is None else plan.given_names()
            operation = BatchOperation(identity, config, plan.total, plan.default_name, names)
            found = record
            if state.hooks is not None:
                state.hooks.batch_entered(operation)
                found = record and state.journal.find(identity.operation_id)
            batch = Batch(inner, operation, plan.body, found)
            return batch.rebuild(codec) if entered.reconstruct else batch.run()

        # Never the context's default serdes: it is meant for the user's values, and this is one of ours.
        codec = Codec(config.serdes or EXTENDED_TYPES_SERDES, state, identity)
        write = summary_writer(sub_type, config.summary_generator)
        return run_scope(state, state.child_operation(identity), body, codec, write, position)

    return operate(context, OperationType.CONTEXT, sub_type, plan.name, run)  # type: ignore[no-any-return]  # what `body` returns


class Batch:
    """One batch, while its branches run. Made by the thread that called map or parallel: the batch's own."""

    __slots__ = (
        "_body",
        "_context",
        "_inbox",
        "_lane",
        "_lock",
        "_machine",
        "_op",
        "_ramp",
        "_ramps_up",
        "_record",
        "_serdes",
        "_state",
        "_successes_end_nothing",
        "_unsent",
        "_variables",
        "_wake_ms",
    )

    def __init__(
        self, context: OperationScope, op: BatchOperation, body: Callable[[Any, int], Any], record: Record | None
    ) -> None:
        config = op.config
        self._context = context
        self._state = context.state
        self._op = op
        self._body = body
        self._record = record
        self._serdes = config.item_serdes or config.serdes or context.default_serdes or EXTENDED_TYPES_SERDES
        # Answers for finished branches where the default serdes reads them and no plugin is told.
        is_open = self._state.hooks is None and self._serdes is EXTENDED_TYPES_SERDES and not op.is_flat
        self._lane = context.scope.replay_branch if is_open and record is not None else None
        self._machine = Coordinator(op.total, config.completion_config, config.max_concurrency, op.given_names)
        self._lock = BriefLock()
        self._inbox: SimpleQueue[Sequence[Command]] = SimpleQueue()
        self._wake_ms: int | None = None
        rule = config.completion_config
        self._successes_end_nothing = (
            rule.min_successful is None and rule.should_complete is None and self._state.hooks is None
        )
        self._unsent = 0
        self._ramp = FIRST_THREADS
        self._ramps_up = False
        self._variables = contextvars.copy_context()

    # --- on the batch's own thread ---

    def run(self) -> BatchResult[Any]:
        """Run the branches until the batch is complete, or suspend."""
        commands: Sequence[Command] = self._tell(Begun())
        while True:
            for command in commands:
                match command:
                    case Ask(status):
                        policy = CompletionPolicy(self._op.total, self._op.config.completion_config)
                        commands = self._tell(Decided(policy.ask(status)))
                    case Refresh():
                        self._state.commit.commit(None)
                        commands = self._tell(Refreshed())
                    case Drain():
                        self._state.commit.flush(self._unsent)
                        commands = self._tell(Drained())
                    case Finish(result):
                        return result
                    case Suspend(due_ms):
                        park(due_ms, describe(self._op.identity))
                    case Raise(error):
                        raise error
                    case Discard():
                        raise OrphanedChildException(
                            f"{describe(self._op.identity)} belongs to a context that has ended",
                            self._op.identity.operation_id,
                        )
                    case Start() | Resume():
                        raise AssertionError("branches are started where lanes are offered")
                break
            else:
                commands = self._go_on()

    def _go_on(self) -> Sequence[Command]:
        """Hand out what may run; take a branch on this thread if nobody else does; else wait."""
        if self._record is None:
            self._state.branch_pool.warm(min(self._machine.runnable, self._ramp))
        with self._lock:
            finished, live = self._admit()
            idle = not finished and not live and not self._machine.running
            own = self._next() if idle else None
        for run in live:
            self._state.branch_pool.give(partial(self._work, run))
        if own is not None:
            event, ticket = self._run(own)
            commands = self._tell(event, ticket)
            if not commands and not self._machine.runnable:
                self._state.commit.flush(ticket)
            return commands
        for run in finished:
            event, ticket = self._recorded(run[0]) or self._run(run)
            commands = self._tell(event, ticket)
            if commands:
                self._inbox.put(commands)
        if finished:
            return ()
        return self._wait()

    def _admit(self) -> tuple[list[Run], list[Run]]:
        """Admit branches in order: those that are finished, and as many others as there are threads for now."""
        machine, pool = self._machine, self._state.branch_pool
        finished: list[Run] = []
        live: list[Run] = []
        self._ramps_up = False
        while machine.runnable:
            if not machine.resumable and self._is_finished(machine.started):
                finished += self._take(1)
                continue
            room = self._ramp - len(live)
            if room <= 0:
                self._ramps_up = True
                break
            wanted = machine.runnable if self._record is None else machine.resumable or 1
            claimed = pool.claim(min(wanted, room), self._serve)
            if not claimed:
                break
            live += self._take(claimed)
        return finished, live

    def _is_finished(self, index: int) -> bool:
        if self._record is None or self._op.is_flat:
            return False
        record = self._state.journal.find(self._op.branch_id(index))
        return record is not None and record.is_terminal and not record.replay_children

    def _recorded(self, index: int) -> tuple[Succeeded, int] | None:
        """How a branch has ended, if history has its result and the lane can read that."""
        if self._lane is None:
            return None
        value = self._lane(index, self._op.branch_sub_type, self._op.branch_name(index))
        return None if value is MISS else (Succeeded(index, value), 0)

    def _wait(self) -> Sequence[Command]:
        self._state.commit.step_back()
        with self._lock:
            self._wake_ms = self._machine.wake_ms
        timeout = real_seconds_until(self._state.clock, self._wake_ms)
        if self._ramps_up and (timeout is None or timeout > RAMP_SECONDS):
            return self._ramp_up()
        try:
            return self._inbox.get(timeout=timeout)
        except Empty:
            return self._tell(Tick())

    def _ramp_up(self) -> Sequence[Command]:
        """Wait a moment for the threads there are; then, if they leave the interpreter idle, let there be more."""
        began = time.monotonic()
        try:
            return self._inbox.get(timeout=RAMP_SECONDS)
        except Empty:
            waited_out = time.monotonic() - began < PROMPT_SECONDS
            self._ramp = self._ramp * 2 if waited_out else 1
            return ()

    # --- on pool threads ---

    def _work(self, run: Run | None) -> None:
        """Run a branch, and then others as long as there are any."""
        try:
            self._work_on(run)
        except BaseException as error:  # a fault of ours: the batch must not wait for this thread for ever
            self._inbox.put((Raise(error),))

    def _work_on(self, run: Run | None) -> None:
        commit = self._state.commit
        unsent = 0
        while run is not None and self._machine.phase not in _OVER:
            event, ticket = self._run(run)
            unsent = ticket or unsent
            commands, run = self._carry(event, ticket)
            if run is None:
                commit.flush(unsent)
            if commands is not None:
                self._inbox.put(commands)
        commit.step_back()

    def _carry(self, event: BranchEvent, ticket: int) -> tuple[Sequence[Command] | None, Run | None]:
        """Hand an event to the coordinator: what the batch's own thread must hear, and the branch to run next."""
        with self._lock:
            self._unsent = max(self._unsent, ticket)
            commands = self._machine.on(event, self._state.clock.now_ms())
            run = self._next()
            wake_ms = self._machine.wake_ms
            earlier = wake_ms is not None and (self._wake_ms is None or wake_ms < self._wake_ms)
            if earlier:
                self._wake_ms = wake_ms
        return commands if commands or earlier else None, run

    def _serve(self) -> None:
        """A thread of the pool has nothing to do."""
        with self._lock:
            run = self._next()
            others = self._state.branch_pool.claim(self._machine.runnable, self._serve) if run is not None else 0
        for _ in range(others):
            self._state.branch_pool.give(self._serve)
        self._work(run)

    # --- on any thread ---

    def _tell(self, event: Event, ticket: int = 0) -> Sequence[Command]:
        with self._lock:
            self._unsent = max(self._unsent, ticket)
            return self._machine.on(event, self._state.clock.now_ms())

    def _next(self) -> Run | None:
        """Admit one branch, with the lock held."""
        return self._take(1)[0] if self._machine.runnable else None

    def _take(self, lanes: int) -> list[Run]:
        runs: list[Run] = []
        for command in self._machine.on(_ONE_LANE if lanes == 1 else Lanes(lanes), self._state.clock.now_ms()):
            if isinstance(command, Resume):
                runs += [(index, True) for index in command.indexes]
            elif isinstance(command, Start):
                runs += [(index, False) for index in command.indexes]
        return runs

    def _run(self, run: Run) -> tuple[BranchEvent, int]:
        """Run a branch: how it ended, and the ticket of its end if that is queued, but not acknowledged."""
        # Variables that a branch sets are its own, whichever thread it runs on.
        return self._variables.copy().run(self._run_branch, *run)

    def _run_branch(self, index: int, resumed: bool) -> tuple[BranchEvent, int]:
        strand = Strand()
        hooks = self._state.hooks
        try:
            with strand.running(), nullcontext() if hooks is None else hooks.branch_context():
                identity, settled, value = self._enter(index, strand, resumed=resumed)
                if self._successes_end_nothing and settled.update is not None and isinstance(settled.then, Deliver):
                    return Succeeded(index, value), self._state.commit.submit(settled.update)
                conclude(self._state, identity, settled)
                return Succeeded(index, value), 0
        except BaseException as error:  # the coordinator decides what becomes of it
            return ended_by(index, error), 0

    def _enter(self, index: int, strand: Strand, *, resumed: bool = False) -> tuple[OperationIdentifier, Settled, Any]:
        """The child context that a branch is, up to its end: who it is, what is left to do, the result."""
        op, state = self._op, self._state
        identity = op.branch(index)
        replaying = resumed or (
            self._context.scope.replaying and (op.is_flat or state.journal.find(identity.operation_id) is not None)
        )
        child = self._context.create_child_context(
            identity.operation_id, is_virtual=op.is_flat, replaying=replaying, strand=strand
        )

        def body(_: Enter) -> Any:
            try:
                return child.run_body(lambda context: self._body(context, index))
            except Exception as error:
                if strand.signal is None:
                    raise
                _logger.warning("An exception while %s was being suspended is ignored.", describe(identity))
                raise strand.signal from error

        codec = Codec(self._serdes, state, identity)
        scope = state.child_operation(identity, is_virtual=op.is_flat)
        return identity, *settle_scope(state, scope, body, codec, None)

    # --- a batch that is recorded as finished ---

    def rebuild(self, codec: Codec) -> BatchResult[Any]:
        """The result of a batch that was too large to be kept, or keeps its children, made again from its branches."""
        op, state = self._op, self._state
        payload = None if self._record is None else self._record.result
        end = CompletionRecord.from_summary_payload(payload)
        if end is None:
            with suppress(SerDesError):  # then the branches' own records have to do
                end = CompletionRecord.from_result(codec.decode(payload))
        items = []
        for index in range(op.total if end is None else min(op.total, end.started_total)):
            if (end is None or index not in end.started_indexes) and (ended := self._recorded(index)) is not None:
                items.append(BatchItem(index, BatchItemStatus.SUCCEEDED, ended[0].result))
                continue
            identity = op.branch(index)
            verdict = rebuild_branch(op, index, identity, state.seek(identity, is_virtual=op.is_flat), end)
            items.append(verdict.item if isinstance(verdict, Settle) else self._reenter(index))
        if end is None:
            return BatchResult.from_items(items, op.config.completion_config)
        return BatchResult(items, end.completion_reason)

    def _reenter(self, index: int) -> BatchItem[Any]:
        try:
            identity, settled, value = self._enter(index, self._context.strand)
            conclude(self._state, identity, settled)
            return BatchItem(index, BatchItemStatus.SUCCEEDED, value)
        except Exception as error:
            record = self._state.journal.find(self._op.branch_id(index))
            failure = failure_again(self._op, ended_by(index, error), record)
            if failure is None:
                raise
            return BatchItem(index, BatchItemStatus.FAILED, error=failure)


Run: TypeAlias = tuple[int, bool]
"""A branch to run, and whether it is resumed in this invocation."""


FIRST_THREADS = 8
"""Threads that a batch starts with; branches that wait for anything are joined by others within milliseconds."""

RAMP_SECONDS = 0.0005
"""How long the threads of a batch are watched before there are more."""

PROMPT_SECONDS = 0.003
"""A watch that lasted longer had to wait for the interpreter: the threads there are keep it busy."""

_ONE_LANE = Lanes(1)
_OVER = frozenset({Phase.DRAINING, Phase.ENDED})
