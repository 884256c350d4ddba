"""How fast a handler replays histories, measured on the replay lane as in production, with nothing sent or started."""

from __future__ import annotations

import ctypes
import gc
import math
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from durable_execution_sdk._core import Scope
from durable_execution_sdk._drivers.bodies import is_async
from durable_execution_sdk._drivers.hooks import Lane
from durable_execution_sdk._drivers.invocation import DurableFunction
from durable_execution_sdk._model.updates import OperationIdentifier
from durable_execution_sdk.replay.glance import GlanceHooks
from durable_execution_sdk.replay.histories import History
from durable_execution_sdk.replay.offline import Nowhere, event_of, offline

Body = Callable[[Any, Any], Any]


class NotReplayed(ValueError):
    """A handler asks for other operations than a history holds, so there is nothing to measure."""

    __module__ = "durable_execution_sdk.replay.benching"


@dataclass(frozen=True, slots=True)
class Timing:
    """What a bench found. Times are of whole invocations, from the event as a dictionary to the output.

    Attributes:
        histories: How many were replayed in each round.
        operations: Recorded operations that they were asked for, in one round.
        invocations: How many were timed.
        operations_per_second: Over all of them.
        us_per_operation: Its inverse, in microseconds.
        p50_us: Half of the invocations took at most so many microseconds.
        p90_us: Nine in ten.
        p99_us: Ninety-nine in a hundred.
        peak_bytes: The most memory that the process has held.
        bytes_per_operation: What an invocation of the longest history had added when its handler ended.
    """

    histories: int
    operations: int
    invocations: int
    operations_per_second: float
    us_per_operation: float
    p50_us: float
    p90_us: float
    p99_us: float
    peak_bytes: int
    bytes_per_operation: float

    def to_dict(self) -> dict[str, Any]:
        """What `--json` prints, and a baseline holds."""
        return asdict(self)


class _Guard(GlanceHooks):
    """Lets the lane answer by itself, and nothing begin."""

    def lane(self, scope: Scope) -> Lane | None:
        return scope

    def operation_attempted(self, identity: OperationIdentifier, is_virtual: bool) -> None:
        """Compared before anything was timed."""


def operations_in(body: Body, history: History, *, to_the_end: bool = False) -> int:
    """How many recorded operations the handler asks for.

    Args:
        body: The handler as the user wrote it.
        history: What it replays.
        to_the_end: It must end with a result, and nothing may be left to start.

    Raises:
        NotReplayed: It asks for others, or raises what the execution did not.
    """
    if history.problem is not None:
        raise NotReplayed(f"{history.name} cannot be replayed: {history.problem}. Leave it out.")
    seen = GlanceHooks(history.operations)
    way_out = "`durable replay` tells what differs."
    if history.unreadable:
        why = ", ".join(sorted({*history.unreadable.values()}))
        way_out = f"Payloads of it are {why}, and what is missing reads as null here. {way_out}"
    try:
        with offline:
            status = DurableFunction(body, seen.opened).invoke(event_of(history), None, Nowhere())["Status"]
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise NotReplayed(f"The handler does not replay {history.name}: {type(error).__name__}. {way_out}") from error
    if seen.differs or (status == "FAILED" and not history.failed):
        raise NotReplayed(f"The handler does not replay {history.name}. {way_out}")
    if to_the_end and (seen.withheld or status != "SUCCEEDED"):
        raise NotReplayed(
            f"{history.name} does not end with a result, so the official SDK, which nothing holds back, would go on "
            "from there for real. Leave it out, or leave the official SDK out."
        )
    if not seen.asked:
        raise NotReplayed(f"The handler asks for nothing that {history.name} holds. {way_out}")
    return len(seen.asked)


def rounds_of(body: Body, histories: Sequence[History]) -> Iterator[list[float]]:
    """The seconds that each invocation of a round took, round after round, for as long as somebody asks."""
    while True:
        took = []
        for history in histories:
            event = event_of(history)
            probe = DurableFunction(body, _Guard(history.operations).opened)
            with offline:
                started = time.perf_counter()
                probe.invoke(event, None, Nowhere())
                took.append(time.perf_counter() - started)
        yield took


def timing_of(
    histories: Sequence[History], operations: Sequence[int], rounds: Sequence[Sequence[float]], grown: int
) -> Timing:
    """The figures of a bench; `grown`: bytes that the longest history added."""
    took = sorted(seconds for one in rounds for seconds in one)
    per_round = sum(operations)
    speed = per_round * len(rounds) / sum(took)
    return Timing(
        histories=len(histories),
        operations=per_round,
        invocations=len(took),
        operations_per_second=speed,
        us_per_operation=1e6 / speed,
        p50_us=percentile(took, 50) * 1e6,
        p90_us=percentile(took, 90) * 1e6,
        p99_us=percentile(took, 99) * 1e6,
        peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        bytes_per_operation=max(0, grown) / max(operations),
    )


def percentile(ascending: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent of all do not exceed."""
    return ascending[max(0, math.ceil(len(ascending) * percent / 100) - 1)]


def grown_bytes(body: Body, history: History) -> int:
    """By how much resident memory has grown when the handler ends."""
    most = 0

    def note() -> None:
        nonlocal most
        most = max(most, _resident_bytes())

    if is_async(body):

        async def watched_async(event: Any, context: Any) -> Any:
            try:
                return await body(event, context)
            finally:
                note()

        watched: Body = watched_async
    else:

        def watched_plain(event: Any, context: Any) -> Any:
            try:
                return body(event, context)
            finally:
                note()

        watched = watched_plain
    event = event_of(history)
    gc.collect()
    _give_back()
    before = _resident_bytes()
    with offline:
        DurableFunction(watched, _Guard(history.operations).opened).invoke(event, None, Nowhere())
    return most - before


def _give_back() -> None:
    """Return freed memory to the system, so that it does not hide what is allocated next."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as pages:
        return int(pages.read().split()[1]) * resource.getpagesize()


__all__ = ["NotReplayed", "Timing", "grown_bytes", "operations_in", "percentile", "rounds_of", "timing_of"]
