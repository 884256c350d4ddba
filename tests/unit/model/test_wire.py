"""Records and updates: the wire form and back, in both spellings of time."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_execution_sdk import _core
from durable_execution_sdk.exceptions import NonDeterministicExecutionError
from durable_execution_sdk.identifier import OperationIdentifier, OperationIdNamespace
from durable_execution_sdk.lambda_service import (
    CallbackDetails,
    CallbackOptions,
    ChainedInvokeDetails,
    ChainedInvokeOptions,
    CheckpointOutput,
    ContextDetails,
    ContextOptions,
    DurableExecutionInvocationOutput,
    ErrorObject,
    ExecutionDetails,
    InvocationStatus,
    Operation,
    OperationAction,
    OperationStatus,
    OperationSubType,
    OperationType,
    OperationUpdate,
    StateOutput,
    StepDetails,
    StepOptions,
    TimestampConverter,
    WaitDetails,
    WaitOptions,
)

AT = datetime(2026, 3, 4, 5, 6, 7, 891_000, tzinfo=UTC)
AT_MS = 1_772_600_767_891
ERROR = ErrorObject("m", "T", None, ["line"])
WIRE_ERROR = {"ErrorMessage": "m", "ErrorType": "T", "StackTrace": ["line"]}

OPERATIONS: list[tuple[Operation, dict[str, Any]]] = [
    (
        Operation(
            "e",
            OperationType.EXECUTION,
            OperationStatus.STARTED,
            start_timestamp=AT,
            execution_details=ExecutionDetails("{}"),
        ),
        {
            "Id": "e",
            "Type": "EXECUTION",
            "Status": "STARTED",
            "StartTimestamp": AT,
            "ExecutionDetails": {"InputPayload": "{}"},
        },
    ),
    (
        Operation(
            "c",
            OperationType.CONTEXT,
            OperationStatus.SUCCEEDED,
            parent_id="p",
            name="n",
            sub_type="Map",
            start_timestamp=AT,
            end_timestamp=AT,
            context_details=ContextDetails(replay_children=True, result="r"),
        ),
        {
            "Id": "c",
            "Type": "CONTEXT",
            "Status": "SUCCEEDED",
            "ParentId": "p",
            "Name": "n",
            "SubType": "Map",
            "StartTimestamp": AT,
            "EndTimestamp": AT,
            "ContextDetails": {"Result": "r", "ReplayChildren": True},
        },
    ),
    (
        Operation(
            "s",
            OperationType.STEP,
            OperationStatus.PENDING,
            step_details=StepDetails(attempt=2, next_attempt_timestamp=AT, error=ERROR),
        ),
        {
            "Id": "s",
            "Type": "STEP",
            "Status": "PENDING",
            "StepDetails": {"Attempt": 2, "NextAttemptTimestamp": AT, "Error": WIRE_ERROR},
        },
    ),
    (
        Operation("w", OperationType.WAIT, OperationStatus.STARTED, wait_details=WaitDetails(AT)),
        {"Id": "w", "Type": "WAIT", "Status": "STARTED", "WaitDetails": {"ScheduledEndTimestamp": AT}},
    ),
    (
        Operation(
            "b", OperationType.CALLBACK, OperationStatus.FAILED, callback_details=CallbackDetails("cb", error=ERROR)
        ),
        {
            "Id": "b",
            "Type": "CALLBACK",
            "Status": "FAILED",
            "CallbackDetails": {"CallbackId": "cb", "Error": WIRE_ERROR},
        },
    ),
    (
        Operation(
            "i",
            OperationType.CHAINED_INVOKE,
            OperationStatus.SUCCEEDED,
            chained_invoke_details=ChainedInvokeDetails("1"),
        ),
        {"Id": "i", "Type": "CHAINED_INVOKE", "Status": "SUCCEEDED", "ChainedInvokeDetails": {"Result": "1"}},
    ),
]


@pytest.mark.parametrize(("operation", "wire"), OPERATIONS)
def test_operations(operation: Operation, wire: dict[str, Any]) -> None:
    assert operation.to_dict() == wire
    assert Operation.from_dict(wire) == operation


@pytest.mark.parametrize(("operation", "wire"), OPERATIONS)
def test_operations_as_events_have_them(operation: Operation, wire: dict[str, Any]) -> None:
    event = json.loads(json.dumps(operation.to_json_dict()))
    untouched = copy.deepcopy(event)
    assert Operation.from_json_dict(event) == operation
    assert event == untouched
    texts = json.loads(json.dumps(event).replace(str(AT_MS), json.dumps(AT.isoformat())))
    assert Operation.from_json_dict(texts) == operation
    assert Operation.from_json_dict(wire) == operation


@pytest.mark.parametrize("member", ["Type", "Status"])
def test_unknown_words_are_refused(member: str) -> None:
    with pytest.raises(ValueError, match="NEW"):
        Operation.from_dict({"Id": "x", "Type": "STEP", "Status": "STARTED", member: "NEW"})


def test_empty_members_of_a_record_count_as_absent() -> None:
    record = {"Id": "x", "Type": "STEP", "Status": "READY", "SubType": "", "StepDetails": {}, "WaitDetails": None}
    assert Operation.from_dict(record) == Operation("x", OperationType.STEP, OperationStatus.READY)


WHO = OperationIdentifier("id", "Step", "parent", "name", operation_type=OperationType.STEP)
COMMON = {"Id": "id", "ParentId": "parent", "Name": "name", "SubType": "Step"}

UPDATES: list[tuple[OperationUpdate, dict[str, Any]]] = [
    (
        OperationUpdate.create_callback(WHO, CallbackOptions(5)),
        {
            "Type": "CALLBACK",
            "Action": "START",
            "CallbackOptions": {"TimeoutSeconds": 5, "HeartbeatTimeoutSeconds": 0},
        },
    ),
    (OperationUpdate.create_context_start(WHO), {"Type": "CONTEXT", "Action": "START"}),
    (
        OperationUpdate.create_context_succeed(WHO, "", context_options=ContextOptions()),
        {"Type": "CONTEXT", "Action": "SUCCEED", "Payload": "", "ContextOptions": {"ReplayChildren": False}},
    ),
    (OperationUpdate.create_context_fail(WHO, ERROR), {"Type": "CONTEXT", "Action": "FAIL", "Error": WIRE_ERROR}),
    (OperationUpdate.create_step_start(WHO), {"Type": "STEP", "Action": "START"}),
    (OperationUpdate.create_step_succeed(WHO, "1"), {"Type": "STEP", "Action": "SUCCEED", "Payload": "1"}),
    (OperationUpdate.create_step_succeed(WHO, None), {"Type": "STEP", "Action": "SUCCEED"}),
    (OperationUpdate.create_step_fail(WHO, ERROR), {"Type": "STEP", "Action": "FAIL", "Error": WIRE_ERROR}),
    (
        OperationUpdate.create_step_retry(WHO, ERROR, 7),
        {
            "Type": "STEP",
            "Action": "RETRY",
            "Error": WIRE_ERROR,
            "StepOptions": {"NextAttemptDelaySeconds": 7},
        },
    ),
    (
        OperationUpdate.create_invoke_start(WHO, "{}", ChainedInvokeOptions("f", "t", "x")),
        {
            "Type": "CHAINED_INVOKE",
            "Action": "START",
            "Payload": "{}",
            "ChainedInvokeOptions": {"FunctionName": "f", "TenantId": "t", "XAmznTraceId": "x"},
        },
    ),
    (OperationUpdate.create_wait_for_condition_start(WHO), {"Type": "STEP", "Action": "START"}),
    (
        OperationUpdate.create_wait_for_condition_succeed(WHO, "1"),
        {"Type": "STEP", "Action": "SUCCEED", "Payload": "1"},
    ),
    (
        OperationUpdate.create_wait_for_condition_retry(WHO, "1", 3),
        {"Type": "STEP", "Action": "RETRY", "Payload": "1", "StepOptions": {"NextAttemptDelaySeconds": 3}},
    ),
    (
        OperationUpdate.create_wait_for_condition_fail(WHO, ERROR),
        {"Type": "STEP", "Action": "FAIL", "Error": WIRE_ERROR},
    ),
    (
        OperationUpdate.create_wait_start(WHO, WaitOptions(9)),
        {"Type": "WAIT", "Action": "START", "WaitOptions": {"WaitSeconds": 9}},
    ),
]


@pytest.mark.parametrize(("update", "wire"), UPDATES)
def test_updates(update: OperationUpdate, wire: dict[str, Any]) -> None:
    assert update.to_dict() == COMMON | wire
    assert OperationUpdate.from_dict(COMMON | wire) == update


def test_empty_names_are_not_sent() -> None:
    nobody = OperationIdentifier("id", "", "", "", operation_type=OperationType.STEP)
    assert OperationUpdate.create_step_start(nobody).to_dict() == {"Id": "id", "Type": "STEP", "Action": "START"}


def test_the_end_of_an_execution_is_named_after_the_time() -> None:
    done = OperationUpdate.create_execution_succeed("r")
    failed = OperationUpdate.create_execution_fail(ERROR)
    for update in (done, failed):
        prefix, _, ms = update.operation_id.rpartition("-")
        assert prefix == "execution-result"
        assert abs(int(ms) - datetime.now(UTC).timestamp() * 1000) < 60_000
    assert (done.action, done.payload) == (OperationAction.SUCCEED, "r")
    assert (failed.action, failed.error) == (OperationAction.FAIL, ERROR)


@pytest.mark.parametrize(
    "options",
    [StepOptions(4), WaitOptions(4), CallbackOptions(4, 2), ChainedInvokeOptions("f"), ContextOptions(True)],
)
def test_options(options: Any) -> None:
    assert type(options).from_dict(options.to_dict()) == options


def test_options_have_the_defaults_of_the_api() -> None:
    assert StepOptions.from_dict({}).next_attempt_delay_seconds == 0
    assert WaitOptions.from_dict({}).wait_seconds == 1
    assert CallbackOptions.from_dict({}) == CallbackOptions(0, 0)
    assert ContextOptions.from_dict({}).replay_children is False


def test_identity_is_compared_field_by_field() -> None:
    recorded = Operation("id", OperationType.STEP, OperationStatus.STARTED, "parent", "name", sub_type="Step")
    WHO.validate_checkpoint(recorded)
    WHO.validate_checkpoint(None)
    assert WHO.type is OperationType.STEP
    other = Operation("id", OperationType.WAIT, OperationStatus.STARTED, None, "nome", sub_type="Wait")
    with pytest.raises(NonDeterministicExecutionError) as caught:
        WHO.validate_checkpoint(other)
    assert caught.value.step_id == "id"
    for part in ("recorded 'WAIT', attempted 'STEP'", "recorded None, attempted 'parent'", "recorded 'nome'"):
        assert part in str(caught.value)


def test_no_name_and_an_empty_name_are_the_same() -> None:
    nameless = OperationIdentifier("id", "Step", "", None, operation_type=OperationType.STEP)
    nameless.validate_checkpoint(
        Operation("id", OperationType.STEP, OperationStatus.STARTED, None, "", sub_type="Step")
    )


@given(st.none() | st.text("0123456789abcdef", min_size=1, max_size=64), st.integers(0, 10_000))
def test_ids_are_those_of_the_core(prefix: str | None, position: int) -> None:
    assert OperationIdNamespace(prefix).create_id_for_step(position) == _core.operation_id(prefix, position)


def test_answers() -> None:
    page = {"Operations": [OPERATIONS[3][1]], "NextMarker": "m"}
    assert StateOutput.from_dict(page) == StateOutput([OPERATIONS[3][0]], "m")
    assert StateOutput.from_dict({}) == StateOutput([], None)
    answer = CheckpointOutput.from_dict({"CheckpointToken": "t", "NewExecutionState": page})
    assert (answer.checkpoint_token, answer.new_execution_state.operations) == ("t", [OPERATIONS[3][0]])
    assert CheckpointOutput.from_dict({}).new_execution_state.operations == []


def test_invocation_outputs() -> None:
    done = DurableExecutionInvocationOutput.create_succeeded("")
    assert done.to_dict() == {"Status": "SUCCEEDED", "Result": ""}
    assert DurableExecutionInvocationOutput.create_pending().to_dict() == {"Status": "PENDING"}
    retried = DurableExecutionInvocationOutput.create_retry(ERROR)
    assert retried.to_dict() == {"Status": "RETRY", "Error": WIRE_ERROR}
    for output in (done, retried, DurableExecutionInvocationOutput(InvocationStatus.FAILED, error=ERROR)):
        assert DurableExecutionInvocationOutput.from_dict(output.to_dict()) == output


def test_timestamps() -> None:
    assert TimestampConverter.to_unix_millis(AT) == AT_MS
    assert TimestampConverter.from_unix_millis(AT_MS) == AT
    assert TimestampConverter.to_unix_millis(None) is TimestampConverter.from_unix_millis(None) is None


def test_subtypes_are_text() -> None:
    assert OperationSubType.MAP_ITERATION == "MapIteration"
    assert json.dumps(OperationSubType.MAP) == '"Map"'
