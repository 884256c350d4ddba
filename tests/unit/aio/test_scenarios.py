"""The scenarios of the thread driver's tests, in their `async def` form."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from tests.support.recolour import recoloured

SOURCES = [
    f"tests.unit.drivers.{name}"
    for name in (
        "branches",
        "test_operations",
        "test_suspension",
        "test_invocation",
        "test_hooks",
        "test_batches",
        "test_batch_resumption",
        "test_kept_children",
    )
]

PARKED = "a parked handler runs no `finally`, and no body is told of it: docs/decisions/040-parking.md"
IN_PLACE = "a parked branch goes on where it stands, its body is not run again"
BLOCKS = "its branches block the thread, which all branches share"
BLOCKS_LOOP = "its body blocks the thread, which the sender needs"
THREADS = "it looks at threads, of which the other driver has others"
OTHERWISE = {
    "test_a_durable_call_in_finally_raises_the_same_signal_and_is_logged_once": PARKED,
    "test_an_exception_during_suspension_does_not_fail_the_execution": PARKED,
    "test_contexts_around_the_suspended_one_do_nothing_either": PARKED,
    "test_children_that_suspend_are_virtual_or_are_made_again": PARKED,
    "test_a_waiting_branch_goes_on_while_another_runs": IN_PLACE,
    "test_finally_blocks_of_a_suspended_branch_record_nothing": IN_PLACE,
    "test_branches_that_run_on_are_reported_and_stopped_at_their_next_operation": BLOCKS,
    "test_branches_that_wait_for_each_other_need_a_thread_each": BLOCKS,
    "test_what_nobody_waits_for_is_sent_soon_and_the_timer_is_joined": THREADS,
    "test_a_request_that_ends_its_thread_ends_the_invocation_and_suspends_nothing": BLOCKS_LOOP,
    "test_finished_branches_come_back_without_a_thread": THREADS,
    "test_user_code_runs_on_the_calling_thread_and_nothing_is_left": THREADS,
}
"""What is different under `async def`, and why."""


def scenarios(modules: list[ModuleType]) -> Iterator[tuple[str, Any]]:
    """Tests and their fixtures."""
    for module in modules:
        for name, value in vars(module).items():
            is_fixture = "FixtureFunction" in type(value).__name__
            if is_fixture or (name.startswith("test_") and inspect.isfunction(value)):
                yield name, value


FOUND = list(scenarios(recoloured(SOURCES, also=("caught",))))
globals().update((name, value) for name, value in FOUND if name not in OTHERWISE)


def test_names_are_used_once_and_exceptions_exist() -> None:
    names = [name for name, _ in FOUND]
    assert len(names) == len(set(names))
    assert set(names) >= set(OTHERWISE)


@pytest.mark.parametrize("source", SOURCES)
def test_handlers_have_become_async(source: str) -> None:
    [module] = recoloured([source])
    code = [*compiled(module)]
    assert any(each.co_flags & inspect.CO_COROUTINE for each in code), f"nothing in {source} was recoloured"


def compiled(module: ModuleType) -> Iterator[Any]:
    """The code of all functions in a module, those inside functions included."""
    left = [value.__code__ for value in vars(module).values() if inspect.isfunction(value)]
    while left:
        code = left.pop()
        yield code
        left += [const for const in code.co_consts if inspect.iscode(const)]
