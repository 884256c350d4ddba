"""The agent of examples/: approved, refused, and out of time."""

from __future__ import annotations

import pytest
from examples.agent import workflow

from durable_execution_sdk.engine import Engine, VirtualClock


@pytest.fixture(autouse=True)
def outbox() -> list[str]:
    workflow.OUTBOX.clear()
    return workflow.OUTBOX


@pytest.mark.parametrize(("answer", "ends"), [("yes", "booked a trip to Lisbon"), ("no", "nothing booked")])
def test_a_human_decides(answer: str, ends: str) -> None:
    with Engine() as engine:
        execution = engine.start(workflow.agent, {"question": "where is it warm?"})
        handled: set[str] = set()
        while not engine.describe(execution.arn).is_ended:
            open_ids = [
                operation.callback_id
                for operation in engine.operations(execution.arn)
                if operation.callback_id is not None and operation.status == "STARTED"
            ]
            for callback_id in set(open_ids) - handled:
                handled.add(callback_id)
                engine.send_callback_success(callback_id, answer)
        assert engine.result(execution.arn, timeout=30) == ends
        names = [operation.name for operation in engine.operations(execution.arn)]
        assert {"weather Lisbon", "weather Oslo", "weather Vienna"} <= set(names)


def test_the_budget_runs_out() -> None:
    with Engine(clock=VirtualClock()) as engine:
        assert engine.run(workflow.agent, {"question": "where is it warm?", "budget_hours": 2}) == (
            "the budget of time is used up"
        )
