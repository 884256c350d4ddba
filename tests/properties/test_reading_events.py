"""Operations of an event are read in groups or one by one: the same is found, whatever they look like.

A list is read in groups, by the reader for what is regular; any other sequence goes to the complete reader at once.
"""

from __future__ import annotations

import enum
import gc
from collections import OrderedDict
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from durable_execution_sdk import _core
from durable_execution_sdk._core import Journal
from tests.properties.test_core_journal import DETAILS, LANES, Wire, histories, operations, shown

GROUP = 16
"""How many are read together (`rust/py/src/reader.rs`)."""
POSITIONS = 40
"""Ids beyond these repeat."""


class Word(str):
    """A text that is more than one."""

    __slots__ = ("more",)


class Choice(enum.StrEnum):
    """As some write constants."""

    STEP = "STEP"
    SUCCEEDED = "SUCCEEDED"


class Truth:
    """What `ReplayChildren` may be if a program makes it up."""

    def __init__(self, value: bool) -> None:
        self.value = value

    def __bool__(self) -> bool:
        return self.value


odd = st.sampled_from(
    [
        None,
        5,
        True,
        "",
        Word("STEP"),
        Word("a"),
        Choice.STEP,
        Choice.SUCCEEDED,
        "\ud800",
        "größe",
        "€" * 90,
        b"Id",
        [],
        {},
    ]
)
members = st.sampled_from(
    ["Id", "Type", "Status", "SubType", "Name", "ParentId", "StartTimestamp", *DETAILS.values(), "ÄDetails", "\ud800"]
)
keys = st.one_of(members, members.map(Word), st.sampled_from([7, None]))
details = st.fixed_dictionaries(
    {},
    optional={
        "Result": odd,
        "ReplayChildren": st.sampled_from([None, True, False, 0, 1, "no", Truth(True), Truth(False)]),
        Word("Result"): odd,
        "Attempt": st.integers(),
        7: odd,
    },
)
unusual_details = st.one_of(
    details, details.map(OrderedDict), details.map(MappingProxyType), st.sampled_from([None, 3, "", []])
)


@st.composite
def unusual(draw: st.DrawFn, wire: Wire) -> Any:
    """The operation with something about it that no service would send."""
    changed: dict[Any, Any] = dict(wire)
    for _ in range(draw(st.integers(1, 2))):
        match draw(st.sampled_from(["value", "details", "gone", "order"])):
            case "value":
                changed[draw(keys)] = draw(odd)
            case "details":
                changed[draw(st.sampled_from([*DETAILS.values(), "ÄDetails"]))] = draw(unusual_details)
            case "gone":
                changed.pop(draw(st.sampled_from(sorted(map(str, changed)))), None)
            case "order":
                changed = dict(reversed(changed.items()))
    return draw(st.sampled_from([dict, dict, dict, OrderedDict, MappingProxyType, lambda _: 7]))(changed)


def regular(position: int) -> Wire:
    return {
        "Id": _core.operation_id(None, position),
        "Type": "STEP",
        "SubType": "Step",
        "Status": "SUCCEEDED",
        "Name": "a",
        "StepDetails": {"Result": str(position)},
    }


@st.composite
def events(draw: st.DrawFn) -> list[Any]:
    """Up to three groups, a few operations of which are anything; ids come twice."""
    found: list[Any] = [regular(position % POSITIONS) for position in range(draw(st.integers(0, 3 * GROUP)))]
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(found)))
        parent = draw(st.none() | st.just(_core.operation_id(None, 3)))
        wire = draw(operations(_core.operation_id(None, place % POSITIONS), parent))
        found.insert(place, draw(st.just(wire) | unusual(wire)))
    return found


def outcome(ask: Any, *arguments: Any) -> Any:
    try:
        return ask(*arguments)
    except Exception as error:  # which one it is, is the outcome
        return type(error), str(error)


def everything(history: Any) -> Any:
    """What a journal has to say about a history."""
    journal = Journal("t")
    loaded = outcome(journal.load_operations, history)
    found: list[Any] = [outcome(lambda: [shown(record) for record in journal.records()])]
    ids = [_core.operation_id(None, position) for position in range(POSITIONS)]
    found.extend(outcome(lambda identity=identity: shown(journal.find(identity))) for identity in ids)
    for _, _, lane in LANES.values():
        for name in ("a", None):
            scope = journal.scope(None, None, True)
            found.append([outcome(lane(scope), name) for _ in ids])
    return loaded, len(journal), journal.has_pending_operations, journal.has_prior_operations, found


@given(events())
def test_both_readers_find_the_same(history: list[Any]) -> None:
    in_groups, one_by_one = everything(history), everything(tuple(history))
    event("refused" if in_groups[0] is not None else "taken")
    if in_groups[0] is None:
        assert in_groups == one_by_one
    else:  # what came before the wrong one may have been taken or not
        assert in_groups[0] == one_by_one[0]


@given(st.lists(histories(), min_size=1, max_size=6))
def test_the_cursor_does_not_care_how_records_were_read(parts: list[list[Wire]]) -> None:
    history = [record for part in parts for record in part]
    assert everything(history) == everything(tuple(history))


class Meddler:
    """A value that changes the event while it is being read."""

    def __init__(self, meddle: Any) -> None:
        self.meddle = meddle

    def __bool__(self) -> bool:
        self.meddle()
        gc.collect()
        return False


@pytest.mark.parametrize("what", ["shorter", "other operations", "other members"])
@pytest.mark.parametrize("place", [0, 5, GROUP - 1, GROUP])
def test_an_event_that_changes_while_it_is_read_is_read_as_it_then_is(what: str, place: int) -> None:
    history: list[Any] = [regular(position) for position in range(3 * GROUP)]

    def meddle() -> None:
        if what == "shorter":
            del history[place + 1 :]
        elif what == "other operations":
            history[place + 1 :] = [regular(position) for position in range(100, 100 + 2 * GROUP)]
        else:
            for record in history[place + 1 :]:
                result = record["StepDetails"].pop("Result")
                record.clear()
                record.update(regular(7 + int(result)))

    history[place]["StepDetails"] = {"ReplayChildren": Meddler(meddle)}
    journal = Journal("t")
    journal.load_operations(history)
    found = {record.operation_id: record.result for record in journal.records()}
    read = {record["Id"]: record["StepDetails"].get("Result") for record in history}
    assert {identity: found[identity] for identity in read} == read
    assert len(found) == len(read)


@pytest.mark.parametrize("count", [0, 1, GROUP - 1, GROUP, GROUP + 1, 5 * GROUP + 3])
def test_every_operation_of_an_event_is_read(count: int) -> None:
    journal = Journal("t")
    journal.load_operations([regular(position) for position in range(1, count + 1)])
    assert [record.result for record in journal.records()] == [str(position) for position in range(1, count + 1)]
    scope = journal.scope(None, None, True)
    assert [scope.replay_step("a") for _ in range(count)] == list(range(1, count + 1))
    assert scope.replay_step("a") is _core.MISS
