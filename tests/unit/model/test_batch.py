"""Batch results, and the rule by which a batch ends."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_execution_sdk._policy.completion import CompletionPolicy
from durable_execution_sdk.concurrency.models import (
    BatchCompletionError,
    BatchItem,
    BatchItemStatus,
    BatchResult,
    CompletionReason,
    ConcurrentExecutionItem,
)
from durable_execution_sdk.config import (
    CompletionConfig,
    CompletionDecision,
    CompletionItemStatus,
    CompletionOutcome,
    CompletionStatus,
    complete_batch,
    continue_batch,
)
from durable_execution_sdk.exceptions import ChildContextError, SerDesError, StepError, ValidationError
from durable_execution_sdk.lambda_service import ErrorObject
from durable_execution_sdk.types import DurableExecutionArn

ERROR = ErrorObject("bad", "aws_durable_execution_sdk_python.exceptions.StepError", None, None)
GOOD = BatchItem(0, BatchItemStatus.SUCCEEDED, result=5)
BAD: BatchItem[int] = BatchItem(1, BatchItemStatus.FAILED, error=ERROR)
RUNNING: BatchItem[int] = BatchItem(2, BatchItemStatus.STARTED)
MIXED = BatchResult([GOOD, BAD, RUNNING], CompletionReason.FAILURE_TOLERANCE_EXCEEDED)
R = CompletionReason


def test_views() -> None:
    assert (MIXED.succeeded(), MIXED.failed(), MIXED.started()) == ([GOOD], [BAD], [RUNNING])
    assert (MIXED.success_count, MIXED.failure_count, MIXED.started_count, MIXED.total_count) == (1, 1, 1, 3)
    assert (MIXED.get_results(), MIXED.get_errors(), MIXED.has_failure) == ([5], [ERROR], True)


def test_none_is_a_result() -> None:
    assert BatchResult([BatchItem(0, BatchItemStatus.SUCCEEDED)], R.ALL_COMPLETED).get_results() == [None]


@pytest.mark.parametrize(
    ("items", "reason", "status"),
    [
        ([GOOD], R.ALL_COMPLETED, BatchItemStatus.SUCCEEDED),
        ([GOOD, BAD], R.ALL_COMPLETED, BatchItemStatus.FAILED),
        ([GOOD, BAD], R.CUSTOM_COMPLETION_SUCCEEDED, BatchItemStatus.SUCCEEDED),
        ([GOOD], R.CUSTOM_COMPLETION_FAILED, BatchItemStatus.FAILED),
        ([], R.ALL_COMPLETED, BatchItemStatus.SUCCEEDED),
    ],
)
def test_status(items: list[BatchItem[int]], reason: CompletionReason, status: BatchItemStatus) -> None:
    assert BatchResult(items, reason).status is status


def test_plain_data_and_back() -> None:
    plain = MIXED.to_dict()
    assert plain["completionReason"] == "FAILURE_TOLERANCE_EXCEEDED"
    assert plain["all"][1]["error"] == {"ErrorMessage": "bad", "ErrorType": ERROR.type}
    assert BatchResult.from_dict(plain) == MIXED
    assert pickle.loads(pickle.dumps(MIXED)) == MIXED


@pytest.mark.parametrize("reason", [{}, {"completionReason": None}])
def test_a_missing_reason_is_found_from_the_items(reason: dict[str, Any]) -> None:
    plain = {"all": MIXED.to_dict()["all"], **reason}
    assert BatchResult.from_dict(plain).completion_reason is R.FAILURE_TOLERANCE_EXCEEDED
    tolerant = CompletionConfig(min_successful=1)
    assert BatchResult.from_dict(plain, tolerant).completion_reason is R.MIN_SUCCESSFUL_REACHED


def test_bad_plain_data_is_refused() -> None:
    with pytest.raises(ValueError, match="NEVER"):
        BatchResult.from_dict({"all": [], "completionReason": "NEVER"})
    with pytest.raises(KeyError):
        BatchResult.from_dict({})


def test_the_first_failure_is_raised() -> None:
    with pytest.raises(ChildContextError) as caught:
        MIXED.throw_if_error()
    assert caught.value.message == "bad"
    assert isinstance(caught.value.__cause__, StepError)
    assert type(BAD.exception) is ChildContextError
    assert GOOD.exception is RUNNING.exception is None


def test_a_failure_without_a_recorded_error_is_raised_too() -> None:
    bare: BatchItem[int] = BatchItem(4, BatchItemStatus.FAILED)
    with pytest.raises(ChildContextError, match="item 4"):
        BatchResult([bare], R.ALL_COMPLETED).throw_if_error()


def test_a_serialization_failure_is_raised_as_itself() -> None:
    bad: BatchItem[int] = BatchItem(0, BatchItemStatus.FAILED, error=ErrorObject.from_exception(SerDesError("no form")))
    with pytest.raises(SerDesError, match="no form"):
        BatchResult([bad], R.ALL_COMPLETED).throw_if_error()


def test_a_declared_failure_is_raised() -> None:
    with pytest.raises(BatchCompletionError) as caught:
        BatchResult([GOOD], R.CUSTOM_COMPLETION_FAILED).throw_if_error()
    assert caught.value.completion_reason is R.CUSTOM_COMPLETION_FAILED
    BatchResult([GOOD], R.CUSTOM_COMPLETION_SUCCEEDED).throw_if_error()


def quorum(status: CompletionStatus) -> CompletionDecision:
    if status.failure_count >= 2:
        return complete_batch(CompletionOutcome.FAILED)
    return complete_batch() if status.success_count >= 2 else continue_batch()


@pytest.mark.parametrize(
    ("config", "total", "succeeded", "failed", "reason"),
    [
        (CompletionConfig(), 3, 2, 0, None),
        (CompletionConfig(), 3, 3, 0, R.ALL_COMPLETED),
        (CompletionConfig(), 3, 0, 1, R.FAILURE_TOLERANCE_EXCEEDED),
        (CompletionConfig(), 0, 0, 0, R.ALL_COMPLETED),
        (CompletionConfig(min_successful=2), 5, 1, 3, None),
        (CompletionConfig(min_successful=2), 5, 2, 1, R.MIN_SUCCESSFUL_REACHED),
        (CompletionConfig(min_successful=2), 2, 2, 0, R.ALL_COMPLETED),
        (CompletionConfig(tolerated_failure_count=1), 5, 0, 1, None),
        (CompletionConfig(tolerated_failure_count=1), 5, 0, 2, R.FAILURE_TOLERANCE_EXCEEDED),
        (CompletionConfig(tolerated_failure_percentage=40), 5, 0, 2, None),
        (CompletionConfig(tolerated_failure_percentage=40), 5, 0, 3, R.FAILURE_TOLERANCE_EXCEEDED),
        (CompletionConfig(tolerated_failure_percentage=0), 0, 0, 0, R.ALL_COMPLETED),
        (CompletionConfig(min_successful=1, tolerated_failure_count=0), 5, 1, 1, R.FAILURE_TOLERANCE_EXCEEDED),
        (CompletionConfig.all_completed(), 4, 1, 3, R.ALL_COMPLETED),
        (CompletionConfig.all_successful(), 4, 3, 1, R.FAILURE_TOLERANCE_EXCEEDED),
        (CompletionConfig.first_successful(), 4, 1, 2, R.MIN_SUCCESSFUL_REACHED),
        (CompletionConfig(should_complete=quorum), 5, 1, 1, None),
        (CompletionConfig(should_complete=quorum), 5, 2, 1, R.CUSTOM_COMPLETION_SUCCEEDED),
        (CompletionConfig(should_complete=quorum), 5, 1, 2, R.CUSTOM_COMPLETION_FAILED),
        (CompletionConfig(should_complete=quorum), 2, 1, 1, R.ALL_COMPLETED),
    ],
)
def test_why_a_batch_ends(
    config: CompletionConfig, total: int, succeeded: int, failed: int, reason: CompletionReason | None
) -> None:
    assert CompletionPolicy(total, config).reason_to_end(succeeded, failed) is reason


def test_the_predicate_sees_the_whole_batch_once() -> None:
    seen: list[CompletionStatus] = []
    config = CompletionConfig(should_complete=lambda status: seen.append(status) or continue_batch())
    items = (CompletionItemStatus(0, "a", BatchItemStatus.SUCCEEDED), CompletionItemStatus(1))
    assert CompletionPolicy(2, config).reason_to_end(1, 0, items) is None
    assert seen == [CompletionStatus(1, 0, 1, 2, items)]


def test_a_predicate_must_decide() -> None:
    config = CompletionConfig(should_complete=lambda status: status.success_count > 0)  # type: ignore[arg-type,return-value]  # refused, which is the point
    with pytest.raises(ValidationError, match="the result of should_complete must be a CompletionDecision, got: False"):
        CompletionPolicy(2, config).reason_to_end(0, 0)


@given(
    st.lists(st.sampled_from(BatchItemStatus), max_size=8),
    st.builds(
        CompletionConfig,
        min_successful=st.none() | st.integers(1, 5),
        tolerated_failure_count=st.none() | st.integers(0, 5),
        tolerated_failure_percentage=st.none() | st.integers(0, 100),
    ),
)
def test_a_result_survives_the_round_trip(statuses: list[BatchItemStatus], config: CompletionConfig) -> None:
    items = [
        BatchItem(index, status, result=index if status is BatchItemStatus.SUCCEEDED else None)
        for index, status in enumerate(statuses)
    ]
    result = BatchResult.from_items(items, config)
    assert BatchResult.from_dict(result.to_dict()) == result
    assert result.success_count + result.failure_count + result.started_count == result.total_count


def test_items_of_the_primitive() -> None:
    item = ConcurrentExecutionItem("a", {"x": 1}, 0)
    assert (item.id, item.data, item.index, item.name) == ("a", {"x": 1}, 0, None)


@pytest.mark.parametrize(
    ("arn", "parts"),
    [
        (
            "arn:aws:lambda:eu-west-1:123456789012:function:orders:$LATEST/durable-execution/o-1/a4",
            DurableExecutionArn("orders", "o-1", "a4"),
        ),
        ("arn:::lambda", None),
        ("arn:aws:lambda:::function:f:1/durable-execution/n/i/more", None),
        ("arn:aws:lambda:::function:f:1/durable-execution/n/i", DurableExecutionArn("f", "n", "i")),
        ("", None),
    ],
)
def test_arns(arn: str, parts: DurableExecutionArn | None) -> None:
    assert DurableExecutionArn.from_arn(arn) == parts
