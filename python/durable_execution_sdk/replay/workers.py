"""Checks in processes of their own, over all cores: they read what they check, and are dealt about equal portions."""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from durable_execution_sdk.engine.functions import FunctionNotFound
from durable_execution_sdk.replay.checking import FAILED, Report
from durable_execution_sdk.replay.histories import History
from durable_execution_sdk.replay.portions import Item, name_of, size_of
from durable_execution_sdk.replay.processes import Answer, Worker

DEFAULT_SECONDS: Final = 60.0
"""How long one history may take. A check of 10,000 operations takes less than a second."""

_PORTION_SECONDS: Final = 0.2
"""What a portion should take: long next to handing it over, short next to the whole."""

_PORTIONS_AHEAD: Final = 2
"""Portions that wait for each worker, so that none waits for this process."""

_PATIENCE_SECONDS: Final = 1.0
"""How long nothing is dealt beyond that because the first of those takes its time."""

_MOST_REPORTS: Final = 2_000
"""Reports that wait for an earlier one, when that takes longer."""

_TICK_SECONDS: Final = 0.25
"""How often workers are looked after that say nothing."""

_GLANCE_SECONDS: Final = 0.005
"""How long they may wait for an answer while whoever asked for reports is busy with them."""

_GRACE_SECONDS: Final = 1.0
"""How long workers may take to end when nothing is left to do."""

_MOST_ENDED: Final = 3
"""Histories whose check may end its process. A handler that does so with each is told at once, not once for each."""


class WorkersEnd(RuntimeError):
    """Worker processes ended at several histories, as with a handler that ends its process."""


def check_many(
    target: str,
    items: Iterable[Item],
    jobs: int,
    *,
    payloads: bool = False,
    seconds: float = DEFAULT_SECONDS,
) -> Generator[tuple[Report, int], None, None]:
    """Check histories with as many processes, and yield each report, in the order given, with the bytes it is about.

    This process runs no code of the handler, nor of its module: whatever that does to its process, it is told.

    Args:
        target: The handler as `module:attribute`, importable by worker processes as by this one.
        items: Where the histories are; workers read them.
        jobs: How many worker processes there are at a time.
        payloads: Whether reports hold the recorded result of what diverged.
        seconds: How long a history, and the import of the handler, may take; 0 for as long as they like.

    Raises:
        FunctionNotFound: The handler cannot be imported, or is not durable.
        WorkersEnd: Worker processes ended at several histories.
    """
    dealing = _Dealing(target, iter(items), jobs, payloads, seconds)
    try:
        yield from dealing.reports()
        dealing.dismiss()
    finally:
        dealing.end()  # nobody wants the rest, or Ctrl-C ends it


@dataclass(slots=True, eq=False)
class _Portion:
    """Some histories in a row.

    Attributes:
        items: Where they are; nothing is held any more when the reports are there.
        sizes: Of each.
        reports: On each, when they are there.
        has_ended_worker: Whether it is the one history at which a process ended.
    """

    items: Sequence[Item]
    sizes: Sequence[int]
    reports: Sequence[Report] | None = None
    has_ended_worker: bool = False


