"""The threads that run branches: one bounded pool per invocation, shared by all its maps and parallels.

Threads are started when branches want them, up to a limit, and are gone when the invocation answers. Whoever wants some
claims them first, so a claim never waits: a batch that gets none runs its branches on the thread it has. It is put on a
list then, and the next thread that has nothing to do asks it for work. No cycle of batches that wait for threads can
form, however deep they are nested.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

_logger = logging.getLogger("durable_execution_sdk")

Job = Callable[[], None]

OTHER_THREADS: Final = 2
"""Threads of an invocation that run no branches: the handler's own, and that of the commit timer."""

BRANCH_THREADS: Final = 64 - OTHER_THREADS
"""Most threads for branches unless configured."""


class BranchPool:
    """Threads for the branches of one invocation. Jobs never raise."""

    __slots__ = ("_busy", "_closed", "_hungry", "_jobs", "_limit", "_lock", "_threads")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._busy = 0
        self._hungry: dict[Job, None] = {}
        self._closed = False

    @property
    def limit(self) -> int:
        """How many threads there may be."""
        return self._limit

    def warm(self, count: int) -> None:
        """Have up to that many idle threads ready, so that the next claim takes no time."""
        with self._lock:
            if not self._closed:
                self._start_threads(min(count, self._limit - self._busy))

    def claim(self, most: int, serve: Job) -> int:
        """Reserve up to that many threads; each claimed one must be given a job.

        If there are fewer, `serve` is called on each thread that runs out of work later, until it is claimed for again.
        It must do nothing where nothing is left to do.
        """
        with self._lock:
            if self._closed:
                return 0
            wanted = max(0, min(most, self._limit - self._busy))
            self._start_threads(wanted)
            claimed = min(wanted, len(self._threads) - self._busy)
            self._busy += claimed
            if claimed < most:
                self._hungry[serve] = None
            else:
                self._hungry.pop(serve, None)
            return claimed

    def give(self, job: Job) -> None:
        """Have a claimed thread do this; if the pool has closed since, and the thread is told to end, this one does."""
        with self._lock:
            if not self._closed:
                self._jobs.put(job)
                return
        job()

    def close(self) -> None:
        """Wait until every job is done and every thread gone. Claims made meanwhile get nothing."""
        with self._lock:
            self._closed = True
            self._hungry.clear()
            threads = self._threads
        for _ in threads:
            self._jobs.put(None)
        for thread in threads:
            thread.join()

    def _start_threads(self, idle: int) -> None:
        while len(self._threads) - self._busy < idle and self._start_thread():
            pass

    def _start_thread(self) -> bool:
        thread = threading.Thread(target=self._work, name=f"durable-branch-{len(self._threads)}", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the process may have no more threads: go on with those there are
            _logger.warning("No more than %d threads can be started for branches.", len(self._threads))
            self._limit = len(self._threads)
            return False
        self._threads.append(thread)
        return True

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            while (job := self._next_hungry()) is not None:
                job()

    def _next_hungry(self) -> Job | None:
        with self._lock:
            for serve in self._hungry:
                del self._hungry[serve]
                return serve
            self._busy -= 1
            return None
