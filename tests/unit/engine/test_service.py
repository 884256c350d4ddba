"""The two calls of handlers, seen from the wire: tokens, repeated requests, pages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from durable_execution_sdk.engine.clock import VirtualClock
from durable_execution_sdk.engine.commits import Commits
from durable_execution_sdk.engine.driving import Done, Driving, Invoke, Wait
from durable_execution_sdk.engine.errors import InvalidParameterValue
from durable_execution_sdk.engine.records import Answered, Ended
from durable_execution_sdk.engine.service import Service
from durable_execution_sdk.engine.sqlite import SqliteStore


class Side:
    """An execution, and what a handler's SDK would send for it."""

    def __init__(self) -> None:
        self.clock = VirtualClock(1_000_000)
        store = SqliteStore(None)
        commits = Commits(store, self.clock)
        self.service, self.driving, self.store = Service(commits), Driving(commits), store
        self.execution_id = self.service.start("f", '{"x":1}', name="n").execution_id
        self.begin()

    def begin(self) -> None:
        assert self.driving.next_action(self.execution_id) == Invoke()
        self.event = self.driving.begin(self.execution_id).event
        self.arn: str = self.event["DurableExecutionArn"]
        self.token: str = self.event["CheckpointToken"]

    def send(self, *updates: dict[str, Any], client_token: str = "c", token: str | None = None) -> dict[str, Any]:
        body = {"CheckpointToken": token or self.token, "ClientToken": client_token, "Updates": updates}
        answer: dict[str, Any] = json.loads(self.service.checkpoint(self.arn, json.dumps(body).encode()))
        if token is None and "CheckpointToken" in answer:
            self.token = answer["CheckpointToken"]
        return answer

    def ids(self, answer: dict[str, Any]) -> list[str]:
        return [operation["Id"] for operation in answer["NewExecutionState"]["Operations"]]


@pytest.fixture
def side() -> Iterator[Side]:
    side = Side()
    yield side
    side.store.close()


def step(name: str, action: str, **more: Any) -> dict[str, Any]:
    return {"Id": name, "Type": "STEP", "Action": action, **more}


def wait(name: str, seconds: int) -> dict[str, Any]:
    return {"Id": name, "Type": "WAIT", "Action": "START", "WaitOptions": {"WaitSeconds": seconds}}


def test_a_token_is_good_for_one_checkpoint(side: Side) -> None:
    first = side.token
    side.send(step("a", "START"))
    assert side.token != first
    with pytest.raises(InvalidParameterValue, match="Invalid checkpoint token: it was used already"):
        side.send(step("b", "START"), token=first, client_token="other")
    side.send(step("b", "START"))
    with pytest.raises(InvalidParameterValue, match="Invalid checkpoint token: it was used already"):
        side.send(step("a", "START"), token=first)


def test_a_repeated_request_gets_the_same_answer_and_is_applied_once(side: Side) -> None:
    first = side.token
    update = step("a", "RETRY", StepOptions={"NextAttemptDelaySeconds": 5})
    answer = side.send(update, client_token="once")
    again = side.send(update, client_token="once", token=first)
    assert again == answer
    assert answer["NewExecutionState"]["Operations"][0]["StepDetails"]["Attempt"] == 1


def test_the_last_checkpoint_can_be_repeated_too(side: Side) -> None:
    first = side.token
    end = {"Id": "execution-result-1", "Type": "EXECUTION", "Action": "SUCCEED", "Payload": "7"}
    answer = side.send(end, client_token="last")
    assert "CheckpointToken" not in answer
    assert side.send(end, client_token="last", token=first) == answer
    with pytest.raises(InvalidParameterValue, match="Invalid checkpoint token: the execution has ended"):
        side.service.state(side.arn, first, None, 10)


def test_tokens_of_others_are_refused(side: Side) -> None:
    old = side.token
    side.send(wait("w", 1))
    side.driving.finish(side.execution_id, Answered("PENDING"))
    with pytest.raises(InvalidParameterValue, match="its invocation is over"):
        side.send(step("a", "START"))
    side.clock.advance(1000)
    side.begin()
    for token in (old, "AAAA", "nonsense!"):
        with pytest.raises(InvalidParameterValue, match="Invalid checkpoint token"):
            side.send(step("a", "START"), token=token)
    with pytest.raises(InvalidParameterValue, match="another execution"):
        side.service.checkpoint(side.arn + "x", json.dumps({"CheckpointToken": side.token}).encode())


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"CheckpointToken": 7}', b'{"ClientToken": 7}'])
def test_bodies_that_are_none(side: Side, body: bytes) -> None:
    with pytest.raises(InvalidParameterValue):
        side.service.checkpoint(side.arn, body)


