"""Executions without real time, recorded by one Python to be replayed by another.

Nothing waits for real time and requests are answered on the spot. So a program and a salt determine everything: what is
recorded, in which order, and what user code sees. The salt decides how many turns of the loop things take: each
recording has an order of its own.

A recording is a line of JSON. Its `log` has one entry for whatever changed the service, from which each state that an
invocation began with can be made again: a number (an invocation begins, and user code has seen so many things before
it), "until MS" (what is due by then has ended), or the updates of a request as [operation, action, details].
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

from durable_execution_sdk._drivers.aio.sender import Sender
from durable_execution_sdk._drivers.invocation import DurableFunction
from tests.house.sources import ROOT
from tests.support.fake_service import START_MS, Crash, FakeService
from tests.support.timed_programs.checking import MOST_INVOCATIONS, Difference, compare, forget_what_is_closed
from tests.support.timed_programs.making import make
from tests.support.timed_programs.nodes import Program, Seen, Trace
from tests.support.timed_programs.running import Turns, handler_of

FOLDER = ROOT / "tests" / "histories" / "asyncio"
IDENTITY = ("Id", "Type", "SubType", "Name", "ParentId")

Json = dict[str, Any]


@contextmanager
def answered_on_the_spot() -> Iterator[None]:
    """Requests are sent by the loop's own thread: no other decides what comes first."""

    def nudge(self: Any) -> None:
        if self._unsent_since is None or self._busy:
            return
        self._unsent_since = None
        self._busy = True
        try:
            self._commit.flush(self._queued)
        except BaseException as error:
            self.interrupted = error
            self._idle(error, ())
        else:
            self._idle(self._commit.failure, ())

    with mock.patch.object(Sender, "nudge", nudge):
        yield


class Steady(FakeService):
    """A service whose time passes with its requests, and that remembers what has changed it."""

    stamps_rise = True

    def __init__(self, program: Program) -> None:
        self.faults = dict(program.faults)
        self.log: list[Any] = []
        super().__init__(fault=self._befall)

    def checkpoint(self, arn: str, request: Any) -> Any:
        self._pass_time()
        number = len(self.requests) + 1
        if self.faults.get(number) == "revoked":
            del self.faults[number]
            self.revoke_at = number
        return super().checkpoint(arn, request)

    def advance(self) -> None:
        self.clock.time_ms += 1
        super().advance()

    def fire_due(self) -> None:
        self.log.append(f"until {self.clock.time_ms - START_MS}")
        super().fire_due()

    def again(self, entry: Any) -> None:
        """Let an entry of a log befall it."""
        if isinstance(entry, int):
            self.event()
            return
        if isinstance(entry, str):
            self.clock.time_ms = START_MS + int(entry.removeprefix("until "))
            self.fire_due()
            return
        self.log.append(entry)
        self.clock.time_ms += 1
        for update in entry:
            self._apply(update)
        self.requests.append(entry)

    def _pass_time(self) -> None:
        self.clock.time_ms += 1
        self.fire_due()
        self.clock.time_ms += 1

    def _befall(self, phase: str, number: int) -> None:
        if phase == "after":
            self.log.append(self.requests[-1])
        if self.faults.get(number) == phase:
            del self.faults[number]
            raise Crash


@dataclass(frozen=True)
class Recording:
    """What one execution recorded and showed."""

    number: int
    eager: bool
    log: tuple[Any, ...]
    seen: tuple[Seen, ...]
    output: Json

    @property
    def program(self) -> Program:
        """What was run."""
        return replace(make(self.number), eager=self.eager)

    def line(self) -> str:
        """As it is kept."""
        rows: dict[str, list[Any]] = {}
        places = {"": 0}
        log = [
            [_shortened(update, rows) for update in entry] if isinstance(entry, list) else entry for entry in self.log
        ]
        seen = [[places.setdefault("\n".join(each.contexts), len(places)), each.where, each.what] for each in self.seen]
        return json.dumps(
            {
                "program": self.number,
                "eager": self.eager,
                "operations": list(rows.values()),
                "log": log,
                "contexts": list(places),
                "seen": seen,
                "output": self.output,
            },
            separators=(",", ":"),
        )

    @classmethod
    def read(cls, line: str) -> Recording:
        """The inverse."""
        kept = json.loads(line)
        rows = [dict(zip(IDENTITY, row, strict=True)) for row in kept["operations"]]
        log = [
            [_lengthened(update, rows) for update in entry] if isinstance(entry, list) else entry
            for entry in kept["log"]
        ]
        contexts = [tuple(each.split("\n")) if each else () for each in kept["contexts"]]
        seen = [Seen(contexts[place], where, what) for place, where, what in kept["seen"]]
        return cls(kept["program"], kept["eager"], tuple(log), tuple(seen), kept["output"])


