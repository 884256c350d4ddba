"""What a history does not hold never makes a check say more than it may: over recorded histories of every operation."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.replay import History, check, read
from tests.compat import scenarios
from tests.compat.sdk import Sdk
from tests.house.sources import ROOT

HISTORIES = [*read(ROOT / "tests" / "histories" / "official-3.0.0")]
SUBSETS = 6


def name_of(history: History) -> str:
    return Path(history.name).stem


def handler_of(history: History) -> Callable[..., Any]:
    body = scenarios.REGISTRY[name_of(history)].body
    sdk = Sdk("durable_execution_sdk")

    @durable_execution
    def handler(event: Any, context: DurableContext) -> Any:
        return body(sdk, event, context)

    return handler


def hidden(history: History, ids: Collection[str], why: str) -> History:
    operations = []
    absent = {}
    for record in history.operations:
        details = next((key for key in record if key.endswith("Details")), None)
        taken = {"Result", "Error", "InputPayload"} & set(record[details] or {} if details else {})
        taken = {key for key in taken if record[details][key] not in (None, "null")} if details else set()
        if record["Id"] in ids and taken:
            kept = {key: value for key, value in record[details].items() if key not in taken}
            operations.append({**record, details: kept})
            absent[record["Id"]] = why
        else:
            operations.append(record)
    return replace(history, operations=operations, unreadable=absent)


def silent(history: History) -> History:
    """As AWS tells it, without `ReplayChildren`."""
    parents = {record.get("ParentId") for record in history.operations}
    operations = []
    uncertain = []
    for record in history.operations:
        details = record.get("ContextDetails")
        if details is not None and record["Status"] == "SUCCEEDED" and record["Id"] in parents:
            kept = {key: value for key, value in details.items() if key != "ReplayChildren"}
            operations.append({**record, "ContextDetails": kept})
            uncertain.append(record["Id"])
        else:
            operations.append(record)
    return replace(history, operations=operations, uncertain=uncertain)


@pytest.mark.parametrize("history", HISTORIES, ids=name_of)
def test_no_verdict_hangs_on_what_is_not_there(history: History) -> None:
    handler = handler_of(history)
    whole = check(handler, history)
    ids = [record["Id"] for record in history.operations]
    chance = random.Random(name_of(history))
    subsets = [ids, *(chance.sample(ids, chance.randrange(1, len(ids) + 1)) for _ in range(SUBSETS))]
    for number, subset in enumerate(subsets):
        report = check(handler, hidden(history, subset, "masked" if number % 2 else "truncated"))
        assert report.verdict in {whole.verdict, "not checkable"}, (subset, report)
        assert report.agreed <= whole.agreed


@pytest.mark.parametrize("history", HISTORIES, ids=name_of)
def test_no_verdict_hangs_on_what_aws_does_not_tell(history: History) -> None:
    handler = handler_of(history)
    report = check(handler, silent(history))
    assert report.verdict in {check(handler, history).verdict, "not checkable"}, report


def test_most_of_what_aws_tells_can_be_checked() -> None:
    checked = [check(handler_of(history), silent(history)) for history in HISTORIES]
    assert sum(report.verdict != "not checkable" for report in checked) >= 0.9 * len(checked), [
        (report.history, report.note) for report in checked if report.verdict == "not checkable"
    ]
