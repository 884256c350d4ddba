"""Checks over all cores: worker processes that read what they check, and are dealt portions of about equal time."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, suppress
from itertools import chain, islice, tee
from multiprocessing import get_context, parent_process
from typing import Any, Final, TypeAlias

from durable_execution_sdk.engine.functions import load as load_function
from durable_execution_sdk.replay.checking import FAILED, Report, check
from durable_execution_sdk.replay.histories import History
from durable_execution_sdk.replay.offline import offline
from durable_execution_sdk.replay.portions import Item, load, name_of, size_of

_PORTION_SECONDS: Final = 0.2
"""What a portion should take: long next to handing it over, short next to the whole."""

_PORTIONS_AHEAD: Final = 2
"""Portions that wait for each worker, so that none waits for this process."""

_MOST_ENDED: Final = 3
"""Histories whose check may end its process. A handler that does so with each is told at once, not once for each."""

_ENDED: Final = "the process that checks it ends by itself: memory runs out, or the handler ends its process"


def check_many(
    target: str, items: Iterable[Item], jobs: int, *, payloads: bool = False
) -> Iterator[tuple[Report, int]]:
    """Check histories with as many processes, and yield each report, in the order given, with the bytes it is about.

    Args:
        target: The handler as `module:attribute`, importable by worker processes as by this one.
        items: Where the histories are; workers read them.
        jobs: With 1, this process does it.
        payloads: Whether reports hold the recorded result of what diverged.

    Raises:
        BrokenProcessPool: Worker processes ended at several histories, as with a handler that ends its process.
    """
    remaining = iter(items)
    ahead = list(islice(remaining, 2))
    remaining = chain(ahead, remaining)
    if jobs == 1 or len(ahead) < 2:
        handler = load_function(target)
        noted, wanted = tee(remaining)
        for item, history in zip(noted, load(wanted), strict=True):
            yield check(handler, history, payloads=payloads), size_of(item)
    else:
        yield from _dealt(target, remaining, jobs, payloads)


_Waiting: TypeAlias = "deque[tuple[list[Item], Future[_Done] | None]]"


def _dealt(target: str, remaining: Iterator[Item], jobs: int, payloads: bool) -> Iterator[tuple[Report, int]]:
    ended = 0
    while True:
        waiting: _Waiting = deque()
        with suppress(BrokenProcessPool):
            yield from _by_a_pool(target, remaining, jobs, payloads, waiting)
        if not waiting:
            return
        ended = yield from _one_by_one(target, waiting, payloads, ended)


def _by_a_pool(
    target: str, remaining: Iterator[Item], jobs: int, payloads: bool, waiting: _Waiting
) -> Iterator[tuple[Report, int]]:
    """Check what remains; `waiting` holds what was taken of that and has no reports yet."""
    pool = _pool(target, jobs)
    bytes_per_second = 0.0

    def deal() -> bool:
        portion = _portion(remaining, bytes_per_second * _PORTION_SECONDS)
        if portion:
            waiting.append((portion, None))  # before it is handed over, which may raise
            waiting[-1] = (portion, pool.submit(_check_portion, portion, payloads))
        return bool(portion)

    try:
        while len(waiting) < jobs * (1 + _PORTIONS_AHEAD) and deal():
            pass
        while waiting:
            portion, future = waiting[0]
            assert future is not None  # it would have raised
            reports, seconds = future.result()
            bytes_per_second = sum(map(size_of, portion)) / max(seconds, 1e-6)
            deal()
            waiting.popleft()
            yield from zip(reports, map(size_of, portion), strict=True)
    except BaseException:
        # Nobody wants the rest, or Ctrl-C ends it. A handler that never returns would be waited for without end.
        _end(pool)
        raise
    pool.shutdown()


def _one_by_one(target: str, waiting: _Waiting, payloads: bool, ended: int) -> Generator[tuple[Report, int], None, int]:
    """Check what a pool has left when one of its processes ended, to find out at which history that happens.

    Args:
        target: The handler.
        waiting: What it has left.
        payloads: Whether reports hold the recorded result of what diverged.
        ended: At how many histories processes have ended before.

    Returns:
        The same afterwards.
    """
    pool: ProcessPoolExecutor | None = None
    try:
        for portion, future in waiting:
            if future is not None and future.done() and not future.cancelled() and future.exception() is None:
                yield from zip(future.result()[0], map(size_of, portion), strict=True)
                continue
            for item in portion:
                pool = pool or _pool(target, 1)
                try:
                    [report], _ = pool.submit(_check_portion, [item], payloads).result()
                except BrokenProcessPool:
                    _end(pool)
                    pool = None
                    ended += 1
                    if ended > _MOST_ENDED:
                        raise
                    report = Report(name_of(item), FAILED, 0, 0, note=_ENDED)
                yield report, size_of(item)
    finally:
        if pool is not None:
            _end(pool)
    return ended


def _pool(target: str, jobs: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(jobs, get_context("spawn"), _start_worker, (target,))


def _end(pool: ProcessPoolExecutor) -> None:
    workers = [*(pool._processes or {}).values()]  # what Python 3.14 has a method for
    pool.shutdown(wait=False, cancel_futures=True)
    for worker in workers:
        worker.kill()


def _portion(remaining: Iterator[Item], size_bytes: float) -> list[Item]:
    portion: list[Item] = []
    for item in remaining:
        portion.append(item)
        size_bytes -= size_of(item)
        if size_bytes <= 0 or isinstance(item, History):  # what is at hand is all in memory until it is checked
            break
    return portion


# --- in a worker ------------------------------------------------------------------------------------------------------

_Done = tuple[Sequence[Report], float]
_handler: Callable[..., Any] | None = None
_always = ExitStack()


def _start_worker(target: str) -> None:
    global _handler  # noqa: PLW0603  # what a process of a pool is started with has no other place
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that deals hears of it, and sends no more
    threading.Thread(target=_end_with_who_deals, daemon=True).start()
    sys.stdout = sys.stderr  # standard output is left to the report
    _handler = load_function(target)
    _always.enter_context(offline)
    # What is there now stays; a history is garbage as a whole, and most of it without the collector.
    gc.collect()
    gc.freeze()


def _end_with_who_deals() -> None:
    """A pool's workers wait without end for one that was killed, and keep its pipes open."""
    dealing = parent_process()
    if dealing is not None:
        dealing.join()
        os._exit(1)


def _check_portion(portion: Sequence[Item], payloads: bool) -> _Done:
    assert _handler is not None  # the process was started with it
    started = time.perf_counter()
    reports = [check(_handler, history, payloads=payloads) for history in load(portion)]
    return reports, time.perf_counter() - started


def default_jobs() -> int:
    """One per core that this process may use."""
    return len(os.sched_getaffinity(0))


__all__ = ["check_many", "default_jobs"]
