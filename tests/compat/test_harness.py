"""The harness itself: what it must notice, and that the official SDK agrees with itself through it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.compat.harness import assert_identical, by_operation, run
from tests.compat.service import Outcome, Script, Service, ServiceError
from tests.compat.sides import Worker

STEP = {"Id": "a", "Type": "STEP", "Action": "START", "Name": "s", "SubType": "Step"}


def checkpoint(service: Service, *updates: dict[str, Any]) -> dict[str, Any]:
    return service.checkpoint({"CheckpointToken": service.token, "Updates": list(updates)})


@pytest.mark.parametrize("name", ["nested_children", "callbacks_answered", "wait_for_callback"])
def test_the_official_sdk_agrees_with_itself(name: str, official: Worker) -> None:
    assert_identical(run(name, [official]), run(name, [official]))


def test_a_differing_update_is_noticed(official: Worker) -> None:
    found = run("three_steps", [official])
    key = next(iter(found.updates))
    changed = {**found.updates, key: [*found.updates[key][:-1], {**found.updates[key][-1], "Payload": "1"}]}
    with pytest.raises(AssertionError, match="step 0"):
        assert_identical(replace(found, updates=changed), found)


def test_an_operation_too_many_is_noticed(official: Worker) -> None:
    found = run("three_steps", [official])
    with pytest.raises(AssertionError, match="only we have"):
        assert_identical(replace(found, updates={**found.updates, "extra": [STEP]}), found)


def test_a_child_before_its_parent_is_noticed() -> None:
    with pytest.raises(AssertionError, match="precedes"):
        by_operation([{**STEP, "ParentId": "p"}])


def test_the_service_refuses_what_is_illegal() -> None:
    service = Service("{}")
    checkpoint(service, STEP, {**STEP, "Action": "SUCCEED", "Payload": "1"})
    with pytest.raises(ServiceError, match="illegal from SUCCEEDED"):
        checkpoint(service, STEP)
    with pytest.raises(ServiceError, match="never started"):
        checkpoint(service, {**STEP, "Id": "b", "ParentId": "p"})
    with pytest.raises(ServiceError, match="token"):
        service.checkpoint({"CheckpointToken": "token-0", "Updates": []})
    with pytest.raises(ServiceError, match="nothing is pending"):
        service.pass_time()


def test_a_retry_becomes_ready_and_keeps_its_count() -> None:
    service = Service("{}")
    retry = {**STEP, "Action": "RETRY", "Error": {"ErrorMessage": "m"}, "StepOptions": {"NextAttemptDelaySeconds": 30}}
    checkpoint(service, STEP, retry)
    assert service.operations["a"]["Status"] == "PENDING"
    before = service.now_ms()
    assert service.pass_time() == "timer"
    assert service.now_ms() - before >= 29_000
    assert service.operations["a"]["Status"] == "READY"
    assert service.operations["a"]["StepDetails"]["Attempt"] == 1


def test_the_world_outside_answers_while_nothing_runs() -> None:
    service = Service("{}", Script(callbacks={"cb": Outcome(result="yes")}))
    checkpoint(service, {"Id": "c", "Type": "CALLBACK", "Action": "START", "Name": "cb", "SubType": "Callback"})
    assert service.pass_time() == "callback cb"
    assert service.operations["c"]["CallbackDetails"]["Result"] == "yes"


def test_what_is_inside_a_finished_context_is_not_returned() -> None:
    service = Service("{}")
    context = {"Id": "p", "Type": "CONTEXT", "Action": "START", "Name": "p", "SubType": "RunInChildContext"}
    inner = {**STEP, "ParentId": "p"}
    done = {**context, "Action": "SUCCEED", "Payload": "1", "ContextOptions": {"ReplayChildren": False}}
    checkpoint(service, context, inner, {**inner, "Action": "SUCCEED", "Payload": "1"}, done)
    assert [record["Id"] for record in service.visible()][1:] == ["p"]
