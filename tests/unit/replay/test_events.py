"""From events to operations: what our engine says of both must agree."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.config import CallbackConfig, Duration, StepConfig
from durable_execution_sdk.engine import Engine, ExecutionEnded, read_history
from durable_execution_sdk.replay.events import is_no_result, operations_of, plain_event
from durable_execution_sdk.retries import RetryDecision
from durable_execution_sdk.types import StepContext
from durable_execution_sdk.waits import WaitForConditionConfig, WaitForConditionDecision
from tests.support import engine_workflows as workflows

ARN = "arn:aws:lambda:eu-north-1:000000000000:function:shop:1/durable-execution/order-7/f4a1"


@durable_execution
def everything(event: Any, context: DurableContext) -> list[Any]:
    def flaky(step: StepContext) -> str:
        if step.attempt < 3:
            raise OSError("not yet")
        return "third time"

    once = StepConfig(retry_strategy=lambda error, attempt: RetryDecision.no_retry())
    again = StepConfig(
        retry_strategy=lambda error, attempt: RetryDecision(should_retry=True, delay=Duration.from_seconds(1))
    )
    found: list[Any] = [context.step(flaky, name="flaky", config=again)]
    try:
        context.step(lambda _: 1 / 0, name="broken", config=once)
    except Exception as error:
        found.append(str(error))
    context.wait(Duration.from_seconds(1), name="w")
    found.append(context.run_in_child_context(lambda child: child.step(lambda _: 7, name="inner"), name="child"))
    try:
        context.run_in_child_context(lambda child: 1 / 0, name="failing child")
    except Exception as error:
        found.append(str(error))
    found.append(context.map([1, 2], lambda c, item, i, items: c.step(lambda _: item * 2), name="m").get_results())
    found.append(context.parallel([lambda c: 1, lambda c: c.step(lambda _: 2)], name="p").get_results())
    counting = WaitForConditionConfig(
        initial_state=0,
        wait_strategy=lambda state, attempt: (
            WaitForConditionDecision.stop_polling()
            if state == 2
            else WaitForConditionDecision.continue_waiting(Duration.from_seconds(1))
        ),
    )
    found.append(context.wait_for_condition(lambda state, _: state + 1, config=counting, name="c"))
    found.append(context.invoke("plain", "x", name="call"))
    try:
        context.invoke("nowhere", "x", name="call nobody")
    except Exception as error:
        found.append(str(error))
    try:
        config = CallbackConfig(timeout=Duration.from_seconds(1))
        context.create_callback(name="nobody answers", config=config).result()
    except Exception as error:
        found.append(type(error).__name__)
    return found


@durable_execution
def asks(event: Any, context: DurableContext) -> Any:
    return context.create_callback(name="asked").result()


@durable_execution
def fails(event: Any, context: DurableContext) -> None:
    context.step(lambda _: None, name="a")
    raise ValueError("the end")


def rounded(records: Any) -> Iterator[Mapping[str, Any]]:
    """Records without what events do not tell, or tell otherwise: completions of the engine are a millisecond apart."""
    for record in records:
        kept = {key: value for key, value in record.items() if key != "EndTimestamp"}
        kept["ended"] = "EndTimestamp" in record
        yield kept


def same(engine: Engine, name: str, folder: Path) -> None:
    engine.export_history(name, folder / "h.json")
    history = read_history(folder / "h.json")
    derived = operations_of(history.execution["DurableExecutionArn"], reversed(history.events))
    assert [*rounded(derived.operations)] == [*rounded(history.operations)]
    assert (derived.status, derived.problem, derived.unreadable) == (history.execution["Status"], None, {})


def test_every_operation(tmp_path: Path) -> None:
    with Engine(time_scale=0, functions={"plain": workflows.plain}) as engine:
        assert len(engine.run(everything, {}, name="a")) == 10
        same(engine, "a", tmp_path)


@pytest.mark.parametrize("handler", [fails, asks])
def test_executions_that_failed_or_still_run(tmp_path: Path, handler: Callable[..., Any]) -> None:
    with Engine(tmp_path / "store.db", time_scale=0) as engine:
        if handler is fails:
            with pytest.raises(ExecutionEnded):
                engine.run(handler, {}, name="a")
        else:
            engine.start(handler, {}, name="a")
            while not any(op.callback_id for op in engine.operations("a")):
                pass
        same(engine, "a", tmp_path)


@pytest.mark.parametrize("end", ["success", "failure"])
def test_callbacks_that_were_answered(tmp_path: Path, end: str) -> None:
    with Engine(tmp_path / "store.db", time_scale=0) as engine:
        engine.start(asks, {}, name="a")
        callback_id = None
        while callback_id is None:
            callback_id = next((op.callback_id for op in engine.operations("a") if op.callback_id), None)
        if end == "success":
            engine.send_callback_success(callback_id, "yes")
            assert engine.result("a", timeout=60) == "yes"
        else:
            engine.send_callback_failure(callback_id, "no", error_type="Refusal")
            with pytest.raises(ExecutionEnded):
                engine.result("a", timeout=60)
        same(engine, "a", tmp_path)


def test_stopped(tmp_path: Path) -> None:
    with Engine(tmp_path / "store.db") as engine:
        engine.create(asks, {}, name="a")
        engine.stop("a", "enough")
        same(engine, "a", tmp_path)


# --- single events ---


def event(number: int, kind: str, operation_id: str = "op", **details: Any) -> dict[str, Any]:
    return {
        "EventId": number,
        "EventType": kind,
        "EventTimestamp": datetime.fromtimestamp(1_700_000_000 + number, UTC),
        "Id": operation_id,
        f"{kind}Details": details,
    }


START = event(1, "ExecutionStarted", "f4a1", Input={"Payload": "{}", "Truncated": False}, ExecutionTimeout=10)


@pytest.mark.parametrize(
    ("started", "ended", "status", "details"),
    [
        ("StepStarted", ("StepSucceeded", {"Result": {"Payload": "1"}, "RetryDetails": {"CurrentAttempt": 1}}),
         "SUCCEEDED", {"Attempt": 1, "Result": "1"}),
        ("StepStarted", ("StepSucceeded", {"Result": {}, "RetryDetails": {"CurrentAttempt": 1}}),
         "SUCCEEDED", {"Attempt": 1}),
        ("StepStarted", ("StepFailed", {"Error": {"Payload": {"ErrorType": "E"}}, "RetryDetails": {"CurrentAttempt": 2,
         "NextAttemptDelaySeconds": 0}}), "FAILED", {"Attempt": 2, "Error": {"ErrorType": "E"}}),
        ("StepStarted", ("StepFailed", {"Error": {"Payload": {"ErrorType": "E"}}, "RetryDetails": {"CurrentAttempt": 2,
         "NextAttemptDelaySeconds": 5}}), "PENDING",
         {"Attempt": 2, "Error": {"ErrorType": "E"}, "NextAttemptTimestamp": 1_700_000_008_000}),
        ("StepStarted", ("StepSucceeded", {"Result": {"Payload": "8"}, "RetryDetails": {"CurrentAttempt": 1,
         "NextAttemptDelaySeconds": 5}}), "PENDING",
         {"Attempt": 1, "Result": "8", "NextAttemptTimestamp": 1_700_000_008_000}),
        ("ContextStarted", ("ContextSucceeded", {"Result": {"Payload": "1"}}), "SUCCEEDED", {"Result": "1"}),
        ("ContextStarted", ("ContextSucceeded", {"Result": {"Payload": ""}}), "SUCCEEDED",
         {"Result": "", "ReplayChildren": True}),
        ("ContextStarted", ("ContextFailed", {"Error": {"Payload": {"ErrorType": "E"}}}), "FAILED",
         {"Error": {"ErrorType": "E"}}),
        ("WaitStarted", ("WaitSucceeded", {"Duration": 1}), "SUCCEEDED", None),
        ("WaitStarted", ("WaitCancelled", {}), "CANCELLED", None),
        ("CallbackStarted", ("CallbackSucceeded", {"Result": {"Payload": "y"}}), "SUCCEEDED", {"Result": "y"}),
        ("CallbackStarted", ("CallbackFailed", {"Error": {"Payload": {"ErrorType": "E"}}}), "FAILED",
         {"Error": {"ErrorType": "E"}}),
        ("CallbackStarted", ("CallbackTimedOut", {"Error": {"Payload": {"ErrorType": "E"}}}), "TIMED_OUT",
         {"Error": {"ErrorType": "E"}}),
        ("ChainedInvokeStarted", ("ChainedInvokeSucceeded", {"Result": {"Payload": "y"}}), "SUCCEEDED",
         {"Result": "y"}),
        ("ChainedInvokeStarted", ("ChainedInvokeFailed", {"Error": {"Payload": {"ErrorType": "E"}}}), "FAILED",
         {"Error": {"ErrorType": "E"}}),
        ("ChainedInvokeStarted", ("ChainedInvokeTimedOut", {"Error": {"Payload": {"ErrorType": "E"}}}), "TIMED_OUT",
         {"Error": {"ErrorType": "E"}}),
        ("ChainedInvokeStarted", ("ChainedInvokeStopped", {"Error": {"Payload": {"ErrorType": "E"}}}), "STOPPED",
         {"Error": {"ErrorType": "E"}}),
    ],
)  # fmt: skip
def test_how_an_operation_stands(
    started: str, ended: tuple[str, dict[str, Any]], status: str, details: dict[str, Any] | None
) -> None:
    kind, said = ended
    derived = operations_of(ARN, [START, event(2, started), event(3, kind, **said)])
    _, record = derived.operations
    assert record["Status"] == status
    found = next((value for key, value in record.items() if key.endswith("Details")), None)
    assert found == details
    assert record.get("EndTimestamp") == (None if status == "PENDING" else 1_700_000_003_000)
    assert (derived.status, derived.problem) == ("RUNNING", None)


def test_every_event_type_of_the_service_is_known() -> None:
    import botocore.session

    model = botocore.session.get_session().get_service_model("lambda")
    for number, kind in enumerate(model.shape_for("EventType").enum, 2):
        rest = [event(filler, "InvocationCompleted") for filler in range(2, number)]
        assert operations_of(ARN, [START, *rest, event(number, kind)]).problem is None, kind


def test_who_it_is() -> None:
    child = event(3, "StepStarted", "s") | {"ParentId": "c", "Name": "n", "SubType": "Step"}
    _, context, step = operations_of(ARN, [child, event(2, "ContextStarted", "c"), START]).operations
    assert context["Id"] == "c"
    assert (step["ParentId"], step["Name"], step["SubType"], step["Type"]) == ("c", "n", "Step", "STEP")


def test_what_is_truncated_is_unreadable() -> None:
    events = [
        event(1, "ExecutionStarted", "f4a1", Input={"Truncated": True}, ExecutionTimeout=10),
        event(2, "StepStarted", "a"),
        event(
            3, "StepSucceeded", "a", Result={"Payload": '{"x', "Truncated": True}, RetryDetails={"CurrentAttempt": 1}
        ),
        event(4, "ContextStarted", "b"),
        event(5, "ContextFailed", "b", Error={"Payload": {"ErrorType": "E"}, "Truncated": True}),
    ]
    derived = operations_of(ARN, events)
    assert derived.unreadable == {"f4a1": "truncated", "a": "truncated", "b": "truncated"}
    execution, step, context = derived.operations
    assert execution["ExecutionDetails"] == {}
    assert step["StepDetails"] == {"Attempt": 1}
    assert context["ContextDetails"] == {"Error": {"ErrorType": "E"}}
    assert "f4a1" not in operations_of(ARN, events, input_payload="{}").unreadable


def test_a_finished_context_with_children_is_uncertain() -> None:
    def history(payload: str) -> list[dict[str, Any]]:
        return [
            START,
            event(2, "ContextStarted", "c"),
            event(3, "StepStarted", "s") | {"ParentId": "c"},
            event(4, "ContextSucceeded", "c", Result={"Payload": payload}),
        ]

    assert operations_of(ARN, history('"whole"')).uncertain == ["c"]
    assert operations_of(ARN, history("")).uncertain == []
    summary = json.dumps({"type": "MapResult", "totalCount": 3})
    derived = operations_of(ARN, history(summary))
    assert derived.uncertain == []
    assert derived.operations[1]["ContextDetails"]["ReplayChildren"]


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ("", True),
        (None, False),
        ('"text"', False),
        ('{"type": "ParallelResult", "totalCount": 0}', True),
        ('{"type": "MapResult", "totalCount": "3"}', False),
        ('{"totalCount": 3}', False),
        ('{"totalCount"', False),
    ],
)
def test_what_stands_in_for_a_large_result(payload: str | None, says: bool) -> None:
    assert is_no_result(payload) is says


def test_gaps_and_news_are_problems() -> None:
    assert operations_of(ARN, []).problem == "it has no events"
    assert operations_of(ARN, [START, event(3, "StepStarted")]).problem == "event 2 of it is missing"
    assert "'StepPondered'" in (operations_of(ARN, [START, event(2, "StepPondered")]).problem or "")
    assert operations_of(ARN, [START, START]).problem is None


def test_events_of_boto3_become_plain() -> None:
    assert plain_event(event(2, "WaitStarted", ScheduledEndTimestamp=datetime.fromtimestamp(5, UTC))) == {
        "EventId": 2,
        "EventType": "WaitStarted",
        "EventTimestamp": 1_700_000_002_000,
        "Id": "op",
        "WaitStartedDetails": {"ScheduledEndTimestamp": 5000},
    }
