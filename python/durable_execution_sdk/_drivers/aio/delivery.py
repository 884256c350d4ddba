"""In which order completions reach user code: pure, events in, next delivery out.

Theory of operation. Concurrent user code sees what finishes first: `asyncio.wait`, `as_completed` and races branch on
it. So that a replay sees the same, completions are not delivered as they arrive but one at a time, each when the loop
has run dry, in an order that history alone gives: the key (end time in whole milliseconds, operation id, kind).

An event may be recorded before its operation was started in this run (a replay reaches the operation later). While
anything from outside may still start it, the order waits for it. When nothing can, it is set aside and delivered as
soon as its operation starts; that is how histories whose stamps do not rise (other services, `def` handlers) replay.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from durable_execution_sdk._model.errors import NonDeterministicExecutionError

CREATED = 0
FINISHED = 1


class Event(NamedTuple):
    """A completion. The order of the fields is the order of delivery."""

    ms: int
    operation_id: str
    kind: int


class DeliveryOrder:
    """Which completion comes next. Knows no loop, no clock and no promise."""

    def __init__(
        self, recorded: Iterable[Event] = (), is_hidden: Callable[[str], bool] = lambda operation_id: False
    ) -> None:
        """Args: what is recorded already, and which operations nobody will start (their events are dropped)."""
        self._is_hidden = is_hidden
        self._waiting: list[Event] = list(recorded)
        heapq.heapify(self._waiting)
        self._undelivered: dict[tuple[str, int], Event] = {
            (event.operation_id, event.kind): event for event in self._waiting
        }
        self._listening: set[tuple[str, int]] = set()
        self._available = 0  # how many of the listening have an undelivered event
        self._aside: dict[tuple[str, int], Event] = {}
        self._late: list[Event] = []  # set aside, and started since
        self._created: set[str] = set()  # callbacks of this run: their results may be asked for at any time, or never
        self._last: Event | None = None

    def record(self, event: Event) -> Event | None:
        """An operation finished, or a callback was created; the last delivery if this one should have come before."""
        key = (event.operation_id, event.kind)
        if key in self._undelivered or key in self._aside:
            return None
        self._undelivered[key] = event
        heapq.heappush(self._waiting, event)
        if key in self._listening:
            self._available += 1
        return self._last if self._last is not None and event < self._last else None

    def knows(self, operation_id: str, kind: int = FINISHED) -> bool:
        """Whether the event is recorded and not delivered yet."""
        return (operation_id, kind) in self._undelivered or (operation_id, kind) in self._aside

    def listen(self, operation_id: str, kind: int = FINISHED) -> None:
        """User code started the operation: from now on its event can be delivered."""
        key = (operation_id, kind)
        if kind == CREATED:
            self._created.add(operation_id)
        aside = self._aside.pop(key, None)
        if aside is not None:
            heapq.heappush(self._late, aside)
            return
        if key in self._listening:
            return
        self._listening.add(key)
        if key in self._undelivered:
            self._available += 1

    def next(self, *, bodies: bool = False, outside_work: Callable[[], bool]) -> Event | None:
        """Take the event to deliver now; None if there is none, or if its operation may still be started.

        Args:
            bodies: Whether step bodies run. Nobody waits for them where a created callback has a result that is not
                asked for: after a body has ended, at its own place in the order, it may still be asked for.
            outside_work: Whether anything else from outside is pending; asked only where it matters.
        """
        if self._late:
            return self._taken(heapq.heappop(self._late))
        if not self._available:
            return None
        while True:
            top = self._waiting[0]
            key = (top.operation_id, top.kind)
            hidden = key not in self._listening and self._is_hidden(top.operation_id)
            if key not in self._listening and not hidden and (self._must_wait(top, bodies) or outside_work()):
                return None
            heapq.heappop(self._waiting)
            del self._undelivered[key]
            if key in self._listening:
                self._listening.discard(key)
                self._available -= 1
                return self._taken(top)
            if not hidden:
                self._aside[key] = top

    def take_if_next(self, operation_id: str, kind: int = FINISHED, *, outside_work: bool) -> bool:
        """The inline lane: take this operation's event if it is the one that `next` would give."""
        if self._late:
            if self._late[0][1:] != (operation_id, kind):
                return False
            self._taken(heapq.heappop(self._late))
            return True
        key = (operation_id, kind)
        if key not in self._undelivered or key not in self._listening:
            return False
        passed: list[Event] = []
        while (top := self._waiting[0])[1:] != key:
            listening = (top.operation_id, top.kind) in self._listening
            if not listening and self._is_hidden(top.operation_id):
                heapq.heappop(self._waiting)
                del self._undelivered[top.operation_id, top.kind]
                continue
            if outside_work or listening:
                for event in passed:
                    heapq.heappush(self._waiting, event)
                return False
            passed.append(heapq.heappop(self._waiting))
        for event in passed:
            passed_key = (event.operation_id, event.kind)
            del self._undelivered[passed_key]
            self._aside[passed_key] = event
        heapq.heappop(self._waiting)
        del self._undelivered[key]
        self._listening.discard(key)
        self._available -= 1
        self._taken(top)
        return True

    @property
    def deliverable(self) -> bool:
        """Whether some started operation has an event that is not delivered yet."""
        return bool(self._late) or self._available > 0

    @property
    def set_aside(self) -> list[Event]:
        """Events that were passed over because nothing had started their operation, smallest first.

        Not those of callbacks that were created: whether and when to ask for a result is the handler's business.
        """
        return sorted(event for event in self._aside.values() if event.operation_id not in self._created)

    def _must_wait(self, event: Event, bodies: bool) -> bool:
        return bodies and event.operation_id not in self._created

    def _taken(self, event: Event) -> Event:
        if self._last is None or event > self._last:
            self._last = event
        return event


def never_started(aside: Sequence[Event]) -> NonDeterministicExecutionError:
    """The error for events that were set aside and that nobody started until the end."""
    listed = ", ".join(event.operation_id for event in aside[:5])
    return NonDeterministicExecutionError(
        f"History holds {len(aside)} finished operation(s) that the handler did not start although others that "
        f"finished later were delivered: {listed}. The handler changed since this execution started, or what "
        "it does depends on something outside its durable operations",
        step_id=aside[0].operation_id,
    )