class _Dealing:
    def __init__(self, target: str, remaining: Iterator[Item], jobs: int, payloads: bool, seconds: float) -> None:
        self._target = target
        self._remaining = remaining
        self._jobs = jobs
        self._payloads = payloads
        self._seconds = seconds
        self._tick = min(_TICK_SECONDS, seconds / 4) if seconds else _TICK_SECONDS
        self._bytes_per_second = 0.0
        self._waiting: deque[_Portion] = deque()  # in the order in which they are reported
        self._undealt: deque[_Portion] = deque()  # those that no worker has
        self._first: _Portion | None = None
        self._first_since = self._turned = self._looked = time.monotonic()
        self._at: dict[Worker, _Portion | None] = {}
        self._selector = selectors.DefaultSelector()

    def reports(self) -> Iterator[tuple[Report, int]]:
        """All of them, in order."""
        self._start()
        while not any(worker.is_ready for worker in self._at):
            self._turn(self._tick)  # before anything is read: it may be for nothing
        ended = 0
        while self._deal():
            self._turn(self._tick)
            while self._waiting and (reports := self._waiting[0].reports) is not None:
                portion = self._waiting.popleft()
                ended += portion.has_ended_worker
                if ended > _MOST_ENDED:
                    raise WorkersEnd
                for pair in zip(reports, portion.sizes, strict=True):
                    yield pair
                    if time.monotonic() - self._turned > _GLANCE_SECONDS:
                        self._turn(0)
                        self._deal()

    def end(self) -> None:
        """End all workers that are left, at once."""
        while self._at:
            self._at.popitem()[0].end()
        self._selector.close()

    def dismiss(self) -> None:
        """Let them end, unless they take too long: threads that a handler has left may run for ever."""
        asked = [worker for worker in self._at if worker.is_ready]
        for worker in asked:
            worker.dismiss()
        until = time.monotonic() + _GRACE_SECONDS
        for worker in asked:
            if worker.ends_within(until - time.monotonic()):
                del self._at[worker]

    # --- dealing ------------------------------------------------------------------------------------------------------

    def _deal(self) -> bool:
        """Give workers what there is to do, and say whether any report is still to come."""
        while self._wants_more():
            items = _portion(self._remaining, self._bytes_per_second * _PORTION_SECONDS)
            if not items:
                self._remaining = iter(())
                break
            self._waiting.append(_Portion(items, [*map(size_of, items)]))
            self._undealt.append(self._waiting[-1])
        for worker, portion in self._at.items():
            if self._undealt and worker.is_ready and portion is None:
                self._at[worker] = dealt = self._undealt.popleft()
                worker.give(dealt.items)
                self._watch(worker)
        starting = sum(not worker.is_ready for worker in self._at)
        while len(self._at) < self._jobs and len(self._undealt) > starting:
            self._start()
            starting += 1
        return bool(self._waiting)

    def _wants_more(self) -> bool:
        if len(self._waiting) < self._jobs * (1 + _PORTIONS_AHEAD):
            return True
        now = time.monotonic()
        if self._waiting[0] is not self._first:
            self._first, self._first_since = self._waiting[0], now
        if self._undealt or self._first.reports is not None or now - self._first_since < _PATIENCE_SECONDS:
            return False
        return sum(len(portion.sizes) for portion in self._waiting) < _MOST_REPORTS

    def _start(self) -> None:
        worker = Worker(self._target, payloads=self._payloads)
        self._at[worker] = None
        self._selector.register(worker.answers, selectors.EVENT_READ, worker)
        self._watch(worker)

    def _watch(self, worker: Worker) -> None:
        """Notice when it takes more of what it is given."""
        is_watched = worker.requests in self._selector.get_map()
        if worker.has_more_to_send and not is_watched:
            self._selector.register(worker.requests, selectors.EVENT_WRITE, worker)
        elif is_watched and not worker.has_more_to_send:
            self._selector.unregister(worker.requests)

    # --- what comes back ----------------------------------------------------------------------------------------------

    def _turn(self, seconds: float) -> None:
        """Take what comes within that time, and look after those that say nothing."""
        for key, _ in self._selector.select(seconds):
            worker: Worker = key.data
            if worker not in self._at:
                continue  # it was ended in this turn
            if key.fd == worker.requests:
                worker.send()
                self._watch(worker)
                continue
            self._hear(worker)
            if worker.is_silent:
                self._ended(worker)
        self._turned = now = time.monotonic()
        passed = now - self._looked
        if passed < self._tick:
            return
        self._looked = now
        for worker, portion in [*self._at.items()]:
            # What goes beyond a tick is time in which this process was stopped, or slept with the machine.
            worker.passed(min(passed, 2 * self._tick))
            if worker.has_ended():
                self._hear(worker)  # what it had said before
                self._ended(worker)
            elif self._seconds and worker.waited >= self._seconds and (portion or not worker.is_ready):
                self._overdue(worker)

    def _hear(self, worker: Worker) -> None:
        for answer in worker.receive():
            self._take(worker, answer)

    def _take(self, worker: Worker, answer: Answer) -> None:
        if answer is None:
            worker.is_ready = True
        elif isinstance(answer, str):
            raise FunctionNotFound(answer)
        elif (portion := self._at[worker]) is not None:
            portion.reports, seconds = answer
            portion.items = ()
            self._bytes_per_second = sum(portion.sizes) / max(seconds, 1e-6)
            self._at[worker] = None

    def _ended(self, worker: Worker) -> None:
        begun, portion, code = self._taken_from(worker)
        how = f"it is killed by {signal.Signals(-code).name}" if code < 0 else f"its exit code is {code}"
        if portion is not None:
            why = "memory runs out, or the handler ends its process"
            self._split(portion, begun, f"the process that checks it ends by itself, {how}: {why}", has_ended=True)
        elif not worker.is_ready:
            self._go_on_without(f"Importing {self._module!r} ends the process that does it; {how}.")

    def _overdue(self, worker: Worker) -> None:
        begun, portion, _ = self._taken_from(worker)
        limit = f"{self._seconds:g} s"
        if portion is not None:
            why = "the handler does not return, or --timeout allows it too little time"
            self._split(portion, begun, f"its check takes longer than {limit}: {why}", has_ended=False)
        else:
            self._go_on_without(
                f"Importing {self._module!r} takes longer than {limit}: allow it more with --timeout, 0 for no limit."
            )

    @property
    def _module(self) -> str:
        return self._target.partition(":")[0]

    def _taken_from(self, worker: Worker) -> tuple[int, _Portion | None, int]:
        for descriptor in (worker.answers, worker.requests):
            if descriptor in self._selector.get_map():
                self._selector.unregister(descriptor)
        begun = worker.begun()
        return begun, self._at.pop(worker), worker.end()

    def _split(self, portion: _Portion, begun: int, why: str, *, has_ended: bool) -> None:
        """Report on the history that was begun last. The others have no reports either, and are dealt once more."""
        at = max(begun - 1, 0)
        report = Report(name_of(portion.items[at]), FAILED, 0, 0, note=why)
        before = _Portion(portion.items[:at], portion.sizes[:at])
        after = _Portion(portion.items[at + 1 :], portion.sizes[at + 1 :])
        rest = [each for each in (before, after) if each.items]
        place = self._waiting.index(portion)
        del self._waiting[place]
        for each in (after, _Portion((), [portion.sizes[at]], [report], has_ended), before):
            if each in rest or each.reports is not None:
                self._waiting.insert(place, each)
        self._undealt.extendleft(reversed(rest))

    def _go_on_without(self, why: str) -> None:
        """Where a worker cannot be started that others could, fewer do it."""
        self._jobs = len(self._at)
        if not self._jobs:
            raise FunctionNotFound(why)


def _portion(remaining: Iterator[Item], size_bytes: float) -> list[Item]:
    portion: list[Item] = []
    for item in remaining:
        portion.append(item)
        size_bytes -= size_of(item)
        if size_bytes <= 0 or isinstance(item, History):  # what is at hand is all in memory until it is checked
            break
    return portion


def default_jobs() -> int:
    """One per core that this process may use."""
    return len(os.sched_getaffinity(0))


__all__ = ["DEFAULT_SECONDS", "WorkersEnd", "check_many", "default_jobs"]