def _shortened(update: Mapping[str, Any], rows: dict[str, list[Any]]) -> list[Any]:
    rows.setdefault(update["Id"], [update.get(field) for field in IDENTITY])
    details = {key: value for key, value in update.items() if key not in {*IDENTITY, "Action"}}
    return [list(rows).index(update["Id"]), update["Action"], *([details] if details else [])]


def _lengthened(update: list[Any], rows: list[Json]) -> Json:
    place, action, *details = update
    identity = {key: value for key, value in rows[place].items() if value is not None}
    return {**identity, "Action": action, **(details[0] if details else {})}


def carry_out(service: Steady, program: Program, salt: str, seen: Trace) -> Json:
    """Go on with an execution until it ends; each invocation must repeat what is seen already, and adds to it.

    Raises:
        Difference: It does not, or the execution does not end well.
    """
    everything = list(seen)
    forget_what_is_closed(seen, service)
    for _ in range(MOST_INVOCATIONS):
        service.log.append(len(everything))
        trace: Trace = []
        forget_what_is_closed(seen, service)
        output = _invoke(service, program, salt, trace)
        compare(seen, trace, complete=False)
        new = trace[len(seen) :]
        seen.extend(new)
        everything.extend(new)
        if output is None:
            continue
        if output["Status"] == "SUCCEEDED":
            seen[:] = everything
            return output
        if output["Status"] == "FAILED":
            raise Difference(f"the execution failed: {output['Error']}")
        if service.revoke_at is not None:
            service.revoke_at = None
        else:
            service.advance()
    raise Difference("the execution does not end")


def _invoke(service: FakeService, program: Program, salt: str, trace: Trace) -> Json | None:
    try:
        with answered_on_the_spot():
            return service.invoke(DurableFunction(handler_of(program, trace, Turns(salt))))
    except Crash:
        return None


def record(number: int, salt: str, *, eager: bool = False) -> Recording:
    """Run a program to its end."""
    program = replace(make(number), eager=eager)
    service, seen = Steady(program), list[Seen]()
    output = carry_out(service, program, salt, seen)
    return Recording(number, eager, tuple(service.log), tuple(seen), output)


def beginnings(recording: Recording) -> Iterator[tuple[Steady, Trace]]:
    """The service as it was at the beginning of each invocation and at the end, with what had been seen by then."""
    for place, entry in (*enumerate(recording.log), (len(recording.log), len(recording.seen))):
        if isinstance(entry, int):
            service = Steady(replace(recording.program, faults=()))
            for earlier in recording.log[:place]:
                service.again(earlier)
            yield service, list(recording.seen[:entry])


def check_every_beginning(recording: Recording, salt: str) -> int:
    """Invoke the program with each state that an invocation of the recorded execution began with; how many there were.

    Raises:
        Difference: What user code saw is not what was recorded.
    """
    states = 0
    for service, seen in beginnings(recording):
        states += 1
        ended = len(seen) == len(recording.seen) and service.log == [
            entry for entry in recording.log if not isinstance(entry, int)
        ]
        forget_what_is_closed(seen, service)
        if not ended:
            service.faults = {len(service.requests) + 1: "before"}
        trace: Trace = []
        output = _invoke(service, recording.program, salt, trace)
        compare(seen, trace, complete=True)
        if ended and output != recording.output:
            raise Difference(f"a replay gives {output}, not {recording.output}")
    return states


def resume(recording: Recording, salt: str) -> None:
    """Go on, to the end, from a state in the middle of the recorded execution.

    Raises:
        Difference: An invocation did not repeat what those before it had shown.
    """
    states = list(beginnings(recording))
    service, seen = states[len(states) // 2]
    carry_out(service, recording.program, salt, seen)
