"""Suite 5: chained invokes."""

from __future__ import annotations

import json

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.config import Duration, InvokeConfig
from durable_execution_sdk.serdes import SerDes
from tests.conformance.handlers import requirement


def echo(event, context):
    return event


def broken(event, context):
    raise ValueError("the target does not work")


def measure(event, context):
    return len(event["data"])


@durable_execution
def durable_echo(event, ctx: DurableContext):
    return ctx.step(lambda _: event)


@requirement("5-1", targets={"echo": echo})
@durable_execution
def invokes(event, ctx: DurableContext):
    return ctx.invoke("echo", event)


@requirement("5-3", targets={"durable-echo": durable_echo})
@durable_execution
def invokes_durable(event, ctx: DurableContext):
    result = ctx.invoke("durable-echo", event)
    assert result == event
    return result


@requirement("5-5", targets={"broken": broken})
@durable_execution
def target_fails(event, ctx: DurableContext):
    return ctx.invoke("broken", event)


@requirement("5-7", targets={"measure": measure})
@durable_execution
def large_payload(event, ctx: DurableContext):
    size = 600_000
    assert ctx.invoke("measure", {"data": "x" * size}) == size
    return size


@requirement("5-9", targets={"echo": echo})
@durable_execution
def invoke_is_replayed(event, ctx: DurableContext):
    result = ctx.invoke("echo", "once")
    ctx.wait(Duration.from_seconds(1))
    return result


@requirement("5-11", targets={"echo": echo})
@durable_execution
def step_then_invoke(event, ctx: DurableContext):
    value = ctx.step(lambda _: "from the step")
    return ctx.invoke("echo", value)


@requirement("5-13", targets={"echo": echo})
@durable_execution
def invoke_in_child(event, ctx: DurableContext):
    return ctx.run_in_child_context(lambda child: child.invoke("echo", "inside"))


class Shouting(SerDes):
    def serialize(self, value, serdes_context):
        return json.dumps({key: text.upper() for key, text in value.items()})

    def deserialize(self, data, serdes_context):
        return json.loads(data)


@requirement("5-15", targets={"echo": echo})
@durable_execution
def payload_serdes(event, ctx: DurableContext):
    result = ctx.invoke("echo", event, config=InvokeConfig(serdes_payload=Shouting()))
    assert result == {"data": "HELLO"}
    return result
