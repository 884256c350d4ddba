r"""The coordinator of a map or parallel: one machine for both colours of driver.

Theory of operation. The machine owns all state of one batch: what each branch is doing, how many count towards the
completion policy, which branches wait for which moment. It has no clock, no lock and no thread, and calls no user code.
A driver carries events to it, one at a time, and does what the answered commands say:

    on(event, now_ms) -> [command, ...]

Who runs branches is the driver's business. It says how many it can take on now (`Lanes`), and is told which (`Start`,
`Resume`). Branches are admitted in index order and only then, so a branch that nobody ran was never started, and ids
and results do not depend on how many threads there are. `runnable` says how many more lanes would be of use, `wake_ms`
when to come back with a `Tick`.

A branch:

    WAITING --Lanes--> RUNNING --Succeeded--> SUCCEEDED
                        |  ^  \--Failed------> FAILED
                        |  |
                        |  +--Lanes-- DUE <--Refreshed-- TIMED   (suspended until a known moment)
                        +--Suspended--> PARKED                   (suspended until the service has news)

Rules, as the official SDK 3.0.0 has them:

- At most `max_concurrency` branches are under way. A suspended branch keeps its place; only an end gives it back.
- After every end and every suspension the policy is asked whether the batch is complete. With a predicate that is
  user code: the machine answers `Ask` and lets further events wait until it hears `Decided`, so that the predicate sees
  one change at a time.
- The reason is that of the moment of completion. Ends that come in between then and `Drained` still count for their
  items, never for the reason. Branches that run on are reported STARTED, those never started are left out.
- Branches suspended until the same moment form a wave. When it has come, one request (`Refresh`) fetches what the
  service has done meanwhile, and the wave goes on in this process. That happens only while another branch runs: as soon
  as none does and none may start, the whole batch suspends until the earliest wave, or until there is news.
- An error that a new invocation may cure (`Failed.retryable`) counts as a failed item, and is raised in the end, or
  instead of suspending. A `Fatal` error ends the batch at once.
- An `Orphaned` branch means that an enclosing context has ended: nobody will see the result.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from enum import Enum
from typing import Any, Final

from durable_execution_sdk._model.batch import BatchItem, BatchResult
from durable_execution_sdk._model.completion import (
    BatchItemStatus,
    CompletionConfig,
    CompletionDecision,
    CompletionItemStatus,
    CompletionPolicy,
    CompletionReason,
    CompletionStatus,
)
from durable_execution_sdk._model.errors import InvalidStateError
from durable_execution_sdk._operations.batch_events import (
    BRANCH_EVENTS,
    Ask,
    Begun,
    BranchEvent,
    Command,
    Decided,
    Discard,
    Drain,
    Drained,
    Event,
    Failed,
    Fatal,
    Finish,
    Lanes,
    Orphaned,
    Raise,
    Refresh,
    Refreshed,
    Resume,
    Start,
    Succeeded,
    Suspend,
    Suspended,
    Tick,
)

PATIENCE_MS: Final = 100
"""How long to leave a branch alone that was resumed in time and found its wait unfinished (a service whose clock is
behind ours)."""


class BranchState(Enum):
    """What one branch is doing."""

    WAITING = "waiting"
    RUNNING = "running"
    PARKED = "parked"
    TIMED = "timed"
    DUE = "due"
    SUCCEEDED = "succeeded"
    FAILED = "failed"

    __hash__ = object.__hash__  # what `Enum` has is written in Python and four times as slow


class Phase(Enum):
    """What the batch as a whole is doing."""

    NEW = "new"
    OPEN = "open"
    ASKING = "asking"
    DRAINING = "draining"
    ENDED = "ended"


TRANSITIONS: Final[dict[tuple[BranchState, type[Any]], BranchState]] = {
    (BranchState.WAITING, Lanes): BranchState.RUNNING,
    (BranchState.RUNNING, Succeeded): BranchState.SUCCEEDED,
    (BranchState.RUNNING, Failed): BranchState.FAILED,
    (BranchState.RUNNING, Suspended): BranchState.PARKED,  # TIMED where the moment is known
    (BranchState.RUNNING, Orphaned): BranchState.RUNNING,
    (BranchState.RUNNING, Fatal): BranchState.RUNNING,
    (BranchState.TIMED, Refreshed): BranchState.DUE,
    (BranchState.DUE, Lanes): BranchState.RUNNING,
}
"""What may happen to a branch. Everything else is a fault of the driver."""

_ITEM_STATUS: Final = {
    BranchState.WAITING: None,
    BranchState.RUNNING: BatchItemStatus.STARTED,
    BranchState.PARKED: BatchItemStatus.STARTED,
    BranchState.TIMED: BatchItemStatus.STARTED,
    BranchState.DUE: BatchItemStatus.STARTED,
    BranchState.SUCCEEDED: BatchItemStatus.SUCCEEDED,
    BranchState.FAILED: BatchItemStatus.FAILED,
}


class Coordinator:
    """One batch, from the first branch to its result. See the top of this module."""

    __slots__ = (
        "_backlog",
        "_changed",
        "_due",
        "_ends",
        "_enough",
        "_fatal",
        "_limit",
        "_names",
        "_phase",
        "_policy",
        "_reason",
        "_refreshing",
        "_resumed_at_ms",
        "_retryable",
        "_snapshot",
        "_states",
        "_total",
        "_under_way",
        "_wave_times",
        "_waves",
        "failed",
        "running",
        "started",
        "succeeded",
    )

    def __init__(
        self,
        total: int,
        config: CompletionConfig,
        max_concurrency: int | None = None,
        names: Sequence[str | None] | None = None,
    ) -> None:
        """Args: number of branches, when to end, how many at once, and the names that a predicate is shown."""
        self._total = total
        self._policy = CompletionPolicy(total, config)
        self._limit = total if max_concurrency is None else max_concurrency
        self._names = names
        # Without failures and predicate, fewer successes than these cannot end the batch.
        self._enough = min(total, config.min_successful or total)
        self._phase = Phase.NEW
        self._states = [BranchState.WAITING] * total
        self._ends: list[BatchItem[Any] | None] = []
        self._snapshot: list[CompletionItemStatus] | None = None
        if config.should_complete is not None:
            self._snapshot = [CompletionItemStatus(i, self._name(i)) for i in range(total)]
        self._changed = True
        self._backlog: deque[BranchEvent] = deque()
        self._reason: CompletionReason | None = None
        self._retryable: Exception | None = None
        self._fatal: BaseException | None = None
        self._waves: dict[int, list[int]] = {}
        self._wave_times: list[int] = []
        self._refreshing: list[int] | None = None
        self._due: deque[int] = deque()
        self._resumed_at_ms: dict[int, int] = {}
        self._under_way = 0
        self.started = 0
        """How many branches were ever admitted: those before this index."""
        self.running = 0
        """How many branches are being run."""
        self.succeeded = 0
        self.failed = 0

    def _name(self, index: int) -> str | None:
        return None if self._names is None else self._names[index]

    # --- what drivers look at ---

    @property
    def phase(self) -> Phase:
        """Where the batch stands."""
        return self._phase

    @property
    def states(self) -> Sequence[BranchState]:
        """What each branch is doing."""
        return tuple(self._states)

    @property
    def admissible(self) -> int:
        """How many branches may be started now, from index `started` on."""
        if self._phase is not Phase.OPEN:
            return 0
        free, left = self._limit - self._under_way, self._total - self.started
        return free if free < left else left

    @property
    def runnable(self) -> int:
        """How many lanes would be of use now."""
        if self._phase is not Phase.OPEN:
            return 0
        free, left = self._limit - self._under_way, self._total - self.started
        return len(self._due) + (free if free < left else left)

    @property
    def resumable(self) -> int:
        """How many of those go to resumed branches, which come before new ones."""
        return len(self._due) if self._phase is Phase.OPEN else 0

    @property
    def wake_ms(self) -> int | None:
        """When to come back with a `Tick`, if no event comes before."""
        if self._phase is not Phase.OPEN or self._refreshing is not None or not self._wave_times:
            return None
        return self._wave_times[0]

    # --- the machine ---

    def on(self, event: Event, now_ms: int) -> list[Command]:
        """Take an event in, and say what to do.

        Raises:
            InvalidStateError: The event cannot happen in this state: the driver is at fault.
        """
        phase = self._phase
        if phase is Phase.OPEN:
            if isinstance(event, Lanes):
                return self._fill(event.free, now_ms)
            if isinstance(event, BRANCH_EVENTS):
                return self._take(event, now_ms)
            if isinstance(event, Tick):
                return self._advance(now_ms)
            if isinstance(event, Refreshed) and self._refreshing is not None:
                return self._rejoin(now_ms)
        elif phase is Phase.ENDED:
            return []  # a branch that ran on after the end
        elif phase is Phase.ASKING:
            if isinstance(event, BRANCH_EVENTS):
                self._backlog.append(event)
                return []
            if isinstance(event, Decided):
                return self._hear(event.decision, now_ms)
            if isinstance(event, Refreshed) and self._refreshing is not None:
                self._release_wave()
                return []
            if isinstance(event, Lanes | Tick):
                return []
        elif phase is Phase.DRAINING:
            if isinstance(event, BRANCH_EVENTS):
                self._take_late(event)
                return []
            if isinstance(event, Drained):
                return [self._outcome()]
            if isinstance(event, Lanes | Tick | Refreshed):
                return []
        elif isinstance(event, Begun):
            self._phase = Phase.OPEN
            return self._advance(now_ms)
        raise InvalidStateError(f"The coordinator of a batch got {event!r} while it was {phase.value}.")

    def _move(self, index: int, cause: type[Any]) -> BranchState:
        before = self._states[index]
        after = TRANSITIONS.get((before, cause))
        if after is None:
            raise InvalidStateError(
                f"The coordinator of a batch got {cause.__name__} for branch {index} while that was {before.value}."
            )
        self._states[index] = after
        if self._snapshot is not None:
            self._snapshot[index] = CompletionItemStatus(index, self._name(index), _ITEM_STATUS[after])
        return after

    # --- events of branches ---

    def _take(self, event: BranchEvent, now_ms: int) -> list[Command]:
        self._move(event.index, type(event))
        self.running -= 1
        if isinstance(event, Succeeded | Failed):
            self._under_way -= 1
            self._record_end(event)
        elif isinstance(event, Suspended):
            if event.due_ms is not None:
                self._join_wave(event.index, event.due_ms, now_ms)
        elif isinstance(event, Orphaned):
            return self._end(Discard())
        else:
            return self._end(Raise(event.error))
        self._changed = True
        return self._advance(now_ms)

    def _record_end(self, event: Succeeded | Failed) -> None:
        index = event.index
        if isinstance(event, Succeeded):
            self.succeeded += 1
            self._ends[index] = BatchItem(index, BatchItemStatus.SUCCEEDED, event.result)
        else:
            self.failed += 1
            self._ends[index] = BatchItem(index, BatchItemStatus.FAILED, error=event.error)
            if event.retryable is not None:
                self._retryable = event.retryable

    def _take_late(self, event: BranchEvent) -> None:
        self._move(event.index, type(event))
        match event:
            case Succeeded() | Failed():
                self._record_end(event)
            case Fatal(_, error):
                self._fatal = error
            case Suspended() | Orphaned():
                pass

    # --- suspended branches ---

    def _join_wave(self, index: int, due_ms: int, now_ms: int) -> None:
        resumed_at = self._resumed_at_ms.get(index)
        if resumed_at is not None and due_ms <= resumed_at:
            due_ms = now_ms + PATIENCE_MS
        self._states[index] = BranchState.TIMED
        wave = self._waves.get(due_ms)
        if wave is None:
            wave = self._waves[due_ms] = []
            heapq.heappush(self._wave_times, due_ms)
        wave.append(index)

    def _take_due(self, now_ms: int) -> list[int]:
        """The branches of every wave whose moment has come: earlier waves first, each by index."""
        due: list[int] = []
        while self._wave_times and self._wave_times[0] <= now_ms:
            due += sorted(self._waves.pop(heapq.heappop(self._wave_times)))
        return due

    def _release_wave(self) -> None:
        for index in self._refreshing or ():
            self._move(index, Refreshed)
            self._due.append(index)
        self._refreshing = None

    def _rejoin(self, now_ms: int) -> list[Command]:
        self._release_wave()
        return self._advance(now_ms)

    # --- what now ---

    def _hear(self, decision: CompletionDecision, now_ms: int) -> list[Command]:
        self._phase = Phase.OPEN
        commands = self._judge(decision)
        while not commands and self._backlog and self._phase is Phase.OPEN:
            commands = self._take(self._backlog.popleft(), now_ms)
        if self._phase is Phase.DRAINING:
            while self._backlog:
                self._take_late(self._backlog.popleft())
        return commands or self._advance(now_ms)

    def _judge(self, decision: CompletionDecision | None) -> list[Command]:
        """Does the batch end here? If so, the reason is fixed."""
        if decision is None and not self.failed and self.succeeded < self._enough:
            return []
        self._reason = self._policy.reason_given(self.succeeded, self.failed, decision)
        if self._reason is None:
            return []
        self._phase = Phase.DRAINING
        return [Drain()]

    def _advance(self, now_ms: int) -> list[Command]:
        if self._changed:
            self._changed = False
            if self._snapshot is not None:
                self._phase = Phase.ASKING
                done = self.succeeded + self.failed
                status = CompletionStatus(self.succeeded, self.failed, done, self._total, tuple(self._snapshot))
                return [Ask(status)]
            if ended := self._judge(None):
                return ended
        if self._refreshing is None and (due := self._take_due(now_ms)):
            self._refreshing = due
            return [Refresh()]
        if self._refreshing is not None or self.running or self.runnable:
            return []
        if self._retryable is not None:
            return self._end(Raise(self._retryable))
        return self._end(Suspend(self._wave_times[0] if self._wave_times else None))

    def _fill(self, free: int, now_ms: int) -> list[Command]:
        commands: list[Command] = []
        if self._due:
            resumed = [self._due.popleft() for _ in range(min(free, len(self._due)))]
            for index in resumed:
                self._move(index, Lanes)
                self._resumed_at_ms[index] = now_ms
            self.running += len(resumed)
            free -= len(resumed)
            commands.append(Resume(resumed))
        count = min(free, self.admissible)
        if count > 0:
            first = self.started
            indexes = range(first, first + count)
            for index in indexes:
                self._move(index, Lanes)
            self._ends += [None] * count
            self.started += count
            self.running += count
            self._under_way += count
            commands.append(Start(indexes))
        return commands

    def _end(self, command: Command) -> list[Command]:
        self._phase = Phase.ENDED
        self._backlog.clear()
        return [command]

    def _outcome(self) -> Command:
        self._phase = Phase.ENDED
        error = self._fatal if self._fatal is not None else self._retryable
        if error is not None:
            return Raise(error)
        assert self._reason is not None  # draining begins with the reason
        items = [
            BatchItem(index, BatchItemStatus.STARTED) if item is None else item for index, item in enumerate(self._ends)
        ]
        return Finish(BatchResult(items, self._reason))
