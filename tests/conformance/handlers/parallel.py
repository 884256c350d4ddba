"""Suite 8: parallels."""

from __future__ import annotations

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.config import CompletionConfig, ParallelBranch, ParallelConfig
from tests.conformance.handlers import requirement
from tests.conformance.handlers.batches import Wrapping, fail, summary

FACTS = ("completionReason", "successCount", "failureCount", "totalCount")


def gives(value):
    return lambda _: value


def steps(value):
    return lambda branch: branch.step(lambda _: value)


ONE = ParallelConfig(max_concurrency=1)


def one_by_one(**tolerance):
    return ParallelConfig(max_concurrency=1, completion_config=CompletionConfig(**tolerance))


@requirement("8-1")
@durable_execution
def two_branches(event, ctx: DurableContext):
    return ctx.parallel([steps("task-1"), steps("task-2")], "parallel", ONE).get_results()


@requirement("8-3")
@durable_execution
def named_branches(event, ctx: DurableContext):
    branches = [ParallelBranch(gives("one"), "first"), ParallelBranch(gives("two"), "second")]
    return ctx.parallel(branches, "named", ONE).get_results()


@requirement("8-5")
@durable_execution
def no_branches(event, ctx: DurableContext):
    result = ctx.parallel([], "empty")
    assert summary(result, "completionReason", "totalCount") == {"completionReason": "ALL_COMPLETED", "totalCount": 0}
    return result.get_results()


@requirement("8-7")
@durable_execution
def rethrows(event, ctx: DurableContext):
    result = ctx.parallel([fail, gives("never")], "throwing", one_by_one(tolerated_failure_count=0))
    result.throw_if_error()


@requirement("8-9")
@durable_execution
def tolerates_one(event, ctx: DurableContext):
    config = one_by_one(tolerated_failure_count=1)
    return summary(ctx.parallel([gives(0), fail, gives(2)], "tolerated", config), "status", *FACTS)


@requirement("8-11")
@durable_execution
def concurrent(event, ctx: DurableContext):
    branches = [gives("r0"), gives("r1"), gives("r2")]
    return ctx.parallel(branches, "concurrent", ParallelConfig(max_concurrency=2)).get_results()


@requirement("8-13")
@durable_execution
def too_many_failures(event, ctx: DurableContext):
    config = one_by_one(tolerated_failure_percentage=25)
    return summary(ctx.parallel([fail, fail, gives(2), gives(3)], "tolerated-pct", config), *FACTS)


@requirement("8-15")
@durable_execution
def item_serdes(event, ctx: DurableContext):
    config = ParallelConfig(max_concurrency=1, item_serdes=Wrapping())
    return ctx.parallel([gives("x"), gives("y")], "serde", config).get_results()


@requirement("8-17")
@durable_execution
def minimum_not_reached(event, ctx: DurableContext):
    config = one_by_one(min_successful=3)
    return summary(ctx.parallel([gives(0), fail, gives(2)], "min-not-reached", config), "status", *FACTS)


@requirement("8-19")
@durable_execution
def no_concurrency(event, ctx: DurableContext):
    return ctx.parallel([gives(0), gives(1)], "bad-concurrency", ParallelConfig(max_concurrency=0)).get_results()


@requirement("8-21")
@durable_execution
def nested(event, ctx: DurableContext):
    def outer(branch):
        return branch.parallel([steps("i1"), steps("i2")], "inner", ONE).get_results()

    return ctx.parallel([outer], "outer", ONE).get_results()
