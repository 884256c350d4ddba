"""Laws of the journal: whatever a history holds and however it came, the same is found, replayed and sent."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from durable_execution_sdk import _core
from durable_execution_sdk._core import MISS, Journal, Record, Scope
from durable_execution_sdk._drivers.aio.delivery import FINISHED, order_of
from durable_execution_sdk._model.enums import OperationAction, OperationType
from durable_execution_sdk._model.errors import ErrorObject
from durable_execution_sdk._model.updates import (
    CallbackOptions,
    ChainedInvokeOptions,
    ContextOptions,
    OperationUpdate,
    StepOptions,
    WaitOptions,
)

Wire = dict[str, Any]

TERMINAL = {"SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT", "STOPPED"}
OPEN = {"STARTED", "PENDING", "READY"}
DETAILS = {
    "STEP": "StepDetails",
    "CONTEXT": "ContextDetails",
    "WAIT": "WaitDetails",
    "CALLBACK": "CallbackDetails",
    "CHAINED_INVOKE": "ChainedInvokeDetails",
}
LANES: dict[str, tuple[str, str, Callable[[Scope], Callable[[str | None], Any]]]] = {
    "step": ("STEP", "Step", lambda scope: scope.replay_step),
    "condition": ("STEP", "WaitForCondition", lambda scope: scope.replay_condition),
    "wait": ("WAIT", "Wait", lambda scope: scope.replay_wait),
    "child": ("CONTEXT", "RunInChildContext", lambda scope: scope.replay_child),
    "invoke": ("CHAINED_INVOKE", "ChainedInvoke", lambda scope: scope.replay_invoke),
}
FIELDS = [name for name in dir(Record) if not name.startswith("_")]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
names = st.none() | st.sampled_from(["", "a", "größe", "a\\b", 'q"']) | texts
payloads = st.sampled_from(
    ['{"t":"m","v":{"a":{"t":"i","v":1}}}', "1", "[1,2]", '"x"', "null", "not json", '{"t":"?"}', ""]
)


@st.composite
def operations(draw: st.DrawFn, operation_id: str, parent_id: str | None = None) -> Wire:
    kind = draw(st.sampled_from(sorted(DETAILS)))
    sub_types = [sub_type for lane_kind, sub_type, _ in LANES.values() if lane_kind == kind]
    wire: Wire = {
        "Id": operation_id,
        "Type": kind,
        "SubType": draw(st.sampled_from([*sub_types, *sub_types, "Map", "Mine"])),
        "Status": draw(st.sampled_from(["SUCCEEDED"] * 12 + sorted(TERMINAL | OPEN))),
        "StartTimestamp": draw(st.integers(0, 2**41)),
    }
    if parent_id is not None:
        wire["ParentId"] = parent_id
    for member, value in (
        ("Name", draw(names)),
        ("EndTimestamp", draw(st.none() | st.integers(0, 2**41))),
    ):
        if value is not None or draw(st.booleans()):
            wire[member] = value
    details: Wire = {}
    if draw(st.booleans()):
        details["Result"] = draw(st.none() | payloads)
    if kind == "STEP":
        details["Attempt"] = draw(st.integers(0, 9))
        details["NextAttemptTimestamp"] = draw(st.none() | st.integers(0, 2**41))
    if kind == "CONTEXT":
        details["ReplayChildren"] = draw(st.booleans())
    if draw(st.booleans()):
        details["Error"] = draw(
            st.none() | st.fixed_dictionaries({"ErrorMessage": texts, "StackTrace": st.lists(texts)})
        )
    if details or draw(st.booleans()):
        wire[DETAILS[kind]] = details
    return dict(draw(st.permutations(list(wire.items()))))


@st.composite
def histories(draw: st.DrawFn, prefix: str | None = None) -> list[Wire]:
    positions = draw(st.lists(st.integers(1, 12), unique=True, max_size=10))
    if draw(st.booleans()):
        positions.sort()
    return [draw(operations(_core.operation_id(prefix, position), prefix)) for position in positions]


def in_seconds(operation: Wire) -> Wire:
    """The same record as an API answer holds it."""
    page: Wire = {}
    for member, value in operation.items():
        if member.endswith("Timestamp") and value is not None:
            page[member] = value / 1000
        else:
            page[member] = in_seconds(value) if isinstance(value, dict) else value
    return page


def as_page(history: list[Wire], ascii_only: bool) -> bytes:
    return json.dumps({"Operations": [in_seconds(record) for record in history]}, ensure_ascii=ascii_only).encode()


def shown(record: Record | None) -> Any:
    return None if record is None else {field: getattr(record, field) for field in FIELDS}


def delivered(journal: Journal) -> list[str]:
    """What has ended, in the order in which an async handler hears of it."""
    loop = asyncio.new_event_loop()
    order = order_of(journal, object(), loop, set(), set(), [])
    loop.close()
    for record in journal.records():
        order.listen(record.operation_id, FINISHED)
    found = iter(lambda: order.next(bodies=False, outside_work=lambda: False), False)
    return [event[0] for event in found if isinstance(event, tuple)]


@given(histories(), st.booleans())
def test_objects_and_pages_hold_the_same(history: list[Wire], ascii_only: bool) -> None:
    objects, page = Journal("t"), Journal("t")
    objects.load_operations(history)
    assert page.load_page(as_page(history, ascii_only)) is None
    assert [shown(record) for record in objects.records()] == [shown(record) for record in page.records()]
    assert delivered(objects) == delivered(page)
    assert objects.has_pending_operations == page.has_pending_operations


@given(histories())
def test_bulk_answers_are_those_of_records(history: list[Wire]) -> None:
    journal = Journal("t")
    journal.load_operations(history)
    records = journal.records()
    ended = [record for record in records if record.is_terminal]
    times = {record.operation_id: record.end_ms or 0 for record in ended}
    order = delivered(journal)
    assert sorted(order) == sorted(times)
    assert [times[operation_id] for operation_id in order] == sorted(times.values())
    assert journal.has_pending_operations == any(
        record.status == ("PENDING" if record.operation_type == "STEP" else "STARTED")
        for record in records
        if record.operation_type != "CONTEXT"
    )


@given(histories(), histories())
def test_the_last_record_of_an_id_counts(first: list[Wire], second: list[Wire]) -> None:
    journal = Journal("t")
    journal.load_operations([*first, *second[:2]])
    journal.load_page(as_page(second, ascii_only=True))
    expected = {record["Id"]: record for record in [*first, *second]}
    assert {record.operation_id: record.status for record in journal.records()} == {
        operation_id: record["Status"] for operation_id, record in expected.items()
    }
    assert len(journal) == len(expected)
    assert journal.has_pending_operations == (
        any(
            record["Status"] == ("PENDING" if record["Type"] == "STEP" else "STARTED")
            for record in expected.values()
            if record["Type"] != "CONTEXT"
        )
    )


def expected_value(record: Wire | None, lane: str, name: str | None, parent_id: str | None) -> Any:
    """The lane's answer, told from the record by other means."""
    kind, sub_type, _ = LANES[lane]
    if record is None or record["Status"] != "SUCCEEDED" or (record["Type"], record["SubType"]) != (kind, sub_type):
        return MISS
    if (record.get("Name") or None, record.get("ParentId") or None) != (name or None, parent_id or None):
        return MISS
    details = record.get(DETAILS[kind]) or {}
    if details.get("ReplayChildren"):
        return MISS
    result = details.get("Result")
    if lane == "wait" or result is None:
        return None
    try:
        return json.loads(result) if lane == "invoke" else _core.decode(result)
    except ValueError:
        return MISS


