"""History, scopes and outbox, as Python sees them."""

from __future__ import annotations

import datetime
import gc
import json

import pytest

from durable_execution_sdk import _core
from durable_execution_sdk._core import Journal, Record
from durable_execution_sdk._model.enums import OperationAction, OperationType
from durable_execution_sdk._model.updates import OperationUpdate

ROOT_1 = "1ced8f5be2db23a6513eba4d819c73806424748a7bc6fa0d792cc1c7d1775a97"


def step(operation_id: str, status: str = "SUCCEEDED", **members: object) -> dict[str, object]:
    return {"Id": operation_id, "Type": "STEP", "SubType": "Step", "Status": status, "StartTimestamp": 5, **members}


def start(operation_id: str, parent_id: str | None = None) -> OperationUpdate:
    return OperationUpdate(operation_id, OperationType.STEP, OperationAction.START, parent_id=parent_id)


@pytest.mark.parametrize(
    ("prefix", "position", "expected"),
    [
        (None, 1, ROOT_1),
        ("", 1, ROOT_1),
        (ROOT_1, 1, "974bfc6321e227b0ff101342eaf19b336f002dc6cc99c18f0941a7755cc20fc4"),
    ],
)
def test_operation_ids(prefix: str | None, position: int, expected: str) -> None:
    assert _core.operation_id(prefix, position) == expected


@pytest.mark.parametrize("form", ["objects", "page"])
def test_finished_branches_are_answered_by_index(form: str) -> None:
    def branch(index: int, **members: object) -> dict[str, object]:
        named = {"Name": f"map-item-{index}", "ParentId": ROOT_1, "ContextDetails": {"Result": str(index)}}
        kind = {"Type": "CONTEXT", "SubType": "MapIteration", "Status": "SUCCEEDED"}
        return {"Id": _core.operation_id(ROOT_1, index), "StartTimestamp": 5, **kind, **named, **members}

    journal = Journal("t")
    operations = [
        branch(0),
        branch(1, ContextDetails={"Result": "1", "ReplayChildren": True}),
        branch(2, Status="FAILED"),
        branch(3, Name="other"),
        branch(4, SubType="Custom"),
        branch(5, ParentId="elsewhere"),
        branch(6, ContextDetails={"Result": "{"}),
        branch(7, ContextDetails={}),
        branch(8, Status="STARTED"),
        branch(10),
    ]
    if form == "page":
        journal.load_page(json.dumps({"Operations": operations}).encode())
    else:
        journal.load_operations(operations)
    scope = journal.scope(ROOT_1, ROOT_1, True)
    found = [scope.replay_branch(index, "MapIteration", f"map-item-{index}") for index in range(11)]
    assert found == [0, *[_core.MISS] * 6, None, *[_core.MISS] * 2, 10]
    assert scope.replay_branch(0, "ParallelBranch", "map-item-0") is _core.MISS
    assert scope.replay_branch(4, "Custom", "map-item-4") is _core.MISS, "left to who compares texts"
    assert (scope.position, scope.replaying) == (0, True)


@pytest.mark.parametrize(
    "moment",
    [
        1783980131127,
        1783980131127.0,
        "2026-07-13T22:02:11.127Z",
        datetime.datetime(2026, 7, 13, 22, 2, 11, 127000, datetime.UTC),
    ],
)
def test_timestamps_in_every_form(moment: object) -> None:
    journal = Journal("t")
    journal.load_operations([step("a", EndTimestamp=moment)])
    record = journal.find("a")
    assert record is not None
    assert record.end_ms == 1783980131127


def test_unparseable_time_is_unknown() -> None:
    journal = Journal("t")
    journal.load_operations([step("a", EndTimestamp="yesterday")])
    record = journal.find("a")
    assert record is not None
    assert record.end_ms is None


def test_details_are_read_from_whichever_there_are() -> None:
    journal = Journal("t")
    error = {"ErrorMessage": "m", "ErrorType": "T", "StackTrace": ["a"]}
    journal.load_operations(
        [
            step("a", StepDetails={"Attempt": 2, "Result": "1", "NextAttemptTimestamp": 9}),
            {
                "Id": "c",
                "Type": "CONTEXT",
                "Status": "FAILED",
                "ContextDetails": {"Error": error, "ReplayChildren": True},
            },
        ]
    )
    a, c = journal.records()
    assert (a.attempt, a.result, a.next_attempt_ms, a.is_terminal) == (2, "1", 9, True)
    assert (c.error, c.replay_children) == (("m", "T", None, ["a"]), True)
    assert journal.has_prior_operations
    assert len(journal) == 2


