"""Which numbers an operation's id is made of, when many tasks share a context.

The task that runs a context's body owns the context and numbers as a `def` handler does. Every further task started
inside is a scope of its own, named by the qualname of its coroutine and by its ordinal among those of that name in its
creator's scope. So no id depends on which task came first.

The scope is taken when the task is created: its creator is still the current task then, also when a task factory starts
the coroutine eagerly.
"""

from __future__ import annotations

import asyncio
import sys
import types
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from durable_execution_sdk._core import Journal, Scope, task_scope_prefix
from durable_execution_sdk._drivers.hooks import CLOSED_LANE, Hooks, Lane
from durable_execution_sdk._model.errors import ValidationError

_TASKS_FILE = asyncio.tasks.__file__
_SHARES_CREATOR = sys.version_info < (3, 12)
"""`asyncio.wait_for` makes a task on Python 3.11 only; its coroutine belongs to the scope that called it."""

_FRAMES_TO_LOOK_AT = 8


class Owner(Protocol):
    """A durable context, as far as scopes need it."""

    @property
    def parent_id(self) -> str | None:
        """The ParentId that its operations carry."""


@dataclass(slots=True)
class TaskScope:
    """Where the operations of one task are numbered."""

    owner: Owner
    prefix: str | None
    core: Scope
    lane: Lane
    refusal: str | None = None
    """Why operations of this task are refused; None if they are not."""
    in_body: bool = False
    """It runs (part of) the body of a step, so nothing it does is replayed."""
    ordinals: dict[str, int] = field(default_factory=dict)

    @property
    def hash_value(self) -> int:
        """The same in every replay and every process."""
        return int(self.prefix[:15], 16) if self.prefix else 0


