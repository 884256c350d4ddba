"""What masking takes out of a recording, and what a check makes of the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.config import MapConfig, StepConfig
from durable_execution_sdk.engine import Engine, ExecutionEnded
from durable_execution_sdk.replay import Recording, check, history_from, masked, record_store
from durable_execution_sdk.replay.masking import matches
from durable_execution_sdk.retries import RetryDecision

ONCE = StepConfig(retry_strategy=lambda error, attempt: RetryDecision.no_retry())


@durable_execution
def shop(event: Any, context: DurableContext) -> Any:
    def pay(child: DurableContext) -> Any:
        child.step(lambda _: None, name="check")
        return child.run_in_child_context(lambda inner: inner.step(lambda _: "card 4111", name="card"), name="inner")

    context.step(lambda _: "shelf 12", name="reserve")
    context.run_in_child_context(pay, name="pay")
    context.invoke("billing", {"amount": "price 99"}, name="bill")
    return "card 4111"


def billing(event: Any, lambda_context: Any) -> Any:
    return "invoice 5"


@durable_execution
def declined(event: Any, context: DurableContext) -> None:
    def refuse(_: Any) -> None:
        raise ValueError("card 4111 is refused")

    context.run_in_child_context(lambda child: child.step(refuse, name="card", config=ONCE), name="pay")


@durable_execution
def many(event: Any, context: DurableContext) -> None:
    config: Any = MapConfig(summary_generator=lambda result: "card 4111")
    context.map([1, 2, 3], lambda c, i, n, a: c.step(lambda _: "card 4111 " * 20_000, name="card"), "m", config)
    context.step(lambda _: "shelf 12", name="reserve")


def recorded(tmp_path: Path, handler: Any) -> Recording:
    store = tmp_path / "store.db"
    with Engine(store, time_scale=0, functions={"billing": billing}) as engine:
        if handler is declined:
            with pytest.raises(ExecutionEnded):
                engine.run(handler, {"for": "Ms Gray"}, name="one")
        else:
            engine.run(handler, {"for": "Ms Gray"}, name="one")
    [recording] = record_store(store, "one")
    return recording


def text_of(recording: Recording) -> str:
    return json.dumps(recording.to_dict())


SECRETS = ("Ms Gray", "shelf 12", "card 4111", "price 99", "invoice 5")


def left(recording: Recording) -> set[str]:
    return {secret for secret in SECRETS if secret in text_of(recording)}


@pytest.mark.parametrize(
    ("patterns", "keep_input", "stays"),
    [
        ([], False, {*SECRETS}),
        (["*"], False, set()),
        (["*"], True, {"Ms Gray"}),
        (["card"], False, {"Ms Gray", "shelf 12", "price 99", "invoice 5"}),
        (["ca?d"], False, {"Ms Gray", "shelf 12", "price 99", "invoice 5"}),
        (["pay"], False, {"Ms Gray", "shelf 12", "price 99", "invoice 5"}),
        (["bi*"], False, {"Ms Gray", "shelf 12", "card 4111"}),
        (["res*", "bill"], False, {"Ms Gray", "card 4111"}),
        (["nothing"], False, {*SECRETS}),
    ],
)
def test_what_stays(tmp_path: Path, patterns: list[str], keep_input: bool, stays: set[str]) -> None:
    recording = recorded(tmp_path, shop)
    hidden = masked(recording, patterns, keep_input=keep_input)
    assert left(hidden) == stays
    assert Recording.from_dict(json.loads(text_of(hidden))) == hidden
    assert check(shop, history_from(hidden)).verdict == "clean"
    assert [record["Id"] for record in hidden.operations] == [record["Id"] for record in recording.operations]


def test_null_is_not_masked_and_types_of_errors_are_not(tmp_path: Path) -> None:
    recording = masked(recorded(tmp_path / "a", shop), ["*"])
    names = {record.get("Name"): record for record in recording.operations}
    assert names["check"]["StepDetails"]["Result"] == "null"
    assert names["check"]["Id"] not in recording.unreadable
    assert recording.unreadable[names["card"]["Id"]] == "masked"
    failed = masked(recorded(tmp_path / "b", declined), ["card"])
    assert "4111" not in text_of(failed)
    names = {record.get("Name"): record for record in failed.operations}
    assert set(names["card"]["StepDetails"]["Error"]) == {"ErrorType"}
    assert names["pay"]["Id"] in failed.unreadable
    assert set(failed.execution["Error"]) == {"ErrorType"}
    assert check(declined, history_from(failed)).verdict == "not checkable"


def test_how_a_large_batch_ended_is_kept(tmp_path: Path) -> None:
    recording = masked(recorded(tmp_path, many), ["*"])
    assert left(recording) == set()
    [batch] = [record for record in recording.operations if record.get("Name") == "m"]
    assert json.loads(batch["ContextDetails"]["Result"])["totalCount"] == 3
    assert batch["Id"] not in recording.unreadable
    assert check(many, history_from(recording)).verdict == "clean"


def test_a_change_is_found_in_what_was_masked(tmp_path: Path) -> None:
    @durable_execution
    def changed(event: Any, context: DurableContext) -> None:
        context.step(lambda _: "shelf 12", name="hold")

    report = check(changed, history_from(masked(recorded(tmp_path, shop), ["*"])))
    assert (report.verdict, report.recorded, report.attempted) == ("diverged", "Step 'reserve'", "Step 'hold'")


def test_which_patterns_match(tmp_path: Path) -> None:
    recording = recorded(tmp_path, shop)
    assert [matches(recording, pattern) for pattern in ("*", "c*d", "Card", "pay")] == [True, True, False, True]