def test_a_refused_batch_changes_nothing(side: Side) -> None:
    token = side.token
    with pytest.raises(InvalidParameterValue, match="'b'"):
        side.send(step("a", "START"), step("b", "RETRY"))
    assert side.ids(side.send(token=token)) == []


def test_due_timers_show_in_the_answer(side: Side) -> None:
    side.send(wait("w", 5), step("s", "RETRY", StepOptions={"NextAttemptDelaySeconds": 3}))
    assert side.ids(side.send()) == []
    side.clock.advance(5000)
    operations = side.send()["NewExecutionState"]["Operations"]
    assert [(one["Id"], one["Status"]) for one in operations] == [("s", "READY"), ("w", "SUCCEEDED")]
    assert operations[1]["EndTimestamp"] == 1005.0
    assert side.ids(side.send()) == []


def test_a_change_not_seen_leads_to_another_invocation(side: Side) -> None:
    side.send({"Id": "c", "Type": "CALLBACK", "Action": "START"}, {"Id": "d", "Type": "CALLBACK", "Action": "START"})
    with side.store.read() as transaction:
        callback = transaction.operation(side.execution_id, "c")
    assert callback is not None
    assert callback.callback_id is not None
    side.service.end_callback(callback.callback_id, Ended("SUCCEEDED", result="r"))
    side.driving.finish(side.execution_id, Answered("PENDING"))
    side.begin()
    assert side.event["UpdatedOperationIds"] == ["c"]
    side.driving.finish(side.execution_id, Answered("PENDING"))
    assert isinstance(side.driving.next_action(side.execution_id), Wait), "seen, and the other callback is open"


def test_a_change_seen_after_its_branch_was_suspended_leads_to_another_invocation(side: Side) -> None:
    side.send({"Id": "c", "Type": "CALLBACK", "Action": "START"}, wait("w", 86_400))
    with side.store.read() as transaction:
        callback = transaction.operation(side.execution_id, "c")
    assert callback is not None
    side.service.end_callback(callback.callback_id or "", Ended("SUCCEEDED", result="r"))
    assert "c" in side.ids(side.send(step("s", "SUCCEED"))), "told with the answer to another branch's checkpoint"
    side.driving.finish(side.execution_id, Answered("PENDING"))
    side.begin()
    side.driving.finish(side.execution_id, Answered("PENDING"))
    assert isinstance(side.driving.next_action(side.execution_id), Wait), "nothing has ended since"


def test_pending_with_nothing_pending_fails_after_three(side: Side) -> None:
    for _ in range(2):
        side.driving.finish(side.execution_id, Answered("PENDING"))
        waiting = side.driving.next_action(side.execution_id)
        assert isinstance(waiting, Wait)
        side.clock.advance(5000)
        side.begin()
    side.driving.finish(side.execution_id, Answered("PENDING"))
    done = side.driving.next_action(side.execution_id)
    assert isinstance(done, Done)
    assert done.execution.status == "FAILED"
    assert "nothing pending" in str(side.service.outcome(side.execution_id).error)


def test_state_of_a_condition_survives_a_crash_after_start(side: Side) -> None:
    side.send(step("s", "RETRY", Payload="41", StepOptions={"NextAttemptDelaySeconds": 1}))
    side.clock.advance(1000)
    side.send()
    details = side.send(step("s", "START"))["NewExecutionState"]["Operations"][0]
    assert (details["Status"], details["StepDetails"]) == ("STARTED", {"Attempt": 1, "Result": "41"})


def test_a_large_history_comes_in_pages(side: Side) -> None:
    text = "x" * 1_000_000
    for number in range(12):
        side.send(step(f"s{number}", "SUCCEED", Payload=text))
    side.send(wait("w", 1))
    side.driving.finish(side.execution_id, Answered("PENDING"))
    side.clock.advance(1000)
    side.begin()
    state = side.event["InitialExecutionState"]
    found = [operation["Id"] for operation in state["Operations"]]
    assert found[0] == side.execution_id
    assert 5 <= len(found) <= 6
    marker, pages = state["NextMarker"], 0
    while marker is not None:
        page = json.loads(side.service.state(side.arn, side.token, marker, 1000))
        found += [operation["Id"] for operation in page["Operations"]]
        marker, pages = page.get("NextMarker"), pages + 1
    assert found == [side.execution_id, *(f"s{number}" for number in range(12)), "w"]
    assert pages == 2
    few = json.loads(side.service.state(side.arn, side.token, None, 2))
    assert (len(few["Operations"]), "NextMarker" in few) == (2, True)
    with pytest.raises(InvalidParameterValue, match="marker 'z9'"):
        side.service.state(side.arn, side.token, "z9", 10)


