"""What a process runs that checks histories for another one: reads what it is dealt, and answers with reports."""

from __future__ import annotations

import gc
import os
import pickle
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from durable_execution_sdk.engine.functions import FunctionNotFound, is_durable, load
from durable_execution_sdk.replay.checking import check
from durable_execution_sdk.replay.offline import offline
from durable_execution_sdk.replay.portions import Item
from durable_execution_sdk.replay.portions import load as read
from durable_execution_sdk.replay.processes import HEADER_BYTES, Answer, framed

_Wanted: TypeAlias = "queue.SimpleQueue[Sequence[Item] | None]"


def serve() -> None:
    """The process from its beginning to its end: `... DESCRIPTOR MODULE:HANDLER`, asked over standard input.

    The descriptor is that of the pipe where a byte marks each history that is begun.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    progress, target = int(sys.argv[1]), sys.argv[2]
    os.set_inheritable(progress, False)
    requests, answers = _own_pipes()
    try:
        sys.argv, payloads = _received(requests)
    except EOFError:
        return  # the command was ended before it had asked for anything
    wanted: _Wanted = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests, wanted), daemon=True).start()
    try:
        handler = load(target)
        if not is_durable(handler):
            raise FunctionNotFound(f"{target} is no durable handler: decorate it with @durable_execution.")
    except FunctionNotFound as error:
        _answer(answers, str(error))
        return
    _answer(answers, None)
    with offline:
        # What is there now stays; a history is garbage as a whole, and most of it without the collector.
        gc.collect()
        gc.freeze()
        while (portion := wanted.get()) is not None:
            started = time.perf_counter()
            marked = _marked(portion, progress, os.getpid())
            reports = [check(handler, history, payloads=payloads) for history in read(marked)]
            _answer(answers, (reports, time.perf_counter() - started))


def _own_pipes() -> tuple[int, int]:
    """Take the pipes away from standard input, which is empty, and standard output, which is standard error."""
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    try:
        os.dup2(2, 1)
    except OSError:  # it is closed
        os.dup2(nothing, 1)
    os.close(nothing)
    sys.stdout = sys.stderr
    return requests, answers


def _listen(requests: int, wanted: _Wanted) -> None:
    """Who deals may be killed, and nobody is to be left checking for nobody."""
    while True:
        try:
            wanted.put(_received(requests))
        except EOFError:
            os._exit(1)


def _received(requests: int) -> Any:
    return pickle.loads(_bytes(requests, int.from_bytes(_bytes(requests, HEADER_BYTES), "little")))


def _bytes(requests: int, count: int) -> bytes:
    found = bytearray()
    while len(found) < count:
        piece = os.read(requests, count - len(found))
        if not piece:
            raise EOFError
        found += piece
    return bytes(found)


def _answer(answers: int, answer: Answer) -> None:
    left = memoryview(framed(answer))
    try:
        while left:
            left = left[os.write(answers, left) :]
    except BrokenPipeError:
        os._exit(1)  # as in `_listen`, which may not have noticed yet


def _marked(portion: Sequence[Item], progress: int, own_id: int) -> Iterator[Item]:
    for item in portion:
        os.write(progress, b".")
        yield item
        if os.getpid() != own_id:
            os._exit(1)  # a copy that the handler has made of this process, and let go on


__all__ = ["serve"]
