"""The thread that talks to the service: when it tells the loop what."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

from durable_execution_sdk._drivers.aio.loop import DurableEventLoop
from durable_execution_sdk._drivers.aio.sender import Sender


class Outbox:
    """Sends one update in each request."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.journal: Any = SimpleNamespace(settled=0)
        self.queued = 0
        self.error = error
        self.failure = None
        self.on_merged: Callable[[Sequence[str]], None]

    def enqueue(self, _: object) -> int:
        self.queued += 1
        return self.queued

    def flush(self, ticket: int) -> None:
        while self.journal.settled < ticket:
            self.journal.settled += 1
            self.on_merged([f"operation {self.journal.settled}"])
        if self.error is not None:
            raise self.error


def told_by(outbox: Any, updates: int) -> list[tuple[str, Any, Any]]:
    """What the sender says when so many updates are sent: kind, error, news."""
    told: SimpleQueue[tuple[str, Any, Any]] = SimpleQueue()
    sender = Sender(
        outbox,
        outbox.journal,
        lambda changed: told.put(("news", None, changed)),
        lambda error, changed: told.put(("idle", error, changed)),
        lambda: False,
    )
    for _ in range(updates):
        sender.push(None)
    sender.nudge()
    said = []
    while not said or said[-1][0] != "idle":
        said.append(told.get())
    sender.close()
    assert sender.thread is not None
    assert not sender.thread.is_alive()
    return said


def test_the_last_news_come_with_the_word_that_all_is_sent() -> None:
    assert told_by(Outbox(), 3) == [
        ("news", None, ["operation 1"]),
        ("news", None, ["operation 2"]),
        ("idle", None, ["operation 3"]),
    ]


def test_what_ends_sending_leaves_the_news_before_it() -> None:
    error = RuntimeError("no more")
    assert told_by(Outbox(error), 1) == [("idle", error, ["operation 1"])]


def test_news_of_others_are_passed_on_at_once() -> None:
    outbox: Any = Outbox()
    told: list[Sequence[str]] = []
    Sender(outbox, outbox.journal, told.append, lambda error, changed: None, lambda: False)
    other = threading.Thread(target=outbox.on_merged, args=(["sent by a timer"],))
    other.start()
    other.join()
    assert told == [["sent by a timer"]]


def test_what_is_sent_here_is_told_to_the_caller() -> None:
    error = RuntimeError("no more")
    for outbox, ended in ((Outbox(), None), (Outbox(error), error)):
        queued: Any = outbox
        sender = Sender(queued, queued.journal, untold, untold, lambda: False)
        for _ in range(3):
            sender.push(None)
        assert sender.has_unsent
        assert sender.send_here() == (ended, ["operation 1", "operation 2", "operation 3"])
        assert sender.busy
        sender.went_idle()
        assert not sender.has_unsent
        assert sender.thread is None


def untold(*news: Any) -> None:
    """What is not to be called."""
    raise AssertionError(news)


def test_threads_that_post_are_known_until_they_are_gone() -> None:
    loop = DurableEventLoop()
    thread = threading.Thread(target=loop.call_soon_threadsafe, args=(int,))
    thread.start()
    thread.join()
    assert loop.posters() == [thread]
    del thread
    gc.collect()
    assert loop.posters() == []
    loop.close()
