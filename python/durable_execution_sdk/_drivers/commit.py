"""Group commit: how queued updates reach the service.

Whoever must wait for durability sends. If no request is in flight it takes the whole queue and sends it on its own
thread; else it waits, and the next request takes everything that was queued meanwhile. A lone step thus pays one round
trip and nothing else, and under load batches form by themselves. Updates that nobody waits for ride along. If nothing
else is sent within 100 ms, one lazily started thread sends them; it sleeps until then, and until there is something to
send again if it finds nothing.

At most one request is in flight. An answer is merged with all its pages before anybody wakes. Then those wake whose
updates are acknowledged, each through a gate of its own, and one of the others, who sends next: with many branches the
locks decide the speed, so nobody is woken for nothing and nobody takes the lock to learn that all is well.

Whoever sends next waits a little for those who have just been woken, for they are about to queue their next updates.
Without that, two groups of threads would form that take turns at waiting for each other's request, and each request
would carry half of what it could. The last of those who were woken sends; if one stays away (its code takes its time),
whoever waits sends as soon as half a millisecond has passed in which nobody came, and at the latest after a quarter of
the last round trip. A line of code that is alone waits for nobody.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NoReturn

from durable_execution_sdk._core import Journal, Request
from durable_execution_sdk._drivers.locks import BriefLock
from durable_execution_sdk._drivers.ports import Transport
from durable_execution_sdk._model.api_errors import CheckpointError, GetExecutionStateError
from durable_execution_sdk._model.errors import InvocationError
from durable_execution_sdk._model.signals import BackgroundThreadError, OrphanedChildException, SuspendExecution
from durable_execution_sdk._model.updates import OperationUpdate

_logger = logging.getLogger("durable_execution_sdk")

RIDE_ALONG_SECONDS = 0.1
"""How long an update that nobody waits for may stay queued."""

LULL_SECONDS = 0.0005
"""If nobody comes for so long, those who are still away are not waited for. Shorter round trips wait for nobody."""

PATIENCE = 0.25
"""The share of a round trip that a request is put off at most."""

PAGE_ITEMS = 1000
"""Most operations that the Lambda API returns per state page."""


def load_pages(
    journal: Journal, transport: Transport, arn: str, marker: str | None, ids: list[str] | None = None
) -> None:
    """Fetch and index state pages until there is no further marker; `ids` receives what was on them."""
    while marker:
        answer = transport.fetch_state(arn, journal.token, marker, PAGE_ITEMS)
        try:
            if ids is not None:
                page = json.loads(answer) if isinstance(answer, bytes) else answer
                ids.extend(operation["Id"] for operation in page.get("Operations") or ())
            if isinstance(answer, bytes):
                marker = journal.load_page(answer)
            else:
                journal.load_operations(answer.get("Operations") or ())
                marker = answer.get("NextMarker")
        except ValueError as error:
            raise GetExecutionStateError(f"The service sent a page that cannot be read: {error}") from error


class GroupCommit:
    """The outbox of one invocation, and everybody who waits for it."""

    __slots__ = (
        "_arn",
        "_arrivals",
        "_away",
        "_closed",
        "_end",
        "_is_awaited",
        "_journal",
        "_lock",
        "_oldest_unsent",
        "_on_changed",
        "_patience",
        "_sender",
        "_timer",
        "_timer_idle",
        "_token_stem",
        "_tokens",
        "_transport",
        "_waiters",
        "_wake",
        "on_merged",
        "revoked",
    )

    def __init__(
        self,
        journal: Journal,
        transport: Transport,
        arn: str,
        on_changed: Callable[[list[str]], None] | None = None,
    ) -> None:
        self._journal = journal
        self._transport = transport
        self._arn = arn
        self._on_changed = on_changed
        self._lock = BriefLock()
        self._waiters: deque[_Waiter] = deque()
        self._away: set[int] = set()  # threads that the last answer woke, until they come here again
        self._arrivals = 0
        self._is_awaited = False  # whether a waiter looks every now and then if it had better send
        self._patience = 0.0
        self._token_stem = ""
        self._tokens = itertools.count(1)
        self._wake = threading.Event()
        self._sender = 0  # the thread that has a request in hand, if any
        self._oldest_unsent: float | None = None
        self._timer: threading.Thread | None = None
        self._timer_idle = False
        self._closed = False
        self._end: BaseException | None = None
        self.revoked = False
        self.on_merged: Callable[[list[str]], None] | None = None
        """Called on the thread that sent, when an answer is merged and settled, with the ids of what it changed."""

    @property
    def stamps_rise(self) -> bool:
        """Whether the service promises that end times rise from one completion to the next."""
        return bool(getattr(self._transport, "stamps_rise", False))

    # --- for operations ---

    def enqueue(self, update: OperationUpdate | None) -> int:
        """Queue an update for whoever sends next; the ticket that settles when it is acknowledged.

        Raises:
            BackgroundThreadError: An earlier request failed.
            OrphanedChildException: An enclosing context has ended, or the execution.
            SuspendExecution: The service takes no more updates from this invocation.
        """
        with self._lock:
            return self._push(update)

    def submit(self, update: OperationUpdate) -> int:
        """Queue an update and return at once, with the ticket that settles when it is acknowledged.

        Raises:
            BackgroundThreadError: An earlier request failed.
            OrphanedChildException: An enclosing context has ended, or the execution.
            SuspendExecution: The service takes no more updates from this invocation.
        """
        ticket = self._push(update)
        if self._oldest_unsent is None:
            with self._lock:
                self._arm()
        return ticket

    def commit(self, update: OperationUpdate | None) -> None:
        """Queue an update (None: only news are wanted) and return when it is acknowledged and merged.

        Raises:
            BackgroundThreadError: A request failed, this one or an earlier one.
            OrphanedChildException: An enclosing context has ended, or the execution.
            SuspendExecution: The service takes no more updates from this invocation.
        """
        ticket = self._push(update)
        while self._journal.settled < ticket:
            if self._end is not None:
                self._refuse(None)
            self._turn(ticket)

    def flush(self, ticket: int) -> None:
        """Have everything acknowledged up to a ticket, and leave what is queued later; nothing if sending has ended."""
        while self._end is None and self._journal.settled < ticket:
            self._turn(ticket)

    def step_back(self) -> None:
        """This thread queues nothing for the time being: nobody need wait for it."""
        if not self._away:
            return
        with self._lock:
            self._away.discard(threading.get_ident())
            if not self._away and self._is_awaited and not self._sender:
                self._open_next()

    def drain(self) -> None:
        """Have everything acknowledged that is queued now; nothing if sending has ended."""
        while self._end is None and (self._journal.queued or self._sender):
            self._turn(None)

    def close(self) -> None:
        """Stop the timer and wait until it is gone. What is still queued stays unsent."""
        with self._lock:
            self._closed = True
            timer = self._timer
        self._wake.set()
        if timer is not None:
            timer.join()

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will be sent."""
        return self._end is not None

    @property
    def failure(self) -> BackgroundThreadError | None:
        """Why sending has ended, if a request failed."""
        return self._end if isinstance(self._end, BackgroundThreadError) else None

    # --- sending ---

    def _push(self, update: OperationUpdate | None) -> int:
        if self._end is not None:
            self._refuse(update)
        ticket = self._journal.push(update)
        if ticket == 0:
            raise _orphaned(update)
        return ticket

    def _refuse(self, update: OperationUpdate | None) -> NoReturn:
        end = self._end
        if isinstance(end, BackgroundThreadError):
            raise BackgroundThreadError(str(end), end.source_exception) from end.source_exception
        raise SuspendExecution(str(end)) if isinstance(end, SuspendExecution) else _orphaned(update)

    def _turn(self, ticket: int | None) -> None:
        """Send one batch, or wait for whoever is sending: until the ticket is settled, or it is our turn.

        Without a ticket, any settled request ends the wait, and nobody is waited for.
        """
        waiter: _Waiter | None = None
        request: Request | None = None
        watches = False
        try:
            with self._lock:
                if self._end is not None or (ticket is not None and self._journal.settled >= ticket):
                    return
                if self._away:
                    self._away.discard(threading.get_ident())
                    self._arrivals += 1
                if self._sender:
                    waiter = _Waiter(ticket)
                elif self._away and self._patience and ticket is not None:
                    waiter = _Waiter(ticket)
                    watches, self._is_awaited = not self._is_awaited, True
                else:
                    request = self._take_batch()
                if waiter is not None:
                    self._waiters.append(waiter)
            if watches and waiter is not None:
                request = self._watch(waiter)
            elif waiter is not None:
                waiter.gate.acquire()
            if request is not None:
                self._send(request, comes_back=ticket is not None)
        except BaseException as error:
            self._give_way(waiter, error)
            raise

    def _give_way(self, waiter: _Waiter | None, error: BaseException) -> None:
        """This thread was interrupted: whatever was its turn is somebody else's now."""
        with self._lock:
            if waiter is not None and waiter in self._waiters:
                self._waiters.remove(waiter)
            if self._sender == threading.get_ident():  # with a request in hand, which may or may not have gone out
                self._settle_request(_interrupted(error), (), 0.0)
            elif not self._sender:
                self._open_next()

    def _watch(self, waiter: _Waiter) -> Request | None:
        """Wait until the gate opens, or those who are away stay away: the batch to send then."""
        patient_until = time.monotonic() + self._patience
        seen = -1
        while not waiter.gate.acquire(timeout=LULL_SECONDS):
            with self._lock:
                if self._sender or waiter not in self._waiters:
                    break
                if seen == self._arrivals or time.monotonic() >= patient_until:
                    self._waiters.remove(waiter)
                    return self._take_batch()
                seen = self._arrivals
        else:
            return None
        waiter.gate.acquire()
        return None

    def _take_batch(self) -> Request | None:
        # First forget that something was unsent, then look: whoever queues after the look finds it forgotten and arms
        # the timer again.
        self._oldest_unsent = None
        self._is_awaited = False
        request = self._journal.next_request(self._client_token())
        if request is not None:
            self._sender = threading.get_ident()
        if self._journal.queued:  # more than one request takes, and perhaps nobody waits for the rest
            self._arm()
        return request

    def _client_token(self) -> str:
        if not self._token_stem:
            self._token_stem = os.urandom(12).hex()
        return f"{self._token_stem}{next(self._tokens):08x}"

    def _send(self, request: Request, *, comes_back: bool) -> None:
        end: BaseException | None = None
        started = time.monotonic()
        try:
            outcome = self._exchange(request)
            if outcome == "revoked":
                self.revoked = True
                end = SuspendExecution("The service takes no more updates from this invocation")
            elif outcome == "completed":
                end = OrphanedChildException("The execution has ended", "")
        except Exception as error:
            end = BackgroundThreadError(f"Checkpoint failed: {error}", error)
        except BaseException as error:
            end = _interrupted(error)
            raise
        finally:
            with self._lock:
                self._settle_request(end, (threading.get_ident(),) if comes_back else (), time.monotonic() - started)

    def _settle_request(self, end: BaseException | None, away: Sequence[int], round_trip_s: float) -> None:
        """With the lock held: the request of this thread is over, and so is all sending if there is an `end`."""
        if end is not None:
            self._end = end
            self._oldest_unsent = None
            self._journal.discard()
        self._sender = 0
        self._away = set(away)
        patience = round_trip_s * PATIENCE
        self._patience = 0.0 if patience < LULL_SECONDS else patience
        self._wake_waiters()

    def _wake_waiters(self) -> None:
        settled, ended = self._journal.settled, self._end is not None
        waiting = self._waiters
        self._waiters = deque()
        for waiter in waiting:
            if ended or waiter.ticket is None or waiter.ticket <= settled:
                self._open(waiter)
            else:
                self._waiters.append(waiter)
        self._open_next()

    def _open_next(self) -> None:
        self._is_awaited = False
        if self._waiters:
            self._open(self._waiters.popleft())

    def _open(self, waiter: _Waiter) -> None:
        if waiter.ticket is not None:
            self._away.add(waiter.thread)
        waiter.gate.release()

    def _exchange(self, request: Request) -> str:
        """One round trip and its pages, merged. The lock is not held: whoever sends is alone here."""
        answer = self._transport.checkpoint(self._arn, request)
        try:
            acknowledgement = self._journal.acknowledge(answer)
        except ValueError as error:
            raise CheckpointError(f"The service sent an acknowledgement that cannot be read: {error}") from error
        if acknowledgement.outcome == "revoked":
            return "revoked"
        listened = self._on_changed is not None or self.on_merged is not None
        changed = list(acknowledgement.changed) if listened else None
        marker = acknowledgement.next_marker
        if marker is not None and acknowledgement.outcome == "continue":
            load_pages(self._journal, self._transport, self._arn, marker, changed)
        if self._on_changed is not None and changed:
            self._on_changed(changed)
        self._journal.settle()
        if self.on_merged is not None:
            self.on_merged(changed or [])
        return acknowledgement.outcome

    # --- the timer ---

    def _arm(self) -> None:
        if self._oldest_unsent is not None:
            return
        self._oldest_unsent = time.monotonic()
        if self._timer_idle:
            self._timer_idle = False
            self._wake.set()
        elif self._timer is None and not self._closed:
            timer = threading.Thread(target=self._send_when_due, name="durable-commit", daemon=True)
            try:
                timer.start()
            except RuntimeError:  # no thread to be had: the updates ride along with the next request
                _logger.debug("no thread for the commit timer", exc_info=True)
            else:
                self._timer = timer

    def _send_when_due(self) -> None:
        quiet = False
        while True:
            with self._lock:
                if self._closed or self._end is not None:
                    return
                if self._oldest_unsent is not None:
                    quiet = False
                    pause: float | None = self._oldest_unsent + RIDE_ALONG_SECONDS - time.monotonic()
                else:
                    # Look once more before going idle: in busy times nobody need wake this thread for each request.
                    pause = None if quiet else RIDE_ALONG_SECONDS
                    self._timer_idle = quiet
                    quiet = not quiet
                self._wake.clear()
            if pause is None or pause > 0:
                self._wake.wait(pause)
            else:
                self._turn(None)


class _Waiter:
    """A thread that waits for a ticket, or for the next settled request."""

    __slots__ = ("gate", "thread", "ticket")

    def __init__(self, ticket: int | None) -> None:
        self.ticket = ticket
        self.thread = threading.get_ident()
        self.gate = threading.Lock()
        self.gate.acquire()


def _interrupted(error: BaseException) -> BackgroundThreadError:
    """What others are told. No suspension: nothing need be pending, and who would invoke again then?"""
    source = InvocationError(f"Checkpoint interrupted by {type(error).__name__}")
    source.__cause__ = error
    return BackgroundThreadError(str(source), source)


def _orphaned(update: OperationUpdate | None) -> OrphanedChildException:
    operation_id = update.operation_id if update is not None else ""
    return OrphanedChildException("The enclosing context has ended; this operation is not recorded", operation_id)
