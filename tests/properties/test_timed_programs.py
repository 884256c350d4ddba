"""Random async programs in real time, with plain sleeps, batches, time limits and cancellations, and what befalls them.

1,000 programs in a run, every fourth with eager tasks where Python has them; `DURABLE_TIMED_PROGRAMS` asks for more.
A program is made from its number alone, and a failure names it: `check(make(number))` runs it again. What its sleeps
come to differs from run to run, as it does in life.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest import mock

import pytest

from durable_execution_sdk._core import Deliveries
from durable_execution_sdk._drivers.aio import internals
from durable_execution_sdk._drivers.aio.run import Run
from durable_execution_sdk._drivers.aio.scopes import Scopes
from tests.support.deliveries import with_rules
from tests.support.timed_programs import Difference, check, make

PROGRAMS = int(os.environ.get("DURABLE_TIMED_PROGRAMS", "1000"))
SHARES = 20
BOUND = 300
"""How many programs a rule that is switched off may pass; most are noticed by the first ten."""


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("share", range(SHARES))
def test_every_run_repeats_what_the_runs_before_it_saw(share: int) -> None:
    for number in range(share, PROGRAMS, SHARES):
        program = make(number)
        try:
            check(program)
        except Difference as difference:
            raise AssertionError(f"program {number}: {difference}\n{program}") from difference


def check_all(numbers: Iterable[int]) -> None:
    """Run these programs, until one shows a difference."""
    for number in numbers:
        check(make(number))


# --- each rule, switched off, is noticed ---


def one_counter_per_context() -> AbstractContextManager[Any]:
    return mock.patch.object(Scopes, "child", lambda self, creator, qualname: creator)


def no_waiting_for_what_may_still_start() -> AbstractContextManager[Any]:
    def smallest_started(self: Deliveries, **_: Any) -> Any:
        return Deliveries.next(self, bodies=False, outside_work=lambda: False)

    return with_rules(next=smallest_started)


def order_of_arrival() -> AbstractContextManager[Any]:
    arrivals = itertools.count(10**15)

    def record(self: Deliveries, operation_id: str, kind: int, _: int) -> Any:
        return Deliveries.record(self, operation_id, kind, next(arrivals))

    return with_rules(record=record)


def lane_out_of_order() -> AbstractContextManager[Any]:
    def take(self: Deliveries, operation_id: str, kind: int, *, outside_work: bool) -> bool:
        return self.knows(operation_id, kind)  # its event comes again in its turn, and finds nobody

    return with_rules(take_if_next=take)


@contextmanager
def lane_past_ready_tasks() -> Iterator[None]:
    with with_rules(), mock.patch.object(internals, "nothing_ready", return_value=True):
        yield


@contextmanager
def no_gap_between_deliveries() -> Iterator[None]:
    plain = Run._deliver

    def deliver(self: Any, operation_id: str, kind: int) -> None:
        plain(self, operation_id, kind)
        while event := self.order.next(bodies=bool(self.bodies), outside_work=lambda: True):
            plain(self, *event)

    with with_rules(), mock.patch.object(Run, "_deliver", deliver):
        yield


def tasks_hash_by_address() -> AbstractContextManager[Any]:
    return mock.patch.object(Run, "hash_of", side_effect=lambda coroutine: random.getrandbits(60))


@contextmanager
def cancelled_promises_go_on() -> Iterator[None]:
    with with_rules(), mock.patch.object(Run, "cancelled", return_value=None):
        yield


RULES = [
    one_counter_per_context,
    no_waiting_for_what_may_still_start,
    order_of_arrival,
    lane_out_of_order,
    lane_past_ready_tasks,
    no_gap_between_deliveries,
    tasks_hash_by_address,
    cancelled_promises_go_on,
]


@pytest.mark.parametrize("without", RULES, ids=lambda rule: rule.__name__)
def test_a_rule_that_is_switched_off_is_noticed(without: Any) -> None:
    with without(), pytest.raises(Difference):
        check_all(range(BOUND))
