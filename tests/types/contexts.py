"""What type checkers infer from the context's methods and the decorators; checked, never run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_type

from durable_execution_sdk import (
    BatchResult,
    ChildConfig,
    DurableContext,
    Duration,
    MapConfig,
    ParallelBranch,
    StepContext,
    WithRetryConfig,
    durable_execution,
    durable_parallel_branch,
    durable_step,
    durable_wait_for_callback,
    durable_with_child_context,
    with_retry,
)
from durable_execution_sdk.concurrency.models import ConcurrentExecutionItem
from durable_execution_sdk.config import InvokeConfig
from durable_execution_sdk.context import Callback
from durable_execution_sdk.serdes import JsonSerDes
from durable_execution_sdk.types import WaitForCallbackContext, WaitForConditionCheckContext
from durable_execution_sdk.waits import WaitForConditionConfig, WaitForConditionDecision


@durable_step
def charge(step: StepContext, order: str, *, fee: int = 0) -> float:
    return step.attempt * 1.5


@durable_with_child_context
def settle(child: DurableContext, batch: list[int]) -> dict[str, int]:
    return {"count": len(batch)}


@durable_parallel_branch("mail")
def mail(branch: DurableContext, address: str) -> bytes:
    return address.encode()


@durable_wait_for_callback
def ask(callback_id: str, context: WaitForCallbackContext, approver: str) -> None:
    context.logger.info("%s asks %s", callback_id, approver)


async def fetch(step: StepContext) -> list[str]:
    return []


def check(state: int, context: WaitForConditionCheckContext) -> int:
    return state + context.attempt


async def check_later(state: int, context: WaitForConditionCheckContext) -> int:
    return state + context.attempt


def strategy(state: int, attempt: int) -> WaitForConditionDecision:
    return WaitForConditionDecision.stop_polling()


def body(context: DurableContext, run: int) -> set[int]:
    return {run}


def operations(ctx: DurableContext) -> None:
    assert_type(ctx.step(lambda step: 1), int)
    assert_type(ctx.step(lambda step: step.attempt, name="n"), int)
    assert_type(ctx.step(charge("order-7", fee=1)), float)
    assert_type(ctx.step(fetch), list[str])
    ctx.wait(Duration.from_minutes(5))
    ctx.wait({"minutes": 5})
    assert_type(ctx.run_in_child_context(settle([1])), dict[str, int])
    assert_type(ctx.run_in_child_context(lambda child: child.step(charge("o"))), float)
    assert_type(ctx.run_in_child_context(lambda child: "x", "n", ChildConfig(is_virtual=True)), str)
    assert_type(ctx.create_callback(), Callback[Any])
    ctx.wait_for_callback(ask("ann"))
    ctx.wait_for_callback(lambda callback_id, context: None, name="n")
    assert_type(ctx.wait_for_condition(check, WaitForConditionConfig(strategy, 0)), int)
    assert_type(ctx.wait_for_condition(check_later, WaitForConditionConfig(strategy, 0)), int)
    config: InvokeConfig[int, str] = InvokeConfig(JsonSerDes(), JsonSerDes())
    assert_type(ctx.invoke("f", 1, config=config), str)
    assert_type(with_retry(ctx, body, WithRetryConfig()), set[int])
    assert_type(mail("a@example.org"), ParallelBranch[bytes])
    assert_type(ctx.is_replaying(), bool)


def square(branch: DurableContext, item: int, index: int, items: Sequence[int]) -> float:
    return item * item / 1


async def fetch_item(branch: DurableContext, item: int, index: int, items: Sequence[int]) -> list[str]:
    return [branch.step(lambda step: str(item))]


def count(item: ConcurrentExecutionItem[str], branch: DurableContext) -> int:
    return len(item.data)


def batches(ctx: DurableContext) -> None:
    assert_type(ctx.map([1, 2], square), BatchResult[float])
    assert_type(ctx.map([1, 2], lambda branch, item, index, items: branch.step(lambda step: item)), BatchResult[int])
    assert_type(ctx.map([1, 2], fetch_item, "n", MapConfig(max_concurrency=2)), BatchResult[list[str]])
    assert_type(ctx.map([1, 2], square).get_results(), list[float])
    assert_type(ctx.map([1, 2], square).all[0].result, float | None)
    assert_type(ctx.parallel([mail("a"), mail("b")]), BatchResult[bytes])
    assert_type(ctx.parallel([lambda branch: len("abc")]), BatchResult[int])
    items = [ConcurrentExecutionItem("a", "data", 0)]
    assert_type(ctx.execute_concurrently(items, count), BatchResult[int])


def refused(ctx: DurableContext) -> None:
    ctx.step(charge)  # type: ignore[arg-type]  # expected: the arguments of the step are not bound yet
    ctx.step(charge("order-7", fee="much"))  # type: ignore[arg-type]  # expected: fee is a number
    ctx.wait(5)  # type: ignore[arg-type]  # expected: a bare number has no unit
    ctx.run_in_child_context(lambda child: child.nothing())  # type: ignore[attr-defined]  # expected: no such operation


@durable_execution
def bare(event: Any, ctx: DurableContext) -> int:
    return 1


@durable_execution()
def called(event: Any, ctx: DurableContext) -> int:
    return 1


assert_type(bare({}, None), dict[str, Any])
assert_type(called({}, None), dict[str, Any])
assert_type(bare.__durable__.handler({}, None), Any)  # type: ignore[arg-type]  # expected: a context is needed
