"""Suspending an async handler without unwinding it.

A parked handler never runs again: not in this invocation, not in a later one of the process, not at garbage collection
and not at interpreter exit. So no `finally` and no `async with` exit runs, which would release what the workflow still
holds. The coroutines are kept by one leaked reference each; what their frames hold is let go, because a warm process
parks thousands of handlers.
"""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import functools
import gc
import inspect
import os
import sys
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from durable_execution_sdk._drivers.aio import internals

_BUILTIN_ITERATORS: tuple[type, ...] = (
    type(iter([])),
    type(iter(())),
    type(iter("")),
    type(iter(range(0))),
    type(iter({})),
    type(iter({}.values())),
    type(iter({}.items())),
    type(iter(set())),
    type(reversed([])),
    enumerate,
    zip,
)
_OWN_CODE = os.path.dirname(os.path.dirname(__file__))
_SUSPENDED = (types.CoroutineType, types.GeneratorType, types.AsyncGeneratorType)


def park(
    loop: asyncio.AbstractEventLoop,
    tasks: Iterable[internals.AnyTask],
    belongs: contextvars.ContextVar[object],
    owner: object,
) -> list[object]:
    """Stop the tasks for good where they are.

    Returns:
        What is kept of them: their coroutines, and the async generators.

    Args:
        loop: Their loop; it is running, and none of the tasks is.
        tasks: All tasks of the handler that are not done.
        belongs: The context variable that every callback of this invocation finds set to `owner`.
        owner: The value.
    """
    drop_callbacks(loop, belongs, owner)
    held: list[object] = []
    for task in tasks:
        waiter = internals.waiter_of(task)
        if waiter is not None:
            wakeup = internals.wakeup_of(task, waiter)
            if wakeup is not None:
                waiter.remove_done_callback(wakeup)
            children = internals.children_of_gather(waiter)
            if children is not None:
                children.clear()  # the coroutine keeps the future that it waits for, and need not keep the tasks
        internals.forget_task(task)
        held.append(task.get_coro())
    for generator in internals.live_async_generators(loop):
        frame = internals.frame_of(generator)
        if frame is not None and generator.ag_await is not None:
            internals.forget_async_generator(loop, generator)
            held.append(generator)
    for coroutine in held:
        leak(coroutine)
    _stop_polling(loop, held, belongs, owner)
    for coroutine in held:
        for link in internals.chain_of(coroutine):
            frame = internals.frame_of(link)
            if frame is not None:
                release_frame(link, frame)
    return held


def drop_callbacks(loop: asyncio.AbstractEventLoop, belongs: contextvars.ContextVar[object], owner: object) -> None:
    """Cancel the timers of an invocation, and what the loop would run next for it; `belongs` and `owner` as above."""
    for handle in (*internals.ready_handles(loop), *internals.timers(loop)):
        of_owner = getattr(internals.callback_of(handle), "__self__", None) is owner  # news for it, from its sender
        if of_owner or internals.context_of(handle).get(belongs) is owner:
            handle.cancel()
    internals.drop_cancelled_handles(loop)


def _stop_polling(
    loop: asyncio.AbstractEventLoop,
    parked: Iterable[object],
    belongs: contextvars.ContextVar[object],
    owner: object,
) -> None:
    """Let the loop no longer call what parked code has registered for sockets.

    That is: what would complete a future (`loop.sock_recv` and the like), and functions that parked functions have
    defined. Left are transports, and methods of other objects: clients register those once and use them for ever.
    """
    defined: set[types.CodeType] | None = None
    for descriptor, *handles in internals.descriptors(loop):
        for handle, stop in zip(handles, (loop.remove_reader, loop.remove_writer), strict=True):
            if handle is None or internals.context_of(handle).get(belongs) is not owner:
                continue
            callback: Any = internals.callback_of(handle)
            arguments = internals.arguments_of(handle)
            while isinstance(callback, functools.partial):
                callback, arguments = callback.func, (*callback.args, *arguments)
            touched = (getattr(callback, "__self__", None), *arguments)
            if defined is None:  # mostly nothing but the loop's own pipe is polled, and nobody need look
                defined = _defined_in(parked)
            if any(map(asyncio.isfuture, touched)) or getattr(callback, "__code__", None) in defined:
                stop(descriptor)


def _defined_in(parked: Iterable[object]) -> set[types.CodeType]:
    """The code of functions that parked functions define."""
    frames = (internals.frame_of(link) for coroutine in parked for link in internals.chain_of(coroutine))
    return {constant for frame in frames if frame is not None for constant in _codes_in(frame.f_code)}


