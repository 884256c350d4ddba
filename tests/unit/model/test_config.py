"""Options: a bad value is refused where it is given, by name, with what is allowed."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest

from durable_execution_sdk.config import (
    CallbackConfig,
    ChildConfig,
    CompletionConfig,
    CompletionDecision,
    CompletionOutcome,
    ConcurrencyConfig,
    InvokeConfig,
    JitterStrategy,
    MapConfig,
    NestingType,
    ParallelBranch,
    ParallelConfig,
    StepConfig,
    WaitForCallbackConfig,
    complete_batch,
    continue_batch,
)
from durable_execution_sdk.exceptions import ValidationError
from durable_execution_sdk.retries import (
    LinearRetryStrategyConfig,
    RetryPresets,
    RetryStrategyConfig,
    WithRetryConfig,
    create_linear_retry_strategy,
    create_retry_strategy,
)
from durable_execution_sdk.serdes import JsonSerDes, SerDesConfig
from durable_execution_sdk.waits import WaitForConditionConfig, WaitStrategyConfig, create_wait_strategy


def done(_state: object) -> bool:
    return False


REFUSED: list[tuple[Callable[..., Any], dict[str, Any], str]] = [
    (StepConfig, {"retry_strategy": 3}, "retry_strategy must be callable or None, got: 3"),
    (StepConfig, {"step_semantics": "AT_MOST_ONCE_PER_RETRY"}, "step_semantics must be a StepSemantics"),
    (StepConfig, {"serdes": "json"}, "serdes must be None or a SerDes"),
    (StepConfig, {"sub_type": "a b"}, "sub_type must be 1 to 32 of A-Z"),
    (StepConfig, {"sub_type": "x" * 33}, "sub_type must be 1 to 32"),
    (StepConfig, {"sub_type": 5}, "sub_type must be 1 to 32"),
    (ChildConfig, {"sub_type": "é"}, "sub_type must be 1 to 32"),
    (ChildConfig, {"summary_generator": "text"}, "summary_generator must be callable or None"),
    (ChildConfig, {"error_mapper": ValueError()}, "error_mapper must be callable or None"),
    (MapConfig, {"max_concurrency": 0}, "max_concurrency must be a whole number, at least 1, or None, got: 0"),
    (MapConfig, {"max_concurrency": 1.5}, "max_concurrency must be a whole number"),
    (MapConfig, {"max_concurrency": True}, "max_concurrency must be a whole number"),
    (MapConfig, {"item_namer": "item"}, "item_namer must be callable or None"),
    (ParallelConfig, {"completion_config": None}, "completion_config must be a CompletionConfig"),
    (ParallelConfig, {"nesting_type": "FLAT"}, "nesting_type must be a NestingType"),
    (ParallelConfig, {"item_serdes": object()}, "item_serdes must be None or a SerDes"),
    (ConcurrencyConfig, {"top_level_sub_type": "a/b"}, "top_level_sub_type must be 1 to 32"),
    (ConcurrencyConfig, {"iteration_sub_type": "a/b"}, "iteration_sub_type must be 1 to 32"),
    (ParallelBranch, {"func": None}, "func must be callable, got: None"),
    (InvokeConfig, {"tenant_id": 7}, "tenant_id must be a string or None, got: 7"),
    (InvokeConfig, {"serdes_payload": 1}, "serdes_payload must be None or a SerDes"),
    (InvokeConfig, {"serdes_result": 1}, "serdes_result must be None or a SerDes"),
    (CallbackConfig, {"sub_type": "?"}, "sub_type must be 1 to 32"),
    (WaitForCallbackConfig, {"sub_type": "?"}, "sub_type must be 1 to 32"),
    (WaitForCallbackConfig, {"retry_strategy": 1}, "retry_strategy must be callable or None"),
    (WithRetryConfig, {"child_context_config": {}}, "child_context_config must be a ChildConfig or None"),
    (SerDesConfig, {"default_serdes": 1}, "default_serdes must be None or a SerDes"),
    (CompletionConfig, {"min_successful": 0}, "min_successful must be a whole number, at least 1, or None, got: 0"),
    (CompletionConfig, {"tolerated_failure_count": -1}, "tolerated_failure_count must be a "),
    (
        CompletionConfig,
        {"tolerated_failure_percentage": 100.5},
        "tolerated_failure_percentage must be between 0 and 100",
    ),
    (CompletionConfig, {"tolerated_failure_percentage": "5"}, "tolerated_failure_percentage must be between 0 and 100"),
    (CompletionConfig, {"should_complete": 1}, "should_complete must be callable or None"),
    (
        CompletionConfig,
        {"should_complete": continue_batch, "min_successful": 2},
        "should_complete cannot be combined with thresholds, got: min_successful=2",
    ),
    (CompletionDecision, {"complete": True}, "outcome must be a CompletionOutcome when complete is True"),
    (
        CompletionDecision,
        {"complete": False, "outcome": CompletionOutcome.FAILED},
        "outcome must be None when complete is False",
    ),
    (RetryStrategyConfig, {"max_attempts": -1}, "max_attempts must be a whole number, 0 or more, got: -1"),
    (RetryStrategyConfig, {"backoff_rate": float("nan")}, "backoff_rate must be a finite number, 0 or more"),
    (RetryStrategyConfig, {"backoff_rate": "2"}, "backoff_rate must be a finite number"),
    (RetryStrategyConfig, {"jitter_strategy": "SOME"}, "jitter_strategy must be a JitterStrategy, got: 'SOME'"),
    (RetryStrategyConfig, {"retryable_errors": "timeout"}, "retryable_errors must be a list of strings and"),
    (RetryStrategyConfig, {"retryable_errors": [ValueError]}, "retryable_errors must be a list of strings and"),
    (LinearRetryStrategyConfig, {"retryable_error_types": ["ValueError"]}, "retryable_error_types must be a list of"),
    (WaitStrategyConfig, {"should_continue_polling": True}, "should_continue_polling must be callable"),
    (WaitStrategyConfig, {"should_continue_polling": done, "max_attempts": 2.5}, "max_attempts must be a whole"),
    (WaitForConditionConfig, {"wait_strategy": None, "initial_state": 1}, "wait_strategy must be callable"),
    (create_retry_strategy, {"config": {}}, "config must be a RetryStrategyConfig or None"),
    (create_linear_retry_strategy, {"config": {}}, "config must be a LinearRetryStrategyConfig or None"),
    (create_wait_strategy, {"config": None}, "config must be a WaitStrategyConfig"),
]


@pytest.mark.parametrize(("make", "arguments", "complaint"), REFUSED)
def test_refused(make: Callable[..., Any], arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(complaint)):
        make(**arguments)


def test_a_long_value_is_cut_in_the_message() -> None:
    with pytest.raises(ValidationError) as caught:
        StepConfig(sub_type="x" * 10_000)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("sub_type", [None, "", "a", "A-z_09", "x" * 32])
def test_subtypes(sub_type: str | None) -> None:
    assert StepConfig(sub_type=sub_type).sub_type == sub_type


def test_jitter_may_be_given_as_text() -> None:
    assert RetryStrategyConfig(jitter_strategy="HALF").jitter_strategy is JitterStrategy.HALF  # type: ignore[arg-type]  # a StrEnum by value


def test_callbacks_need_only_the_reading_half_of_a_serializer() -> None:
    class Reads:
        def deserialize(self, data: str, serdes_context: object) -> str:
            return data

    assert CallbackConfig(serdes=Reads()).serdes is not None
    with pytest.raises(ValidationError, match="serdes must be None or a SerDes"):
        StepConfig(serdes=Reads())  # type: ignore[arg-type]  # refused, which is the point


def test_a_branch_calls_its_function() -> None:
    assert ParallelBranch(lambda a, b: a + b, name="sum")(1, b=2) == 3


def test_completion_presets() -> None:
    assert CompletionConfig.first_successful() == CompletionConfig(min_successful=1)
    assert CompletionConfig.all_completed() == CompletionConfig(tolerated_failure_percentage=100)
    assert CompletionConfig.all_successful() == CompletionConfig(None, 0, 0)
    assert complete_batch().outcome is CompletionOutcome.SUCCEEDED
    assert continue_batch() == CompletionDecision(complete=False)


def test_the_number_of_items_is_checked() -> None:
    CompletionConfig(min_successful=3).check_total(3)
    with pytest.raises(ValidationError, match="min_successful must be at most the number of items, 2, got: 3"):
        CompletionConfig(min_successful=3).check_total(2)


@pytest.mark.parametrize(
    "made",
    [
        StepConfig(RetryPresets.transient(), serdes=JsonSerDes(), sub_type="load"),
        ChildConfig(is_virtual=True, error_mapper=ValueError),
        MapConfig(max_concurrency=3, completion_config=CompletionConfig(min_successful=2)),
        ParallelConfig(nesting_type=NestingType.FLAT),
        ConcurrencyConfig(iteration_sub_type="x"),
        InvokeConfig(tenant_id="t"),
        WithRetryConfig(RetryPresets.linear(), child_context_config=ChildConfig(sub_type="y")),
        WaitForConditionConfig(create_wait_strategy(WaitStrategyConfig(done)), 0),
        RetryStrategyConfig(retryable_errors=["a", re.compile("b")], retryable_error_types=[KeyError]),
    ],
    ids=lambda made: type(made).__name__,
)
def test_options_pickle(made: Any) -> None:
    again = pickle.loads(pickle.dumps(made))
    assert type(again) is type(made)
    assert repr(again).split(" object at ")[0] == repr(made).split(" object at ")[0]
