"""A lock for a few microseconds."""

from __future__ import annotations

import threading
from time import sleep


class BriefLock:
    """A lock that is never held while waiting for anything, made for many threads that take it often.

    With an ordinary lock such threads fall into step: whoever waits is given the lock before it has the interpreter,
    the thread that runs soon wants the lock, too, and each turn of the lock becomes a switch of threads. It never ends
    by itself and costs more than what the lock protects. Here nobody owns the lock without running: who finds it taken
    lets others run and tries again.
    """

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        while not self._lock.acquire(blocking=False):
            sleep(0)

    def __exit__(self, *_: object) -> None:
        self._lock.release()