def test_a_large_answer_comes_in_pages(side: Side) -> None:
    callbacks = [{"Id": f"c{number}", "Type": "CALLBACK", "Action": "START"} for number in range(8)]
    answer = side.send(*callbacks)
    for operation in answer["NewExecutionState"]["Operations"]:
        callback_id = operation["CallbackDetails"]["CallbackId"]
        side.service.end_callback(callback_id, Ended("SUCCEEDED", result="x" * 1_000_000))
    state = side.send()["NewExecutionState"]
    found = [operation["Id"] for operation in state["Operations"]]
    page = json.loads(side.service.state(side.arn, side.token, state["NextMarker"], 1000))
    assert [*found, *(operation["Id"] for operation in page["Operations"])] == [f"c{number}" for number in range(8)]


def test_children_of_a_finished_context_are_not_sent_again(side: Side) -> None:
    context = {"Id": "c", "Type": "CONTEXT", "Action": "START"}
    replayed = {"Id": "r", "Type": "CONTEXT", "Action": "START"}
    side.send(context, step("a", "SUCCEED", ParentId="c"), replayed, step("b", "SUCCEED", ParentId="r"))
    side.send(
        {"Id": "c", "Type": "CONTEXT", "Action": "SUCCEED"},
        {"Id": "r", "Type": "CONTEXT", "Action": "SUCCEED", "ContextOptions": {"ReplayChildren": True}},
        wait("w", 1),
    )
    side.driving.finish(side.execution_id, Answered("PENDING"))
    side.clock.advance(1000)
    side.begin()
    operations = side.event["InitialExecutionState"]["Operations"]
    assert [operation["Id"] for operation in operations] == [side.execution_id, "c", "r", "b", "w"]
    assert operations[2]["ContextDetails"] == {"ReplayChildren": True}


def test_a_pause_withholds_the_token_and_resuming_goes_on(side: Side) -> None:
    side.service.pause(side.execution_id, "maintenance")
    answer = side.send(wait("w", 3600))
    assert "CheckpointToken" not in answer
    assert side.ids(answer) == ["w"], "what was sent is kept"
    side.driving.finish(side.execution_id, Answered("PENDING"))
    assert isinstance(side.driving.next_action(side.execution_id), Wait)
    side.service.unpause(side.execution_id)
    side.begin()
    assert side.send()["CheckpointToken"]


def test_a_pause_that_is_lifted_within_the_invocation_leads_to_another(side: Side) -> None:
    side.service.pause(side.execution_id)
    side.send(wait("w", 3600))
    side.service.unpause(side.execution_id)
    side.driving.finish(side.execution_id, Answered("PENDING"))
    assert side.driving.next_action(side.execution_id) == Invoke()


def test_a_stopped_execution_refuses_checkpoints_and_ignores_the_answer(side: Side) -> None:
    side.service.stop(side.execution_id)
    with pytest.raises(InvalidParameterValue, match=r"Invalid checkpoint token: the execution has ended \(STOPPED\)"):
        side.send(step("a", "START"))
    side.driving.finish(side.execution_id, Answered("SUCCEEDED", result="1"))
    done = side.driving.next_action(side.execution_id)
    assert isinstance(done, Done)
    assert done.execution.status == "STOPPED"


def test_a_heartbeat_restarts_only_its_own_timer(side: Side) -> None:
    options = {"TimeoutSeconds": 25, "HeartbeatTimeoutSeconds": 10}
    answer = side.send({"Id": "c", "Type": "CALLBACK", "Action": "START", "CallbackOptions": options})
    callback_id = answer["NewExecutionState"]["Operations"][0]["CallbackDetails"]["CallbackId"]
    side.driving.finish(side.execution_id, Answered("PENDING"))
    for due_s in (1010, 1019, 1025, 1025):
        waiting = side.driving.next_action(side.execution_id)
        assert isinstance(waiting, Wait)
        assert waiting.due_ms == due_s * 1000
        side.clock.advance(9_000 if due_s == 1010 else 7_000 if due_s == 1019 else 1_000)
        side.service.heartbeat(callback_id)
    side.clock.advance(8_000)
    assert side.driving.next_action(side.execution_id) == Invoke()
    with side.store.read() as transaction:
        record = transaction.operation(side.execution_id, "c")
    assert record is not None
    assert record.status == "TIMED_OUT"
    assert "Callback.Timeout" in str(record.error)
