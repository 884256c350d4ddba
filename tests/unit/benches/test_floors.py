"""The floors: what stands in for an SDK does what the handlers expect, and every row's floor comes to a figure."""

from __future__ import annotations

import importlib
import sys
from datetime import timedelta
from typing import Any

import pytest
from benches import stand_in
from benches.case import Case
from benches.cases import CASES
from benches.events import Client
from benches.questions import maps, shapes

SMALL = {"steps": 100, "items": 100, "waiting": 10, "latency_ms": 0}
"""Instead of what the rows say; memory cannot be told of so few."""
MEASURED = [case for case in CASES if not case.no_floor and not case.floor_is_other]


def test_a_method_returns_its_value_whatever_it_is_given() -> None:
    value = object()
    method = stand_in.returning(value)
    references = sys.getrefcount(value)
    answers = [method(), method(1, "two", []), method(print, key=2), method(*range(1000))]
    assert all(answer is value for answer in answers)
    del answers
    assert sys.getrefcount(value) == references


def test_a_method_returns_one_value_after_another() -> None:
    values = [object() for _ in range(3)]
    method = stand_in.returning_each(iter(values))
    assert [method(print, "charge") for _ in values] == values


@pytest.mark.parametrize("shape", ["steps", "children", "mixed"])
def test_handlers_of_both_colours_get_through(shape: shapes.Shape) -> None:
    pause, enters = timedelta(seconds=1), shape == "children"
    assert shapes.plain(shape, 200, pause)(None, stand_in.context(asynchronous=False, enters=enters)) == 200
    coroutine = shapes.coroutine(shape, 200, pause)(None, stand_in.context(asynchronous=True, enters=enters))
    with pytest.raises(StopIteration) as ended:
        coroutine.send(None)
    assert ended.value.value == 200


def test_a_coroutine_that_waits_has_not_ended() -> None:
    never = stand_in.future()

    async def waits() -> None:
        await never

    for _ in range(2):  # one future may be awaited by many
        coroutine = waits()
        assert not stand_in.drive(coroutine)
        coroutine.close()


@pytest.mark.parametrize(("items", "requests"), [(10, 1), (62, 1), (63, 2), (1000, 17)])
def test_a_map_takes_as_few_requests_as_there_can_be(items: int, requests: int) -> None:
    client, ran = Client(), []
    stand = maps.in_turn(client, items)

    def item(branch: Any, value: int, index: int, inputs: object) -> None:
        ran.append(branch.step(lambda _: value))

    assert stand(range(items), item).success_count == items
    assert ran == list(range(items))
    assert client.requests == requests


@pytest.mark.parametrize("case", MEASURED, ids=[case.label for case in MEASURED])
def test_the_floor_of_every_row_comes_to_a_figure(case: Case) -> None:
    of_memory = "memory" in (case.question, case.arguments.get("what"))
    small = {key: SMALL[key] for key in SMALL if key in case.arguments and not of_memory}
    floor = importlib.import_module(f"benches.questions.{case.question}").floor
    assert floor(**{**case.arguments, **small}) > 0
