"""Suite 3: child contexts."""

from __future__ import annotations

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.config import Duration, StepConfig
from durable_execution_sdk.exceptions import ChildContextError
from durable_execution_sdk.retries import RetryPresets
from tests.conformance.handlers import requirement
from tests.conformance.handlers.retrying import TWICE


@requirement("3-1")
@durable_execution
def child_with_step(event, ctx: DurableContext):
    return ctx.run_in_child_context(lambda child: child.step(lambda _: event))


@requirement("3-3")
@durable_execution
def child_with_two_steps(event, ctx: DurableContext):
    def body(child):
        first = child.step(lambda _: event)
        return child.step(lambda _: first)

    return ctx.run_in_child_context(body, name="two steps")


def fail(_):
    raise ValueError("it does not work")


@requirement("3-5")
@durable_execution
def child_error_is_caught(event, ctx: DurableContext):
    def body(child):
        return child.step(fail, config=StepConfig(retry_strategy=RetryPresets.none()))

    try:
        return ctx.run_in_child_context(body)
    except ChildContextError:
        return ctx.step(lambda _: event)


@requirement("3-7")
@durable_execution
def child_with_retry(event, ctx: DurableContext):
    def work(step):
        return fail(step) if step.attempt == 1 else event

    def body(child):
        return child.step(work, config=StepConfig(retry_strategy=TWICE))

    return ctx.run_in_child_context(body, name="retries inside")


@requirement("3-9")
@durable_execution
def child_is_replayed(event, ctx: DurableContext):
    value = ctx.run_in_child_context(lambda child: child.step(lambda _: event))
    ctx.wait(Duration.from_seconds(1))
    return value


@requirement("3-11")
@durable_execution
def large_child(event, ctx: DurableContext):
    ctx.configure_logger(mode_aware=False)

    def body(child):
        child.logger.info("large child of %s", event)
        return child.step(lambda _: event[:1]) * 300_000

    value = ctx.run_in_child_context(body, name="large")
    ctx.wait(Duration.from_seconds(1))
    assert value == event[:1] * 300_000
    return len(value)


@requirement("3-13")
@durable_execution
def child_with_wait(event, ctx: DurableContext):
    def body(child):
        child.wait(Duration.from_seconds(1))
        return event

    value = ctx.run_in_child_context(body, name="waits inside")
    return ctx.step(lambda _: value)


@requirement("3-15")
@durable_execution
def child_raises(event, ctx: DurableContext):
    return ctx.run_in_child_context(fail, name="raises")


@requirement("3-17")
@durable_execution
def child_only_logs(event, ctx: DurableContext):
    ctx.configure_logger(mode_aware=False)

    def body(child):
        child.logger.info("child of %s", event)
        return event

    value = ctx.run_in_child_context(body, name="logs")
    ctx.wait(Duration.from_seconds(1))
    return value
