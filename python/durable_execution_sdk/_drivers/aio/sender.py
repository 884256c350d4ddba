"""Who talks to the service while an async handler runs: one thread, or the loop's own where nothing else needs that."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from durable_execution_sdk._core import Journal
from durable_execution_sdk._drivers.commit import RIDE_ALONG_SECONDS, GroupCommit
from durable_execution_sdk._model.updates import OperationUpdate

BETWEEN_REQUESTS_SECONDS = 0.001
"""Pause that makes the whole-millisecond stamps of any service with one clock rise from request to request."""


class Sender:
    """Sends what is queued when it is told to, one request after the other, on a thread of its own or on the caller's.

    The thread is started at the first request of an invocation that it is to send, and joined at its end.

    Args:
        commit: The outbox.
        journal: Knows what is acknowledged.
        news: Called on the thread that sent, with what an answer changed, if more is to be sent.
        idle: Called on the sender's thread when it has nothing more to do, with the error that ended sending, if any,
            and what the last answer changed: each of these calls wakes the loop, so there is one instead of two.
        pause: Whether a millisecond must pass between an answer and the next request.
    """

    def __init__(
        self,
        commit: GroupCommit,
        journal: Journal,
        news: Callable[[Sequence[str]], None],
        idle: Callable[[BaseException | None, Sequence[str]], None],
        pause: Callable[[], bool],
    ) -> None:
        self._commit = commit
        self._journal = journal
        self._news = news
        self._idle = idle
        self._pause = pause
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._busy = False
        self._closing = False
        self._unsent_since: float | None = None
        self._queued = 0
        self._to_send = 0
        self._answered = 0.0
        self.interrupted: BaseException | None = None
        """What ended sending, if it is not an error of the request."""
        self._last_news: Sequence[str] = ()
        self._here = 0  # the thread in `send_here`
        self._changed_here: list[str] = []
        commit.on_merged = self._merged

    @property
    def busy(self) -> bool:
        """Whether a request is in flight, or its answer not taken note of."""
        return self._busy

    def rides_along_for(self) -> float | None:
        """How many more seconds what is queued may wait for others to share its request; None if nothing is queued."""
        if self._unsent_since is None or self._busy:
            return None
        return max(0.0, self._unsent_since + RIDE_ALONG_SECONDS - time.monotonic())

    @property
    def has_unsent(self) -> bool:
        """Whether anything is queued, and no request in flight."""
        return self._unsent_since is not None and not self._busy

    @property
    def thread(self) -> threading.Thread | None:
        """The thread, once there is one."""
        return self._thread

    def push(self, update: OperationUpdate | None) -> int:
        """Queue an update (None: only news are wanted); the ticket to wait for."""
        self._queued = ticket = self._commit.enqueue(update)
        if self._unsent_since is None:
            self._unsent_since = time.monotonic()
        return ticket

    def nudge(self) -> None:
        """Have what is queued sent, unless a request is in flight: the rest goes after that."""
        if self._unsent_since is None or self._busy:
            return
        self._unsent_since = None
        self._to_send = self._queued  # what is queued later may ride along with later ones still
        self._busy = True
        if self._thread is None:
            self._thread = threading.Thread(target=self._send, name="durable-sender", daemon=True)
            self._thread.start()
        self._wake.put(None)

    def send_here(self) -> tuple[BaseException | None, Sequence[str]]:
        """Have what is queued sent by the calling thread: the error that ended sending, if any, and what has changed.

        For the loop's thread, where nothing else needs it: that saves two hand-overs between threads.
        """
        self._unsent_since = None
        self._to_send = self._queued
        self._busy = True
        self._here, self._changed_here = threading.get_ident(), []
        try:
            return self._flush(), self._changed_here
        finally:
            self._here = 0

    def went_idle(self) -> None:
        """On the loop's thread: the last answer was taken note of; the next request may go."""
        self._busy = False

    def close(self) -> None:
        """Join the thread; a request in flight ends first."""
        self._closing = True
        self._wake.put(None)
        if self._thread is not None:
            self._thread.join()

    def _merged(self, changed: Sequence[str]) -> None:
        """On the thread that sent: an answer was merged."""
        if self._here == threading.get_ident():
            self._changed_here += changed
        elif threading.current_thread() is self._thread and self._journal.settled >= self._to_send:
            self._last_news = changed
        else:
            self._news(changed)

    def _send(self) -> None:
        while True:
            self._wake.get()
            if self._closing:
                return
            failure = self._flush()
            news, self._last_news = self._last_news, ()
            self._idle(failure, news)

    def _flush(self) -> BaseException | None:
        try:
            if self._pause():
                time.sleep(max(0.0, self._answered + BETWEEN_REQUESTS_SECONDS - time.monotonic()))
            self._commit.flush(self._to_send)
            self._answered = time.monotonic()
        except BaseException as error:
            self.interrupted = error
            return error
        return self._commit.failure
