"""In which order completions reach user code, and the promises of finished operations.

Theory of operation. Concurrent user code sees what finishes first: `asyncio.wait`, `as_completed` and races branch on
it. So that a replay sees the same, completions are not delivered as they arrive but one at a time, each when the loop
has run dry, in an order that history alone gives: the key (end time in whole milliseconds, operation id, kind).

An event may be recorded before its operation was started in this run (a replay reaches the operation later). While
anything from outside may still start it, the order waits for it. When nothing can, it is set aside and delivered as
soon as its operation starts; that is how histories whose stamps do not rise (other services, `def` handlers) replay.

The order itself is `rust/core/src/delivery.rs`. What stands around it, `rust/py/src/deliveries.rs`, also makes and
settles the promises of operations that are recorded as finished, without a call of Python code.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from durable_execution_sdk._core import Deliveries, Journal
from durable_execution_sdk._drivers.aio import internals
from durable_execution_sdk._drivers.aio.promise import BELONGS, DurablePromise
from durable_execution_sdk._model.errors import NonDeterministicExecutionError

_logger = logging.getLogger("durable_execution_sdk")

CREATED = 0
FINISHED = 1


def order_of(
    journal: Journal,
    run: object,
    loop: asyncio.AbstractEventLoop,
    tasks: set[internals.AnyTask],
    bodies: set[internals.AnyTask],
    deadlines: list[Any],
) -> Deliveries:
    """The order of an invocation's deliveries, which begins with what its history holds."""
    return Deliveries(
        journal,
        DurablePromise,
        run,
        loop,
        current_tasks=internals.current_tasks(),
        ready=internals.ready_queue(loop),
        belongs=BELONGS,
        deadlines=deadlines,
        tasks=tasks,
        bodies=bodies,
    )


def warn_inverted(operation_id: str, last: str) -> None:
    """An event came with a time before that of the last delivery."""
    _logger.warning(
        "The end of operation %s is stamped earlier than that of %s, which was delivered before it. A replay "
        "sees them in the other order; only ctx.promise.* is promised to be the same then.",
        operation_id,
        last,
    )


def never_started(aside: Sequence[str]) -> NonDeterministicExecutionError:
    """The error for events that were set aside and that nobody started until the end."""
    listed = ", ".join(aside[:5])
    return NonDeterministicExecutionError(
        f"History holds {len(aside)} finished operation(s) that the handler did not start although others that "
        f"finished later were delivered: {listed}. The handler changed since this execution started, or what "
        "it does depends on something outside its durable operations",
        step_id=aside[0],
    )