def _codes_in(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code of functions that are defined in a function, at any depth."""
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from _codes_in(constant)


def release_closures(parked: Iterable[object]) -> None:
    """Let go of what the SDK's own frames in parked coroutines share with each other.

    For when all threads of the invocation are joined: nothing of it runs any more that could look there.
    """
    for coroutine in parked:
        for link in internals.chain_of(coroutine):
            frame = internals.frame_of(link)
            if frame is None or not frame.f_code.co_filename.startswith(_OWN_CODE):
                continue
            names = (*frame.f_code.co_cellvars, *frame.f_code.co_freevars)
            if names:  # else there is nothing to share, and asking a frame for its variables is dear
                _release(frame, names)


def _release(
    frame: types.FrameType, names: Iterable[str], is_needed: Callable[[str, object], bool] = lambda name, value: False
) -> None:
    """Set these variables of a suspended frame to None, except those that somebody else needs."""
    values = frame.f_locals
    for name in names:
        value = values.get(name)
        if value is None:
            continue
        if isinstance(value, _SUSPENDED) or _holds_suspended(value):
            leak(value)  # dropping its last reference would unwind it
        if not is_needed(name, value):
            values[name] = None
        del value
    if sys.version_info < (3, 13):
        ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))


def leak(thing: object) -> None:
    """Keep it for ever: a reference that no module, collection or interpreter exit takes back."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def release_frame(suspended: object, frame: types.FrameType) -> None:
    """Let go of what the frame of a suspended coroutine or generator holds, without running any of its code.

    `frame.clear()` would run `finally` blocks (3.11, 3.12) or raise (3.13). Only the frame's own variables are
    touched: free variables belong to somebody else, and a suspended coroutine or generator found in one is kept,
    since dropping its last reference would unwind it.
    """
    code = frame.f_code
    names = (*code.co_varnames, *(name for name in code.co_cellvars if name not in code.co_varnames))
    _release(frame, names, lambda name, value: name in code.co_cellvars and _cell_is_shared(suspended, value))
    _exhaust_iterators(suspended)


def _holds_suspended(value: object) -> bool:
    """Whether a container directly holds a suspended coroutine or generator that would be unwound with it."""
    if isinstance(value, list | tuple | set | frozenset | deque):
        return any(_is_suspended(item) for item in value)
    if isinstance(value, dict):
        return any(_is_suspended(item) for item in value.values())
    return False


def _is_suspended(value: object) -> bool:
    if isinstance(value, types.CoroutineType):
        return inspect.getcoroutinestate(value) == inspect.CORO_SUSPENDED
    if isinstance(value, types.GeneratorType):
        return inspect.getgeneratorstate(value) == inspect.GEN_SUSPENDED
    return isinstance(value, types.AsyncGeneratorType) and value.ag_frame is not None


def _cell_is_shared(suspended: object, value: object) -> bool:
    """Whether a function that outlives the frame closes over the variable that holds `value`."""
    for referent in gc.get_referents(suspended):
        if isinstance(referent, types.CellType):
            try:
                content = referent.cell_contents
            except ValueError:
                continue
            # Ours: the frame's reference, the list of referents, the loop variable and getrefcount's argument.
            if content is value and sys.getrefcount(referent) > _OWN_CELL_REFERENCES:
                return True
    return False


_OWN_CELL_REFERENCES = 4


def _exhaust_iterators(suspended: object) -> None:
    """`for x in items` keeps `items` through an iterator on the evaluation stack; run those of built-ins to the end."""
    referents = gc.get_referents(suspended)
    for index in range(len(referents)):
        iterator = referents[index]
        if type(iterator) in _BUILTIN_ITERATORS and _is_plain(iterator):
            referents[index] = None
            # Left: the frame's own, the local variable and getrefcount's argument.
            if sys.getrefcount(iterator) <= _OWN_ITERATOR_REFERENCES:
                deque(iterator, maxlen=0)
        del iterator


_OWN_ITERATOR_REFERENCES = 3


def _is_plain(iterator: object) -> bool:
    """Whether running the iterator calls no code of the user's."""
    if type(iterator) in {enumerate, zip}:
        return all(
            type(inner) in _BUILTIN_ITERATORS and _is_plain(inner)
            for inner in gc.get_referents(iterator)
            if hasattr(inner, "__next__")
        )
    return True