@given(
    st.data(),
    st.lists(st.tuples(st.sampled_from(sorted(LANES)), names), max_size=14),
    st.booleans(),
    st.sampled_from([None, _core.operation_id(None, 7)]),
)
def test_the_lane_answers_finished_operations_and_changes_nothing_else(
    data: st.DataObject, calls: list[tuple[str, str | None]], raw: bool, prefix: str | None
) -> None:
    history = data.draw(histories(prefix))
    journal = Journal("t")
    if raw:
        journal.load_page(as_page(history, ascii_only=False))
    else:
        journal.load_operations(history)
    by_id = {record["Id"]: record for record in history}
    scope = journal.scope(prefix, prefix, True)
    replaying = True
    for position, (drawn_lane, drawn_name) in enumerate(calls):
        operation_id = _core.operation_id(prefix, position + 1)
        record = by_id.get(operation_id)
        # Half of the calls attempt what is recorded; the others are left to chance.
        if record is not None and data.draw(st.booleans()):
            fitting = [
                each for each, (kind, sub, _) in LANES.items() if (kind, sub) == (record["Type"], record["SubType"])
            ]
            lane, name = (fitting or [drawn_lane])[0], record.get("Name")
        else:
            lane, name = drawn_lane, drawn_name
        kind, _, open_lane = LANES[lane]
        expected = expected_value(record, lane, name, prefix)
        value = open_lane(scope)(name)
        if expected is MISS:
            assert value is MISS
            assert (scope.position, scope.replaying) == (position, replaying)
            # What the long way does to the scope.
            assert scope.begin(kind) == operation_id
            if record is None or (kind == "STEP" and record["Status"] in OPEN):
                replaying = False
            assert scope.replaying == replaying
            scope.end(operation_id)
            if record is not None and record["Status"] in OPEN:
                replaying = False
        else:
            assert value == expected
        if _core.operation_id(prefix, position + 2) not in by_id:
            replaying = False
        assert (scope.position, scope.replaying) == (position + 1, replaying)


