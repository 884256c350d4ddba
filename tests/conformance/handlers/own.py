"""Handlers of the requirements that are our own, in the folder `own`."""

from __future__ import annotations

import os

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.config import CallbackConfig, Duration, InvokeConfig, StepConfig, StepSemantics
from tests.conformance.handlers import requirement
from tests.conformance.handlers.retrying import TWICE


@requirement("interrupted-then-retried", crashes=True)
@durable_execution
def interrupted_then_retried(event, ctx: DurableContext):
    def work(step):
        if step.attempt == 1:
            os._exit(1)
        return event

    config = StepConfig(retry_strategy=TWICE, step_semantics=StepSemantics.AT_MOST_ONCE_PER_RETRY)
    return ctx.step(work, config=config)


@requirement("nested")
@durable_execution
def nested(event, ctx: DurableContext):
    def outer(child):
        return child.run_in_child_context(lambda inner: inner.step(lambda _: event), name="in")

    return ctx.run_in_child_context(outer, name="out")


@requirement("tenant", targets={"which-tenant": lambda event, context: context.tenant_id})
@durable_execution
def for_a_tenant(event, ctx: DurableContext):
    return ctx.invoke("which-tenant", None, config=InvokeConfig(tenant_id="tenant-1"))


@requirement("heartbeat-missed")
@durable_execution
def heartbeat_missed(event, ctx: DurableContext):
    return ctx.create_callback(event, CallbackConfig(heartbeat_timeout=Duration.from_seconds(3))).result()


@requirement("two-waits")
@durable_execution
def two_waits(event, ctx: DurableContext):
    def first(branch):
        branch.wait(Duration.from_seconds(1))
        return branch.step(lambda _: "one")

    def second(branch):
        branch.wait(Duration.from_seconds(3))
        return "three"

    return ctx.parallel([first, second]).get_results()
