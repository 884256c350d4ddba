"""What was started inside which context: it ends with that context."""

from __future__ import annotations

from functools import partial
from typing import Any

from durable_execution_sdk._drivers.aio import internals
from durable_execution_sdk._drivers.aio.operation import Operation


class Belongings:
    """The operations and tasks of one invocation, by the context they were started in, in the order of their start."""

    def __init__(self) -> None:
        self._operations: dict[Any, dict[Operation, None]] = {}
        self._tasks: dict[Any, dict[internals.AnyTask, None]] = {}

    def operation_started(self, op: Operation, context: Any) -> None:
        """An operation was started in a context."""
        self._operations.setdefault(context, {})[op] = None

    def operation_settled(self, op: Operation) -> None:
        """It has its outcome."""
        of_context = self._operations.get(op.context)
        if of_context is not None:
            of_context.pop(op, None)

    def task_started(self, task: internals.AnyTask, context: Any) -> None:
        """A task uses a context."""
        tasks = self._tasks.setdefault(context, {})
        tasks[task] = None
        task.add_done_callback(partial(tasks.pop))

    def leave(self, context: Any, current: internals.AnyTask | None) -> None:
        """The body of a context has ended, in the task `current`: cancel whatever is not done in it.

        Tasks come first, in the order of their start: in which order they are told must not depend on what is recorded
        by now of the operations that they wait for.
        """
        unsettled = [op for op in self._operations.pop(context, ()) if not op.promise.done()]
        for task in list(self._tasks.pop(context, ())):
            if task is not current:
                task.cancel()
        for op in unsettled:
            op.promise.cancel()
            if op.owner is not None:
                self.leave(op.owner, current)
