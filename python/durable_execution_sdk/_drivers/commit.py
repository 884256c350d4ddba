"""Group commit: how queued updates reach the service.

Whoever must wait for durability sends. If no request is in flight it takes the whole queue and sends it on its own
thread; else it waits, and the next request takes everything that was queued meanwhile. A lone step thus pays one round
trip and nothing else, and under load batches form by themselves. Updates that nobody waits for ride along. If nothing
else is sent within 100 ms, one lazily started thread sends them; it sleeps until then and nothing polls.

At most one request is in flight. An answer is merged with all its pages before anybody wakes.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import NoReturn

from durable_execution_sdk._core import Journal, Request
from durable_execution_sdk._drivers.ports import Transport
from durable_execution_sdk._model.api_errors import CheckpointError, GetExecutionStateError
from durable_execution_sdk._model.signals import BackgroundThreadError, OrphanedChildException, SuspendExecution
from durable_execution_sdk._model.updates import OperationUpdate

_logger = logging.getLogger("durable_execution_sdk")

RIDE_ALONG_SECONDS = 0.1
"""How long an update that nobody waits for may stay queued."""

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
        "_closed",
        "_end",
        "_journal",
        "_lock",
        "_oldest_unsent",
        "_on_changed",
        "_sending",
        "_settled",
        "_timer",
        "_timer_idle",
        "_transport",
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
        self._lock = threading.Lock()
        self._settled = threading.Condition(self._lock)
        self._wake = threading.Condition(self._lock)
        self._sending = False
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

    def submit(self, update: OperationUpdate) -> None:
        """Queue an update and return at once."""
        with self._lock:
            self._push(update)
            self._arm()

    def commit(self, update: OperationUpdate | None) -> None:
        """Queue an update (None: only news are wanted) and return when it is acknowledged and merged.

        Raises:
            BackgroundThreadError: A request failed, this one or an earlier one.
            OrphanedChildException: An enclosing context has ended, or the execution.
            SuspendExecution: The service takes no more updates from this invocation.
        """
        with self._lock:
            self._flush(self._push(update))

    def drain(self) -> None:
        """Have everything acknowledged that is queued now; nothing if sending has ended."""
        with self._lock:
            while self._end is None and (self._journal.queued or self._sending):
                self._turn()

    def close(self) -> None:
        """Stop the timer and wait until it is gone. What is still queued stays unsent."""
        with self._lock:
            self._closed = True
            self._wake.notify()
            timer = self._timer
        if timer is not None:
            timer.join()

    @property
    def failure(self) -> BackgroundThreadError | None:
        """Why sending has ended, if a request failed."""
        return self._end if isinstance(self._end, BackgroundThreadError) else None

    # --- with the lock held ---

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
        if isinstance(end, SuspendExecution):
            raise SuspendExecution(str(end))
        raise _orphaned(update)

    def _flush(self, ticket: int) -> None:
        while self._journal.settled < ticket:
            if self._end is not None:
                self._refuse(None)
            self._turn()

    def _turn(self) -> None:
        """Send one batch, or wait for whoever is sending."""
        if self._sending:
            self._settled.wait()
            return
        request = self._journal.next_request(os.urandom(16).hex())
        self._oldest_unsent = time.monotonic() if self._journal.queued else None
        if request is None:
            return
        self._sending = True
        try:
            self._lock.release()
            try:
                outcome = self._exchange(request)
            finally:
                self._lock.acquire()
            if outcome == "revoked":
                self.revoked = True
                self._stop(SuspendExecution("The service takes no more updates from this invocation"))
            elif outcome == "completed":
                self._stop(OrphanedChildException("The execution has ended", ""))
        except Exception as error:
            self._stop(BackgroundThreadError(f"Checkpoint failed: {error}", error))
        except BaseException as error:
            self._stop(SuspendExecution(f"Checkpoint interrupted by {type(error).__name__}"))
            raise
        finally:
            self._sending = False
            self._settled.notify_all()

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
        if acknowledgement.outcome == "continue":
            load_pages(self._journal, self._transport, self._arn, acknowledgement.next_marker, changed)
        if self._on_changed is not None and changed:
            self._on_changed(changed)
        self._journal.settle()
        if self.on_merged is not None:
            self.on_merged(changed or [])
        return acknowledgement.outcome

    def _stop(self, end: BaseException) -> None:
        self._end = end
        self._oldest_unsent = None
        self._journal.discard()

    # --- the timer ---

    def _arm(self) -> None:
        if self._oldest_unsent is not None:
            return
        self._oldest_unsent = time.monotonic()
        if self._timer_idle:
            self._wake.notify()
        elif self._timer is None and not self._closed:
            timer = threading.Thread(target=self._send_when_due, name="durable-commit", daemon=True)
            try:
                timer.start()
            except RuntimeError:  # no thread to be had: the updates ride along with the next request
                _logger.debug("no thread for the commit timer", exc_info=True)
            else:
                self._timer = timer

    def _send_when_due(self) -> None:
        with self._lock:
            while not self._closed and self._end is None:
                if self._oldest_unsent is None:
                    self._timer_idle = True
                    self._wake.wait()
                    self._timer_idle = False
                    continue
                remaining = self._oldest_unsent + RIDE_ALONG_SECONDS - time.monotonic()
                if remaining > 0:
                    self._wake.wait(remaining)
                else:
                    self._turn()


def _orphaned(update: OperationUpdate | None) -> OrphanedChildException:
    operation_id = update.operation_id if update is not None else ""
    return OrphanedChildException("The enclosing context has ended; this operation is not recorded", operation_id)