class Scopes:
    """The scopes of one invocation, by the coroutine that a task runs."""

    def __init__(
        self,
        journal: Journal,
        hooks: Hooks | None = None,
        called: Callable[[asyncio.Task[Any], object, Scope], None] | None = None,
    ) -> None:
        """Args: `called` is told of a new caller whose finished operations the lane may answer."""
        self._journal = journal
        self._hooks = hooks
        self._called = called
        self._of: weakref.WeakKeyDictionary[object, TaskScope] = weakref.WeakKeyDictionary()
        self._callbacks: dict[int, TaskScope] = {}
        self._last: tuple[asyncio.Task[Any], TaskScope] | None = None

    def forget_last(self) -> None:
        """Keep no task alive any more."""
        self._last = None

    def of_caller(self, loop: asyncio.AbstractEventLoop, context: object, what: str) -> TaskScope:
        """The scope of the calling task for operations on a context; the last answer is kept, since calls come in rows.

        Raises:
            ValidationError: A replay could not repeat the call.
        """
        last = self._last
        if (
            last is not None
            and last[1].owner is context
            and asyncio._get_running_loop() is loop
            and asyncio.current_task(loop) is last[0]
        ):
            return last[1]
        task = self.require_task(loop, what)
        scope = self.require_scope(task, context, what)
        self._last = (task, scope)
        if self._called is not None and scope.lane is scope.core:
            self._called(task, context, scope.core)
        return scope

    def own(self, coroutine: object, owner: Owner, core: Scope) -> TaskScope:
        """The scope of the task that runs a context's body."""
        scope = TaskScope(owner, core.prefix, core, self._lane(core))
        self._of[coroutine] = scope
        return scope

    def _lane(self, core: Scope) -> Lane:
        return core if self._hooks is None else self._hooks.lane(core) or CLOSED_LANE

    def in_body(self, coroutine: object, like: TaskScope) -> None:
        """The coroutine is (part of) the body of a step: its operations are refused."""
        reason = "it is part of a step body, which does not run again at a replay. Return from the step first"
        self._of[coroutine] = TaskScope(like.owner, like.prefix, like.core, like.lane, refusal=reason, in_body=True)

    def of(self, task: asyncio.Task[object] | None) -> TaskScope | None:
        """The scope of a task; None if it was not made through the loop."""
        return None if task is None else self.of_coroutine(task.get_coro())

    def of_coroutine(self, coroutine: object) -> TaskScope | None:
        """The scope taken for a coroutine."""
        return self._of.get(coroutine) if _is_user_code(coroutine) else None

    def starting(self, coroutine: object, owner: Owner | None, owner_scope: TaskScope | None) -> TaskScope | None:
        """A task is made for the coroutine: take its scope.

        `owner` and `owner_scope` are those of the context whose code registered the running callback; they are used
        when no task is running. None if the task belongs to no context.
        """
        if not _is_user_code(coroutine):
            return None
        if coroutine in self._of:
            return self._of[coroutine]
        creator = self.of(asyncio.current_task())
        if creator is None:
            if owner is None or owner_scope is None:
                return None
            creator = self._callback_scope(owner, owner_scope)
        maker = _asyncio_maker()
        if maker == "wait_for" and _SHARES_CREATOR:
            self._of[coroutine] = creator
            return creator
        scope = self.child(creator, qualname_of(coroutine))
        if maker == "as_completed":
            scope.refusal = (
                "asyncio.as_completed starts bare coroutines in no fixed order, so a replay could not tell them apart: "
                "make the tasks first, for example [asyncio.create_task(f(x)) for x in xs], and pass those"
            )
        elif creator.refusal is not None:
            scope.refusal = creator.refusal
            scope.in_body = creator.in_body
        self._of[coroutine] = scope
        return scope

    def child(self, creator: TaskScope, qualname: str) -> TaskScope:
        """The scope of the next task of that qualname under `creator`; its ordinal is used up."""
        ordinal = creator.ordinals.get(qualname, 0) + 1
        creator.ordinals[qualname] = ordinal
        prefix = task_scope_prefix(creator.prefix, qualname, ordinal)
        if self._hooks is not None:
            self._hooks.task_scope_opened(prefix, creator.prefix, qualname, ordinal)
        core = self._journal.scope(prefix, creator.owner.parent_id, creator.core.replaying)
        return TaskScope(creator.owner, prefix, core, self._lane(core))

    def reserve(self, function: object, loop: asyncio.AbstractEventLoop, what: str) -> TaskScope:
        """The scope of a task that will run a function later, named by the function.

        Raises:
            ValidationError: The call comes from where a replay could not repeat it.
        """
        creator = self.of(self.require_task(loop, what))
        if creator is None or creator.refusal is not None:
            raise ValidationError(f"{what} is not possible in this task; make it where durable operations are possible")
        return self.child(creator, getattr(function, "__qualname__", type(function).__qualname__))

    def give(self, coroutine: object, scope: TaskScope) -> None:
        """The coroutine of that task exists now."""
        self._of[coroutine] = scope

    def require_task(self, loop: asyncio.AbstractEventLoop, what: str) -> asyncio.Task[Any]:
        """The calling task.

        Raises:
            ValidationError: The call comes from a plain callback, another thread or another loop.
        """
        if asyncio._get_running_loop() is not loop:
            raise ValidationError(
                f"{what} was called from another thread or event loop. Call durable operations in the handler's own "
                "tasks; a thread can hand its result over with loop.call_soon_threadsafe"
            )
        task = asyncio.current_task(loop)
        if task is None:
            raise ValidationError(
                f"{what} was called from a plain callback (call_soon, call_later, add_done_callback). Start a task "
                "there with asyncio.create_task and make the call in it"
            )
        return task

    def require_scope(self, task: asyncio.Task[Any], context: object, what: str) -> TaskScope:
        """The scope of a task for operations on a context.

        Raises:
            ValidationError: It was not made through the loop, may do nothing durable, or uses somebody else's context.
        """
        scope = self.of(task)
        if scope is None:
            raise ValidationError(
                f"{what} was called in a task that was made by asyncio.Task(...) directly, or belongs to no handler. "
                "Make tasks with asyncio.create_task, TaskGroup or gather"
            )
        if scope.refusal is not None:
            raise ValidationError(f"{what} is not possible here: {scope.refusal}")
        if scope.owner is not context:
            raise ValidationError(
                f"{what} was called on the context of another function. Use the context that was given to the "
                "function the call stands in"
            )
        return scope

    def _callback_scope(self, owner: Owner, owner_scope: TaskScope) -> TaskScope:
        scope = self._callbacks.get(id(owner))
        if scope is None:
            prefix = task_scope_prefix(owner_scope.prefix, "@", 0)
            if self._hooks is not None:
                self._hooks.task_scope_opened(prefix, owner_scope.prefix, "@", 0)
            core = self._journal.scope(prefix, owner.parent_id, owner_scope.core.replaying)
            scope = self._callbacks[id(owner)] = TaskScope(owner, prefix, core, self._lane(core))
        return scope


def _is_user_code(coroutine: object) -> bool:
    """Not so: the closing of an async generator that was left half-way, at whatever moment it is collected."""
    return type(coroutine).__weakrefoffset__ != 0


def qualname_of(coroutine: object) -> str:
    """The name that a coroutine's scope is known by; asyncio's wrapper of other awaitables is named by their class."""
    code = getattr(coroutine, "cr_code", None)
    if code is not None and code.co_name == "_wrap_awaitable" and code.co_filename == _TASKS_FILE:
        frame: types.FrameType | None = getattr(coroutine, "cr_frame", None)
        if frame is not None and "awaitable" in frame.f_locals:
            return type(frame.f_locals["awaitable"]).__qualname__
    return getattr(coroutine, "__qualname__", None) or type(coroutine).__qualname__


def _asyncio_maker() -> str | None:
    """Which function of asyncio is making the task, if that changes its scope."""
    frame: types.FrameType | None = sys._getframe(2)
    for _ in range(_FRAMES_TO_LOOK_AT):
        if frame is None:
            return None
        code = frame.f_code
        if code.co_filename == _TASKS_FILE:
            if code.co_name == "wait_for":
                return "wait_for"
            if "as_completed" in code.co_qualname or "_AsCompletedIterator" in code.co_qualname:
                return "as_completed"
        frame = frame.f_back
    return None
