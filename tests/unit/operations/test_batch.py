"""Branches: who they are, what their ends mean, and how a finished batch is made again."""

from __future__ import annotations

import pytest

from durable_execution_sdk._core import Record
from durable_execution_sdk._core import operation_id as nth
from durable_execution_sdk._model.batch import BatchItem
from durable_execution_sdk._model.completion import BatchItemStatus, CompletionReason
from durable_execution_sdk._model.config import ConcurrencyConfig, NestingType
from durable_execution_sdk._model.errors import (
    ChildContextError,
    ErrorObject,
    ExecutionError,
    InvocationError,
    NonDeterministicExecutionError,
    SerDesError,
    ValidationError,
)
from durable_execution_sdk._model.signals import (
    BackgroundThreadError,
    OrphanedChildException,
    SuspendExecution,
    TimedSuspendExecution,
)
from durable_execution_sdk._operations.batch import (
    BatchOperation,
    Reenter,
    Settle,
    check_positions,
    count_of,
    ended_by,
    rebuild_branch,
)
from durable_execution_sdk._operations.batch_events import Failed, Fatal, Orphaned, Suspended
from durable_execution_sdk._operations.batch_record import CompletionRecord
from durable_execution_sdk._policy.naming import map_item_name
from tests.unit.operations.rows import KEY, identity


def batch(nesting=NestingType.NESTED, names=None):
    config = ConcurrencyConfig(nesting_type=nesting, top_level_sub_type="Map", iteration_sub_type="MapIteration")
    return BatchOperation(identity("CONTEXT"), config, 3, map_item_name, names)


def test_branches_are_numbered_from_zero_under_the_batch():
    branch = batch().branch(1)
    assert branch.operation_id == "974bfc6321e227b0ff101342eaf19b336f002dc6cc99c18f0941a7755cc20fc4"
    assert (branch.parent_id, branch.sub_type, branch.name) == (KEY, "MapIteration", "map-item-1")


def test_a_given_name_counts_even_if_empty():
    op = batch(names=["first", None, ""])
    assert [op.branch(index).name for index in range(3)] == ["first", "map-item-1", ""]


def test_branches_without_label_are_child_contexts():
    op = BatchOperation(identity("CONTEXT"), ConcurrencyConfig(), 1)
    assert op.branch(0).sub_type == "RunInChildContext"


CURABLE = InvocationError("later")
STRANGE = ExecutionError("diverged")
SENDER = BackgroundThreadError("sender", ValueError())
STOP = KeyboardInterrupt()


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (TimedSuspendExecution("w", 12.345), Suspended(4, 12_345)),
        (SuspendExecution("w"), Suspended(4, None)),
        (OrphanedChildException("o", "id"), Orphaned(4)),
        (STRANGE, Fatal(4, STRANGE)),
        (SENDER, Fatal(4, SENDER)),
        (STOP, Fatal(4, STOP)),
        (CURABLE, Failed(4, ErrorObject.from_exception(CURABLE), CURABLE)),
        (
            ChildContextError("m", "ValueError", "d", ["s"]),
            Failed(4, ErrorObject("m", "ValueError", "d", ["s"])),
        ),
        (SerDesError("torn"), Failed(4, ErrorObject.from_exception(SerDesError("torn")))),
    ],
)
def test_the_end_of_a_branch(error, event):
    assert ended_by(4, error) == event


# --- made again -------------------------------------------------------------------------------------------------------

DONE = CompletionRecord(CompletionReason.ALL_COMPLETED, 3, frozenset())
OPEN = CompletionRecord(CompletionReason.MIN_SUCCESSFUL_REACHED, 3, frozenset({1}))


def recorded(status, **fields):
    fields.setdefault("name", "map-item-1")
    return Record(nth(KEY, 1), "CONTEXT", status, parent_id=KEY, sub_type="MapIteration", **fields)


def rebuilt(op, record, end):
    return rebuild_branch(op, 1, op.branch(1), record, end)


STARTED = Settle(BatchItem(1, BatchItemStatus.STARTED))
FAILED = Settle(BatchItem(1, BatchItemStatus.FAILED, error=ErrorObject("m", "T", None, None)))


@pytest.mark.parametrize(
    ("record", "end", "expected"),
    [
        (recorded("SUCCEEDED"), DONE, Reenter()),
        (recorded("SUCCEEDED"), None, Reenter()),
        (recorded("SUCCEEDED"), OPEN, STARTED),
        (recorded("FAILED", error=("m", "T", None, None)), DONE, FAILED),
        (recorded("FAILED", error=("m", "T", None, None)), None, FAILED),
        (recorded("STARTED"), None, STARTED),
        (None, None, STARTED),
        (None, OPEN, STARTED),
    ],
)
def test_a_nested_branch_is_made_again(record, end, expected):
    assert rebuilt(batch(), record, end) == expected


@pytest.mark.parametrize(("record", "how"), [(None, "no record"), (recorded("STARTED"), "recorded as STARTED")])
def test_an_ended_branch_must_have_an_end(record, how):
    with pytest.raises(NonDeterministicExecutionError, match=how):
        rebuilt(batch(), record, DONE)


def test_flat_branches_run_again():
    assert rebuilt(batch(NestingType.FLAT), None, DONE) == Reenter()
    assert rebuilt(batch(NestingType.FLAT), None, OPEN) == STARTED
    assert rebuilt(batch(NestingType.FLAT), None, None) == STARTED


@pytest.mark.parametrize("end", [DONE, OPEN, None])
def test_flat_branches_have_no_record(end):
    with pytest.raises(NonDeterministicExecutionError, match="nesting they were started with"):
        rebuilt(batch(NestingType.FLAT), recorded("SUCCEEDED"), end)


@pytest.mark.parametrize("end", [DONE, OPEN, None])
def test_a_branch_of_another_name_is_another_branch(end):
    with pytest.raises(NonDeterministicExecutionError, match="name: 'else'"):
        rebuilt(batch(), recorded("SUCCEEDED", name="else"), end)


# --- arguments --------------------------------------------------------------------------------------------------------


def test_what_has_no_length_is_refused():
    assert count_of("inputs", {1: 2}) == 1
    with pytest.raises(ValidationError, match=r"inputs must have a length.*generator"):
        count_of("inputs", (i for i in range(3)))


def test_items_stand_where_they_say():
    class Item:
        def __init__(self, index):
            self.index = index

    check_positions([Item(0), Item(1)])
    with pytest.raises(ValidationError, match=r"items\[1\].index must be its position, 1, got: 2"):
        check_positions([Item(0), Item(2)])
