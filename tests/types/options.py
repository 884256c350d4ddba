"""What type checkers infer from options, strategies and serializers; checked, never run.

Each expected error is silenced by its code, and a silencer that silences nothing is an error itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, assert_type

from durable_execution_sdk import (
    CallbackConfig,
    CompletionConfig,
    CompletionStatus,
    Duration,
    InvokeConfig,
    JitterStrategy,
    MapConfig,
    ParallelBranch,
    RetryPresets,
    StepConfig,
    StepSemantics,
    WaitForCallbackConfig,
    WaitForConditionConfig,
    WaitForConditionDecision,
    WaitStrategyConfig,
    complete_batch,
    continue_batch,
    create_class_serdes,
    create_retry_strategy,
    create_wait_strategy,
    retry_presets,
)
from durable_execution_sdk.concurrency.models import BatchItem, BatchItemStatus, BatchResult
from durable_execution_sdk.config import CompletionDecision
from durable_execution_sdk.exceptions import DurableOperationError, SerDesError, StepError
from durable_execution_sdk.lambda_service import ErrorObject
from durable_execution_sdk.retries import LinearRetryStrategyConfig, RetryDecision, RetryStrategy, RetryStrategyConfig
from durable_execution_sdk.serdes import JsonSerDes, SerDes, SerDesContext, create_class_serdes_with_dates
from durable_execution_sdk.types import DurableExecutionArn


@dataclass
class Order:
    id: int


def durations() -> None:
    assert_type(Duration.from_minutes(1.5), Duration)
    config = CallbackConfig(timeout=timedelta(minutes=5), heartbeat_timeout={"minutes": 1, "seconds": 30})
    assert_type(config.timeout, Duration)
    assert_type(config.timeout_seconds, int)
    assert_type(WaitForCallbackConfig(Duration(5), Duration(3), None, RetryPresets.none()).heartbeat_timeout, Duration)
    CallbackConfig(timeout=5)  # type: ignore[arg-type]  # bare numbers have no unit
    CallbackConfig(timeout="5 minutes")  # type: ignore[arg-type]  # text is not parsed
    settings = RetryStrategyConfig(initial_delay={"seconds": 1}, max_delay=timedelta(hours=1))
    assert_type(settings.max_delay, Duration)
    settings.max_delay = timedelta(minutes=5)
    settings.max_delay = 3  # type: ignore[assignment]  # nor on assignment


def options() -> None:
    assert_type(StepConfig(retry_presets.transient, StepSemantics.AT_MOST_ONCE_PER_RETRY), StepConfig)
    StepConfig(sub_type="charge", serdes=JsonSerDes())
    StepConfig(None, StepSemantics.AT_LEAST_ONCE_PER_RETRY, None, "charge")  # type: ignore[call-arg]  # keyword only
    StepConfig(step_semantics="AT_MOST_ONCE_PER_RETRY")  # type: ignore[arg-type]  # the member, not its value
    StepConfig(retry_strategy=RetryPresets.default)  # type: ignore[arg-type]  # presets are called
    StepConfig().sub_type = "late"  # type: ignore[misc]  # frozen
    InvokeConfig(timeout=3)  # type: ignore[call-arg]  # no such option
    named: MapConfig[Order] = MapConfig(item_namer=lambda order, index: f"{order.id}-{index}")
    assert_type(named.item_namer, Callable[[Order, int], str] | None)
    branch = ParallelBranch(lambda: 5, name="five")
    assert_type(branch(), int)


def completion() -> None:
    def quorum(status: CompletionStatus) -> CompletionDecision:
        return complete_batch() if status.success_count > 1 else continue_batch()

    CompletionConfig(should_complete=quorum)
    CompletionConfig(should_complete=lambda status: status.success_count > 1)  # type: ignore[arg-type,return-value]  # a decision, not a bool
    assert_type(CompletionConfig.first_successful(), CompletionConfig)


def strategies() -> None:
    assert_type(create_retry_strategy(), RetryStrategy)
    assert_type(create_retry_strategy()(ValueError(), 1), RetryDecision)
    assert_type(RetryDecision.retry({"seconds": 5}).delay, Duration)
    RetryStrategyConfig(retryable_errors=["timeout", re.compile("busy")], retryable_error_types=[OSError])
    RetryStrategyConfig(retryable_error_types=["OSError"])  # type: ignore[list-item]  # classes, not names
    LinearRetryStrategyConfig(increment=timedelta(seconds=2), jitter_strategy=JitterStrategy.NONE)
    waits = create_wait_strategy(WaitStrategyConfig[Order](lambda order: order.id > 0))
    assert_type(waits(Order(1), 1), WaitForConditionDecision)
    assert_type(WaitForConditionConfig(waits, Order(1)).initial_state, Order)
    WaitForConditionConfig(waits)  # type: ignore[call-arg]  # the initial state is mandatory


def serializers() -> None:
    assert_type(create_class_serdes(Order), SerDes[Order])
    assert_type(create_class_serdes_with_dates(Order, ["since"]).deserialize("", SerDesContext()), Order)

    class Upper(SerDes[str]):
        def serialize(self, value: str, serdes_context: SerDesContext) -> str:
            return value.upper()

        def deserialize(self, data: str, serdes_context: SerDesContext) -> str:
            return data

    assert_type(Upper().deserialize("", SerDesContext()), str)
    SerDes[Any]()  # type: ignore[abstract]  # abstract


def results(batch: BatchResult[int], item: BatchItem[Order]) -> None:
    assert_type(batch.get_results(), list[int])
    assert_type(batch.get_errors(), list[ErrorObject | None])
    assert_type(batch.succeeded(), list[BatchItem[int]])
    assert_type(batch.status, BatchItemStatus)
    assert_type(item.result, Order | None)
    assert_type(item.exception, DurableOperationError | SerDesError | None)
    assert_type(DurableExecutionArn.from_arn(""), DurableExecutionArn | None)
    assert_type(StepError("m").error_type, str)
