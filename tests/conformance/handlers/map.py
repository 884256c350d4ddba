"""Suite 9: maps."""

from __future__ import annotations

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.concurrency.models import BatchItem, BatchResult, CompletionReason
from durable_execution_sdk.config import BatchItemStatus, CompletionConfig, Duration, MapConfig
from durable_execution_sdk.serdes import JsonSerDes, SerDes
from tests.conformance.handlers import requirement
from tests.conformance.handlers.batches import fail, summary

ONE = MapConfig(max_concurrency=1)


def one_by_one(**completion):
    return MapConfig(max_concurrency=1, completion_config=CompletionConfig(**completion))


def itself(branch, item, index, items):
    return item


def upper(branch, item, index, items):
    return item.upper()


@requirement("9-1")
@durable_execution
def greets(event, ctx: DurableContext):
    def greet(branch, item, index, items):
        return branch.step(lambda _: f"Hello, {item}!")

    return ctx.map(event, greet, "map", ONE).get_results()


@requirement("9-3")
@durable_execution
def indexed(event, ctx: DurableContext):
    return ctx.map(event, lambda branch, item, index, items: item + index, "indexed", ONE).get_results()


@requirement("9-5")
@durable_execution
def fails_fast(event, ctx: DurableContext):
    def work(branch, item, index, items):
        return "ok" if item == 0 else fail()

    result = ctx.map([0, 1, 2], work, "failfast", one_by_one(tolerated_failure_count=0))
    return summary(result, "completionReason", "status", "successCount", "failureCount", "totalCount")


@requirement("9-7")
@durable_execution
def enough(event, ctx: DurableContext):
    result = ctx.map(["a", "b", "c", "d"], itself, "min-successful", one_by_one(min_successful=2))
    return summary(result, "completionReason", "successCount", "totalCount")


@requirement("9-9")
@durable_execution
def too_many_failures(event, ctx: DurableContext):
    result = ctx.map([0, 1, 2], fail, "tolerated-exceeded", one_by_one(tolerated_failure_count=1))
    return summary(result, "completionReason", "successCount", "failureCount", "totalCount")


@requirement("9-11")
@durable_execution
def concurrent(event, ctx: DurableContext):
    return ctx.map(["r0", "r1", "r2"], itself, "concurrent", MapConfig(max_concurrency=2)).get_results()


@requirement("9-13")
@durable_execution
def named_items(event, ctx: DurableContext):
    config = MapConfig(max_concurrency=1, item_namer=lambda item, index: f"item-{item}")
    return ctx.map(event, lambda branch, item, index, items: item * 10, "named-items", config).get_results()


@requirement("9-15")
@durable_execution
def suspended_inside(event, ctx: DurableContext):
    def work(branch, item, index, items):
        if index == 1:
            branch.wait(Duration.from_seconds(1))
        return branch.step(lambda _: item)

    return ctx.map(["r0", "r1"], work, "suspend", ONE).get_results()


@requirement("9-17")
@durable_execution
def then_waits(event, ctx: DurableContext):
    result = ctx.map(["a", "b"], upper, "then-wait", ONE)
    ctx.wait(Duration.from_seconds(1))
    return result.get_results()


class Joined(SerDes):
    """A whole result of texts, as one text."""

    def serialize(self, value, serdes_context):
        return "OPSERDE:" + ",".join(value.get_results())

    def deserialize(self, data, serdes_context):
        texts = data.removeprefix("OPSERDE:").split(",")
        items = [BatchItem(index, BatchItemStatus.SUCCEEDED, result=text) for index, text in enumerate(texts)]
        return BatchResult(items, CompletionReason.ALL_COMPLETED)


@requirement("9-19")
@durable_execution
def result_serdes(event, ctx: DurableContext):
    config = MapConfig(max_concurrency=1, serdes=Joined(), item_serdes=JsonSerDes())
    return ctx.map(["x", "y"], upper, "op-serde", config).get_results()
