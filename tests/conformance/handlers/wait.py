"""Suite 2: waits."""

from __future__ import annotations

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.config import Duration
from tests.conformance.handlers import requirement


@requirement("2-1")
@durable_execution
def waits(event, ctx: DurableContext):
    ctx.wait(Duration.from_seconds(2))


@requirement("2-3")
@durable_execution
def waits_twice(event, ctx: DurableContext):
    ctx.wait(Duration.from_seconds(2), name="wait-1")
    ctx.wait(Duration.from_seconds(2), name="wait-2")
    return {"completedWaits": 2}


@requirement("2-5")
@durable_execution
def waits_long(event, ctx: DurableContext):
    ctx.wait(Duration.from_hours(1))
