"""Suite 7: callbacks with a submitter."""

from __future__ import annotations

import json

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.config import Duration, WaitForCallbackConfig
from tests.conformance.handlers import requirement
from tests.conformance.handlers.retrying import TWICE


def submit(callback_id, _):
    assert callback_id


@requirement("7-1")
@durable_execution
def submits(event, ctx: DurableContext):
    return ctx.wait_for_callback(submit, event)


@requirement("7-3")
@durable_execution
def without_a_name(event, ctx: DurableContext):
    return ctx.wait_for_callback(lambda callback_id, _: None)


@requirement("7-5")
@durable_execution
def times_out(event, ctx: DurableContext):
    return ctx.wait_for_callback(submit, event, WaitForCallbackConfig(timeout=Duration.from_seconds(3)))


@requirement("7-7")
@durable_execution
def submitter_fails(event, ctx: DurableContext):
    def fail(callback_id, _):
        raise ValueError("cannot be submitted")

    return ctx.wait_for_callback(fail, event, WaitForCallbackConfig(retry_strategy=TWICE))


@requirement("7-9")
@durable_execution
def one_after_the_other(event, ctx: DurableContext):
    ctx.wait_for_callback(submit, "first")
    return ctx.wait_for_callback(submit, "second")


class Json:
    def deserialize(self, data, serdes_context):
        return json.loads(data)


@requirement("7-11")
@durable_execution
def json_result(event, ctx: DurableContext):
    return ctx.wait_for_callback(submit, event, WaitForCallbackConfig(serdes=Json()))["status"]


@requirement("7-13")
@durable_execution
def kept_alive(event, ctx: DurableContext):
    config = WaitForCallbackConfig(heartbeat_timeout=Duration.from_seconds(10))
    return ctx.wait_for_callback(submit, event, config)


@requirement("7-15")
@durable_execution
def without_a_payload(event, ctx: DurableContext):
    return ctx.wait_for_callback(submit, event)
