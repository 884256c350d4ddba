"""The pool of branch threads."""

from __future__ import annotations

import threading

from durable_execution_sdk._drivers.pool import BranchPool


def test_claims_are_threads_and_what_is_missing_is_served_later():
    pool = BranchPool(2)
    served = threading.Event()
    go_on = threading.Event()
    assert pool.claim(3, served.set) == 2
    pool.give(lambda: go_on.wait(60))
    pool.give(lambda: None)
    assert served.wait(60)
    go_on.set()
    pool.close()


def test_nothing_is_started_once_it_closes():
    pool = BranchPool(8)
    running = threading.Event()
    closing = threading.Event()
    claimed = []
    runner = []

    def straggler():
        runner.append(threading.current_thread())
        running.set()
        assert closing.wait(60)
        claimed.append(pool.claim(5, lambda: None))
        pool.warm(5)

    assert pool.claim(3, lambda: None) == 3
    pool.give(straggler)
    pool.give(lambda: None)
    pool.give(lambda: None)
    assert running.wait(60)
    # The first thing that closing tells a thread is that it is over: by then the pool takes no claims.
    idle = next(thread for thread in pool._threads if thread is not runner[0])
    closer = threading.Thread(target=pool.close)
    closer.start()
    idle.join(60)
    closing.set()
    closer.join(60)
    assert not closer.is_alive()
    assert claimed == [0]


def test_without_threads_there_are_no_claims():
    pool = BranchPool(0)
    assert pool.claim(4, lambda: None) == 0
    pool.close()


def test_what_was_claimed_before_it_closed_is_done_by_whoever_gives_it():
    """The claimed thread is gone by then, and somebody waits for the job."""
    pool = BranchPool(2)
    assert pool.claim(1, lambda: None) == 1
    pool.close()
    done = []
    pool.give(lambda: done.append(threading.current_thread()))
    assert done == [threading.current_thread()]
