"""The summary of a large batch."""

from __future__ import annotations

import json

import pytest

from durable_execution_sdk._model.batch import BatchItem, BatchResult
from durable_execution_sdk._model.completion import BatchItemStatus, CompletionReason
from durable_execution_sdk._operations.batch_record import CompletionRecord, summary_writer

STATUS = {"S": BatchItemStatus.SUCCEEDED, "F": BatchItemStatus.FAILED, "-": BatchItemStatus.STARTED}


def result(picture, reason=CompletionReason.ALL_COMPLETED):
    return BatchResult([BatchItem(i, STATUS[mark]) for i, mark in enumerate(picture)], reason)


def test_the_text_is_that_of_the_official_sdk():
    write = summary_writer("Map", lambda batch: f"S{batch.total_count}")
    assert write(result("SSS")) == (
        '{"type": "MapResult", "totalCount": 3, "completionReason": "ALL_COMPLETED", "startedIndexes": [],'
        ' "startedCount": 0, "successCount": 3, "failureCount": 0, "status": "SUCCEEDED", "summary": "S3"}'
    )


def test_without_a_generator_there_is_no_summary():
    assert "summary" not in json.loads(summary_writer("Parallel", None)(result("S")))


def test_a_summary_is_made_text():
    assert json.loads(summary_writer("Map", lambda batch: 7)(result("S")))["summary"] == "7"


@pytest.mark.parametrize(
    ("picture", "key", "indexes"),
    [("SF--", "startedIndexes", [2, 3]), ("S--", "completedIndexes", [0]), ("S-S", "startedIndexes", [1])],
)
def test_the_shorter_list_is_written(picture, key, indexes):
    data = json.loads(summary_writer("Map", None)(result(picture)))
    assert data[key] == indexes
    assert len({"startedIndexes", "completedIndexes"} & set(data)) == 1


@pytest.mark.parametrize("picture", ["", "S", "-", "SF-", "S---", "----", "FFF-"])
def test_what_is_written_can_be_read(picture):
    reason = CompletionReason.MIN_SUCCESSFUL_REACHED
    record = CompletionRecord.from_summary_payload(summary_writer("Map", None)(result(picture, reason)))
    started = frozenset(index for index, mark in enumerate(picture) if mark == "-")
    assert record == CompletionRecord(reason, len(picture), started)


GOOD = {"totalCount": 3, "completionReason": "ALL_COMPLETED", "startedIndexes": [1]}


@pytest.mark.parametrize(
    "payload",
    [
        None,
        "",
        "{",
        "[]",
        "7",
        "null",
        "[" * 100_000,
        *(
            json.dumps(GOOD | change)
            for change in (
                {"totalCount": "3"},
                {"totalCount": True},
                {"totalCount": -1},
                {"totalCount": 3.0},
                {"totalCount": None},
                {"completionReason": "BORED"},
                {"completionReason": None},
                {"completionReason": []},
                {"startedIndexes": [3]},
                {"startedIndexes": [-1]},
                {"startedIndexes": [True]},
                {"startedIndexes": ["1"]},
                {"startedIndexes": [3], "completedIndexes": [0]},
                {"startedIndexes": None},
                {"startedIndexes": None, "completedIndexes": [0, 7]},
                {"startedIndexes": {}, "completedIndexes": "0"},
            )
        ),
    ],
)
def test_what_is_malformed_counts_as_missing(payload):
    assert CompletionRecord.from_summary_payload(payload) is None


def test_unknown_keys_are_of_no_account():
    record = CompletionRecord.from_summary_payload(json.dumps(GOOD | {"later": 1}))
    assert record is not None
    assert record.started_indexes == {1}