any_text = st.text(st.characters(), max_size=30)  # lone surrogates included: strings of users may hold them
options = st.sampled_from(
    [
        {},
        {"context_options": ContextOptions(replay_children=True)},
        {"step_options": StepOptions(5)},
        {"wait_options": WaitOptions(31_622_400)},
        {"callback_options": CallbackOptions(0, 7)},
        {"chained_invoke_options": ChainedInvokeOptions("f:live", "tenant", None)},
    ]
)
errors = st.builds(
    ErrorObject, st.none() | any_text, st.none() | any_text, st.none() | any_text, st.none() | st.lists(any_text)
)
updates = st.builds(
    lambda chosen, **members: OperationUpdate(**members, **chosen),
    options,
    operation_id=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
    operation_type=st.sampled_from([kind for kind in OperationType if kind is not OperationType.CONTEXT]),
    action=st.sampled_from(OperationAction),
    name=st.none() | any_text,
    sub_type=st.none() | any_text,
    payload=st.none() | any_text,
    error=st.none() | errors,
)


@given(st.lists(st.none() | updates, max_size=12), texts, texts)
def test_requests_say_what_the_updates_say(pushed: list[OperationUpdate | None], token: str, client_token: str) -> None:
    journal = Journal(token)
    tickets = [journal.push(update) for update in pushed]
    assert tickets == list(range(1, len(pushed) + 1))
    request = journal.next_request(client_token)
    if request is None:
        assert not pushed
        return
    sent = [update for update in pushed if update is not None]
    assert request.body.isascii()
    assert json.loads(request.body) == {
        "CheckpointToken": token,
        "ClientToken": client_token,
        "Updates": [update.to_dict() for update in sent],
    }
    assert request.updates == sent
    assert (journal.queued, journal.settle()) == (0, len(pushed))


@given(st.lists(st.none() | st.integers(0, 400_000), max_size=30))
def test_batches_keep_order_and_limits(sizes: list[int | None]) -> None:
    journal = Journal("t")
    for number, size in enumerate(sizes):
        payload = "x" * size if size is not None else None
        journal.push(
            None
            if payload is None
            else OperationUpdate(f"{number}", OperationType.STEP, OperationAction.SUCCEED, payload=payload)
        )
    sent: list[str] = []
    while (request := journal.next_request("c")) is not None:
        entries = json.loads(request.body)["Updates"]
        assert len(entries) <= 250
        assert sum(len(json.dumps(entry, separators=(",", ":"))) for entry in entries) <= 768_000
        sent += [entry["Id"] for entry in entries]
        journal.settle()
    assert sent == [f"{number}" for number, size in enumerate(sizes) if size is not None]
    assert journal.settled == len(sizes)


@given(st.integers(1, 40))
def test_threads_share_a_scope(count: int) -> None:
    history = [
        {
            "Id": _core.operation_id(None, position),
            "Type": "STEP",
            "SubType": "Step",
            "Status": "SUCCEEDED",
            "StepDetails": {"Result": str(position)},
        }
        for position in range(1, count + 1)
    ]
    journal = Journal("t")
    journal.load_operations(history)
    scope = journal.scope(None, None, True)
    values: list[Any] = []

    def replay() -> None:
        while (value := scope.replay_step(None)) is not MISS or scope.position < count:
            if value is not MISS:
                values.append(value)

    threads = [threading.Thread(target=replay) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(values) == list(range(1, count + 1))
    assert (scope.position, scope.replaying) == (count, False)
