"""Suite 4: callbacks."""

from __future__ import annotations

import json
from datetime import datetime

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.config import CallbackConfig, Duration
from durable_execution_sdk.exceptions import CallbackError
from tests.conformance.handlers import requirement


@requirement("4-1")
@durable_execution
def awaits_callback(event, ctx: DurableContext):
    return json.loads(ctx.create_callback(event).result())


@requirement("4-3")
@durable_execution
def times_out(event, ctx: DurableContext):
    return ctx.create_callback(event, CallbackConfig(timeout=Duration.from_seconds(5))).result()


@requirement("4-5")
@durable_execution
def kept_alive(event, ctx: DurableContext):
    return ctx.create_callback(event, CallbackConfig(heartbeat_timeout=Duration.from_seconds(10))).result()


@requirement("4-7")
@durable_execution
def step_then_failure(event, ctx: DurableContext):
    callback = ctx.create_callback(event)
    ctx.step(lambda _: "done")
    return callback.result()


@requirement("4-9")
@durable_execution
def resolved_during_wait(event, ctx: DurableContext):
    callback = ctx.create_callback(event)
    ctx.wait(Duration.from_seconds(5))
    return callback.result()


@requirement("4-11")
@durable_execution
def times_out_during_wait(event, ctx: DurableContext):
    callback = ctx.create_callback(event, CallbackConfig(timeout=Duration.from_seconds(3)))
    ctx.wait(Duration.from_seconds(6))
    return callback.result()


@requirement("4-13")
@durable_execution
def failure_is_caught(event, ctx: DurableContext):
    try:
        message = ctx.create_callback(event).result()
    except CallbackError as error:
        message = f"failed: {error}"
    ctx.wait(Duration.from_seconds(2))
    return message


class Stamped:
    """Reads JSON whose `timestamp` is a date."""

    def deserialize(self, data, serdes_context):
        value = json.loads(data)
        return value | {"timestamp": datetime.fromisoformat(value["timestamp"])}


@requirement("4-15")
@durable_execution
def typed_result(event, ctx: DurableContext):
    received = ctx.create_callback(event, CallbackConfig(serdes=Stamped())).result()
    return {"received": received | {"timestamp": int(received["timestamp"].timestamp())}}


@requirement("4-17")
@durable_execution
def one_after_the_other(event, ctx: DurableContext):
    first = ctx.create_callback(event[0]).result()
    return [first, ctx.create_callback(event[1]).result()]


@requirement("4-19")
@durable_execution
def two_at_once(event, ctx: DurableContext):
    first, second = ctx.create_callback(event[0]), ctx.create_callback(event[1])
    later = second.result()
    return [first.result(), later]