def test_record_without_id_and_unknown_status() -> None:
    with pytest.raises(_core.HistoryError) as missing:
        Journal("t").load_operations([{"Type": "STEP", "Status": "STARTED"}])
    assert missing.value.field == "Id"
    with pytest.raises(ValueError, match="SLEEPING"):
        Journal("t").load_operations([step("a", "SLEEPING")])


def test_pages_carry_seconds() -> None:
    journal = Journal("t")
    page = {"Operations": [step("a", EndTimestamp=1783980131.127)], "NextMarker": "more"}
    assert journal.load_page(json.dumps(page).encode()) == "more"
    record = journal.find("a")
    assert record is not None
    assert record.end_ms == 1783980131127


def test_requests_are_fifo_and_settle_in_order() -> None:
    journal = Journal("t0")
    assert journal.next_request("c") is None
    tickets = [journal.push(start("a")), journal.push(None), journal.push(start("b"))]
    assert tickets == [1, 2, 3]
    request = journal.next_request("client")
    assert request is not None
    assert json.loads(request.body) == {
        "CheckpointToken": "t0",
        "ClientToken": "client",
        "Updates": [{"Id": i, "Type": "STEP", "Action": "START"} for i in "ab"],
    }
    assert [update.operation_id for update in request.updates] == ["a", "b"]
    assert journal.in_flight
    answer = {"CheckpointToken": "t1", "NewExecutionState": {"Operations": [step("a", "STARTED")]}}
    acknowledgement = journal.acknowledge(json.dumps(answer).encode())
    assert (acknowledgement.outcome, acknowledgement.changed) == ("continue", ["a"])
    assert journal.settled == 0
    assert journal.settle() == 3
    assert (journal.token, journal.in_flight) == ("t1", False)


def test_answers_without_token() -> None:
    journal = Journal("t")
    journal.push(start("a"))
    journal.next_request("c")
    assert journal.acknowledge(b'{"NewExecutionState":{}}').outcome == "revoked"
    journal.discard()
    journal.push(OperationUpdate("e", OperationType.EXECUTION, OperationAction.SUCCEED))
    journal.next_request("c")
    assert journal.acknowledge({}).outcome == "completed"


def test_descendants_of_an_ended_context_are_orphans() -> None:
    journal = Journal("t")
    journal.push(OperationUpdate("ctx", OperationType.CONTEXT, OperationAction.START))
    journal.push(OperationUpdate("inner", OperationType.CONTEXT, OperationAction.START, parent_id="ctx"))
    journal.push(start("leaf", "inner"))
    assert journal.push(OperationUpdate("ctx", OperationType.CONTEXT, OperationAction.SUCCEED)) == 4
    assert journal.push(start("leaf", "inner")) == 0
    assert journal.push(start("new", "inner")) == 0
    assert journal.queued == 4


def test_scope_numbers_and_leaves_replay() -> None:
    journal = Journal("t")
    second = _core.operation_id(None, 2)
    journal.load_operations([step(ROOT_1), step(second, "STARTED")])
    scope = journal.scope(None, None, True)
    assert scope.begin("STEP") == ROOT_1
    scope.end(ROOT_1)
    assert scope.replaying
    assert scope.begin("STEP") == second
    assert not scope.replaying
    assert scope.position == 2


def test_records_can_be_made_for_tests() -> None:
    record = Record("a", "STEP", "FAILED", error=("m", None, None, None), attempt=3)
    assert (record.is_terminal, record.attempt, record.error) == (True, 3, ("m", None, None, None))


def test_finalisers_may_use_the_journal_while_a_replay_builds_values() -> None:
    count = 300
    journal = Journal("t")
    names = ["a\ud800" if position % 7 == 0 else "a" for position in range(1, count + 1)]
    journal.load_operations(
        [
            step(_core.operation_id(None, position), Name=name, StepDetails={"Result": _core.encode([{"p": position}])})
            for position, name in enumerate(names, 1)
        ]
    )
    scope = journal.scope(None, None, True)
    visits = []

    class Intruder:
        def __init__(self) -> None:
            self.circle = self

        def __del__(self) -> None:
            visits.append((journal.find(ROOT_1), scope.position, journal.push(None)))

    thresholds = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for position, name in enumerate(names, 1):
            Intruder()
            value = scope.replay_step(name)
            if "\ud800" in name:  # no text that a service could have recorded: the long way decides
                assert value is _core.MISS
                scope.begin("STEP")
            else:
                assert value == [{"p": position}]
    finally:
        gc.set_threshold(*thresholds)
    gc.collect()
    assert len(visits) == count
    assert scope.position == count
