"""What the floors put in the place of an SDK: a context whose methods are written in C and return what was made before.

A floor calls the very handler of its row with such a context: the same Python loop, the same calls, the same use of the
results. What is left of the time is Python's own, so no SDK for Python comes below it.
"""

from __future__ import annotations

import asyncio
import ctypes
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from benches.events import ARN, STEP_UPDATES, Client, operation_id

PREBUILT = {"order": "A-1", "amount": 0.25, "paid": True, "lines": 1}
"""The result of every operation."""

FASTCALL_WITH_KEYWORDS = 0x0080 | 0x0002


class _MethodDef(ctypes.Structure):
    """`PyMethodDef`."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


_make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.POINTER(_MethodDef), ctypes.py_object)(
    ("PyCFunction_New", ctypes.pythonapi)
)
_definitions = {
    name: _MethodDef(
        b"prebuilt",
        ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p),
        FASTCALL_WITH_KEYWORDS,
    )
    for name in ("PyObject_SelfIter", "PyIter_Next")
}
"""Functions of Python's C API whose one argument is the object that the method is bound to; what else is passed on to
them lies in registers that they do not read. Kept for ever, for methods point to them."""


def returning(value: object) -> Callable[..., Any]:
    """A method of an extension type that takes whatever it is given and returns that value."""
    found: Callable[..., Any] = _make(ctypes.byref(_definitions["PyObject_SelfIter"]), value)
    return found


def returning_each(values: Iterator[object]) -> Callable[..., Any]:
    """One that returns the next value at each call; to be called no more often than there are values."""
    found: Callable[..., Any] = _make(ctypes.byref(_definitions["PyIter_Next"]), values)
    return found


class Suspended(BaseException):
    """Unwinds a `def` handler, as any SDK has to."""


def suspend(*_: object) -> None:
    """An operation that is not over."""
    raise Suspended


class Context:
    """What the handlers of the benches call."""

    __slots__ = ("invoke", "map", "run_in_child_context", "step", "wait")

    def __init__(self, answer: object) -> None:
        """Every method returns that."""
        self.step = self.wait = self.invoke = self.run_in_child_context = self.map = returning(answer)


@cache
def loop() -> asyncio.AbstractEventLoop:
    """One event loop for all, for an SDK may keep its own between invocations."""
    return asyncio.new_event_loop()


def future(*results: object) -> asyncio.Future[Any]:
    """A future that is done, or one that never is."""
    made = loop().create_future()
    for result in results:
        made.set_result(result)
    return made


def context(*, asynchronous: bool, enters: bool = False) -> Context:
    """One whose operations are finished; `enters` child contexts, whose bodies run again."""
    made = Context(future(PREBUILT) if asynchronous else PREBUILT)
    if enters:
        made.run_in_child_context = lambda body: body(made)
    return made


def seconds(handler: Callable[[Any, Any], Any], given: Context, times: int = 3) -> float:
    """The time of the handler alone, the shortest of a few. A coroutine needs no loop: what it awaits is done."""
    elapsed = []
    for _ in range(times):
        started = time.perf_counter()
        running = handler(None, given)
        ended = not asyncio.iscoroutine(running) or drive(running)
        elapsed.append(time.perf_counter() - started)
        assert ended
    return min(elapsed)


def drive(coroutine: Any) -> bool:
    """Run a coroutine until it ends or waits; whether it has ended."""
    try:
        awaited = coroutine.send(None)
    except StopIteration:
        return True
    awaited._asyncio_future_blocking = False  # as a task does, so that the future can be awaited once more
    return False


def map_updates(items: int) -> list[dict[str, str]]:
    """What a map sends with one step in each item."""
    started, ended = (
        {"Id": operation_id(None, 1), "Type": "CONTEXT", "SubType": "Map", "Action": action, "Payload": "1"}
        for action in ("START", "SUCCEED")
    )
    branch = {"SubType": "MapIteration"}
    return [started, *[{**started, **branch}, *STEP_UPDATES, {**ended, **branch}] * items, ended]


REQUEST_UPDATES = 250
"""At most so many go in one request."""


def acknowledge(client: Client, updates: list[dict[str, str]]) -> None:
    """Have the client answer for them, in as few requests as there can be."""
    for start in range(0, len(updates), REQUEST_UPDATES):
        client.checkpoint_durable_execution(
            DurableExecutionArn=ARN, CheckpointToken="token-0", Updates=updates[start : start + REQUEST_UPDATES]
        )
