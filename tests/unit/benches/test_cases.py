"""The rows of the bench: every budget that is owed stands in one, and each says what it cannot come below."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from benches.case import Case
from benches.cases import CASES

WITHOUT_FLOOR = {
    "async map of 10,000 items: threads that ran its code",
    "map of 1,000 items: threads at the peak",
    "requests per fresh step",
}
"""Counts, each with its reason in its row. A figure of time or memory has no place here."""

OWED = [
    ("replay, 10,000 finished steps", "times", 50),
    ("replay, 1,000 results of 10 KB: plain JSON, def", "times", 30),
    ("replay, 1,000 results of 10 KB: Decimal, UUID, datetime, def", "times", 20),
    ("growth of replay cost, 1,000 -> 100,000", "most", 1.2),
    ("replay, 10,000 steps in pages over boto3", "times", 20),
    ("invocation that does nothing", "limit", 1),
    ("invocation that suspends", "limit", 1),
    ("requests per fresh step", "limit", 1),
    ("fresh step, boto3, beyond 20 ms", "times", 2),
    ("fresh step, light transport, beyond 20 ms", "times", 4),
    ("map of 1,000 one-step items, latency 0 ms", "times", 5),
    ("map of 1,000 items: threads at the peak", "limit", 64),
    ("import, beyond bare Python", "times", 3),
    ("cold process to its first finished invocation, boto3", "times", 1.5),
    ("cold process to its first finished invocation, light", "times", 2),
    ("memory per replayed operation", "times", 4),
]
"""What the SDK was built to reach."""


def function(question: str, name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(importlib.import_module(f"benches.questions.{question}"), name)
    return found


@pytest.mark.parametrize(("label", "rule", "budget"), OWED)
def test_every_budget_is_held_by_a_row(label: str, rule: str, budget: float) -> None:
    assert [(case.rule, case.budget) for case in CASES if case.label == label] == [(rule, budget)]


def test_rows_without_a_floor_are_few_and_have_a_reason() -> None:
    assert {case.label for case in CASES if case.no_floor} == WITHOUT_FLOOR


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_a_row_can_be_asked_for_all_its_figures(case: Case) -> None:
    inspect.signature(function(case.question, "measure")).bind("an SDK", **case.arguments)
    if case.other is not None and case.against != "javascript":
        question, arguments = case.other
        inspect.signature(function(question, "measure")).bind("an SDK", **arguments)
    if case.floor_is_other:
        assert case.other is not None
    elif not case.no_floor:
        inspect.signature(function(case.question, "floor")).bind(**case.arguments)


def test_labels_tell_rows_apart() -> None:
    assert len({case.label for case in CASES}) == len(CASES)


def test_a_timed_process_imports_nothing_for_the_bench_alone() -> None:
    """It would be added to both sides of a comparison, and bring their ratio nearer to one."""
    program = "import sys, benches.wire_program; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    imported = set(done.stdout.split())
    assert "benches.events" in imported
    assert not imported & {"asyncio", "benches.service", "benches.questions", "socket", "statistics", "subprocess"}


def test_handlers_are_measured_in_both_colours() -> None:
    colours = defaultdict(set)
    for case in CASES:
        coloured = "colour" in inspect.signature(function(case.question, "measure")).parameters
        if coloured and case.against in ("official", "ours"):
            arguments = {"colour": "def", **case.arguments}
            colour = arguments.pop("colour")
            colours[case.question, *sorted(arguments.items())].add(colour)
    of_one_colour = {key for key, found in colours.items() if found != {"def", "async def"}}
    assert of_one_colour == {
        ("shapes", ("shape", "steps"), ("steps", 10_000)),  # our own `def` is what it is compared with
        ("replay", ("net", True), ("steps", 10_000)),  # a part of the row above it
        ("wire", ("transport", "boto3"), ("what", "cold")),  # nearly all of it comes before the handler
        ("wire", ("transport", "light"), ("what", "cold")),
        ("maps", ("items", 1_000), ("what", "threads")),  # under asyncio another row counts them
    }
