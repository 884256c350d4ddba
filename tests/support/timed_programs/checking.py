"""Running a program with what befalls it, and comparing what its runs have seen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from durable_execution_sdk._drivers.aio.run import Run
from durable_execution_sdk._drivers.invocation import DurableFunction
from tests.support.fake_service import START_MS, Crash, FakeService
from tests.support.timed_programs.nodes import Program, Trace
from tests.support.timed_programs.running import handler_of

MOST_INVOCATIONS = 200


class Difference(AssertionError):
    """A run showed something else than a run before it."""


class RunningClock:
    """Time that passes by itself, faster than on the wall, and that no two requests share."""

    def __init__(self, second_us: int) -> None:
        self._second_us = second_us
        self._began = time.monotonic()
        self._ahead_ms = 0
        self._last_ms = START_MS

    def now_ms(self) -> int:
        return START_MS + self._ahead_ms + int((time.monotonic() - self._began) * 1e9 / self._second_us)

    @property
    def time_ms(self) -> int:
        """What the service stamps with: the moment that `tick` has set."""
        return self._last_ms

    @time_ms.setter
    def time_ms(self, value: int) -> None:
        self._ahead_ms += max(0, value - self.now_ms())
        self._last_ms = max(self._last_ms, value)

    def tick(self) -> None:
        """A request arrives: a later millisecond than that of any before."""
        self._last_ms = max(self._last_ms + 1, self.now_ms())

    def real_seconds_until(self, due_ms: int) -> float:
        """How long to wait for a time."""
        return max(0.0, (due_ms - self.now_ms()) * self._second_us / 1e9)


class Service(FakeService):
    """The service of one execution, with the program's faults."""

    def __init__(self, program: Program) -> None:
        self._faults = dict(program.faults)
        super().__init__(fault=self._befall)
        self.clock: Any = RunningClock(program.second_us)

    def checkpoint(self, arn: str, request: Any) -> Any:
        self.clock.tick()
        self.fire_due()  # what is due by now was over before this request
        self.clock.tick()
        number = len(self.requests) + 1
        if self._faults.get(number) == "revoked":
            del self._faults[number]
            self.revoke_at = number
        return super().checkpoint(arn, request)

    def spare(self) -> None:
        """Nothing more befalls it."""
        self._faults.clear()

    def _befall(self, phase: str, number: int) -> None:
        if self._faults.get(number) == phase:
            del self._faults[number]
            raise Crash


@contextmanager
def through_the_loop() -> Iterator[None]:
    """No promise is answered without a turn of the loop."""
    with mock.patch.object(Run, "awaited", return_value=None):
        yield


def check(program: Program) -> None:
    """Run it to its end, and again.

    Raises:
        Difference: A run did not repeat what the runs before it had shown, or the execution failed.
    """
    service = Service(program)
    before: Trace = []

    def invoke() -> dict[str, Any] | None:
        trace: Trace = []
        forget_what_is_closed(before, service)
        try:
            output = service.invoke(DurableFunction(handler_of(program, trace)))
        except Crash:
            output = None
        compare(before, trace, complete=False)
        before.extend(trace[len(before) :])
        return output

    for _ in range(MOST_INVOCATIONS):
        output = invoke()
        if output is None:
            continue
        if output["Status"] != "PENDING":
            break
        if service.revoke_at is not None:
            service.revoke_at = None
        else:
            service.clock.tick()
            service.advance()
    else:
        raise Difference("the execution does not end")
    if output["Status"] == "FAILED":
        raise Difference(f"the execution failed: {output['Error']}")
    forget_what_is_closed(before, service)
    service.spare()
    for again in (inline, through_the_loop):
        with again():
            trace: Trace = []
            replayed = service.invoke(DurableFunction(handler_of(program, trace)))
        compare(before, trace, complete=True)
        if replayed != output:
            raise Difference(f"a replay gives {replayed}, not {output}")


@contextmanager
def inline() -> Iterator[None]:
    """As it is."""
    yield


def forget_what_is_closed(seen: Trace, service: FakeService) -> None:
    """The body of a finished child context does not run again, unless its result is made from its operations."""
    closed = {
        op["Name"]
        for op in service.operations.values()
        if op["Type"] == "CONTEXT" and "Name" in op and op["Status"] != "STARTED" and not op.get("ReplayChildren")
    }
    seen[:] = [each for each in seen if closed.isdisjoint(each.contexts)]


def compare(before: Trace, now: Trace, *, complete: bool) -> None:
    """Hold what a run saw against what runs before it did; a complete one has seen all of that.

    Raises:
        Difference: It saw something else.
    """
    for place, (old, new) in enumerate(zip(before, now, strict=False)):
        if old != new:
            recent = "; ".join(map(str, before[max(0, place - 3) : place]))
            raise Difference(f"at {place} this run saw {new}, a run before it {old}, after {recent}")
    if len(now) < len(before) and complete:
        raise Difference(f"this run did not see {before[len(now)]}")
