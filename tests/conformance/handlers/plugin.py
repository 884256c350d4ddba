"""Suite 10: plugins."""

from __future__ import annotations

from typing import Any

from durable_execution_sdk import DurableContext, durable_execution
from durable_execution_sdk.config import Duration, ParallelBranch, ParallelConfig, StepConfig
from durable_execution_sdk.plugin import DurableInstrumentationPlugin, OperationType
from durable_execution_sdk.retries import RetryPresets
from tests.conformance import console
from tests.conformance.handlers import requirement
from tests.conformance.handlers.retrying import TWICE


class Reporting(DurableInstrumentationPlugin):
    """A plugin that logs what it is told, under the execution it was told of first."""

    title = "CONFPLUGIN"
    arn: str | None = None

    def on_invocation_start(self, info):
        self.arn = info.execution_arn

    def report(self, hook, **members: Any):
        console.emit({"plugin": self.title, "hook": hook, "durableExecutionArn": self.arn} | members)


class Invocations(Reporting):
    def on_invocation_start(self, info):
        super().on_invocation_start(info)
        self.report("invocation-start", first=info.is_first_invocation)

    def on_invocation_end(self, info):
        self.report("invocation-end", status=info.status.value)


class Attempts(Reporting):
    def on_user_function_start(self, info):
        if info.operation_type is OperationType.STEP:
            self.report("attempt-start", n=info.attempt, op=info.operation_id)

    def on_user_function_end(self, info):
        if info.operation_type is OperationType.STEP:
            self.report("attempt-end", n=info.attempt, outcome=info.outcome.value, op=info.operation_id)


class Steps(Reporting):
    def on_operation_start(self, info):
        if info.operation_type is OperationType.STEP:
            self.report("operation-start", op=info.operation_id, replay=info.is_replayed)

    def on_operation_end(self, info):
        if info.operation_type is OperationType.STEP:
            self.report("operation-end", op=info.operation_id, status=info.status.value)


class StepsAndAttempts(Attempts, Steps):
    pass


class Everything(Invocations, StepsAndAttempts):
    title = "CONFPLUGIN-HEALTHY"


class Faulty(Everything):
    title = "CONFPLUGIN-FAULTY"

    def report(self, hook, **members: Any):
        super().report(hook)
        raise ValueError(f"faulty at {hook}")


class UpdatedWaits(Reporting):
    def on_invocation_start(self, info):
        super().on_invocation_start(info)
        for operation in info.updated_operations.values():
            if operation.operation_type is OperationType.WAIT:
                self.report(
                    "updated-on-invoke",
                    op=operation.operation_id,
                    status=operation.status.value,
                    first=info.is_first_invocation,
                )


class Ends(Reporting):
    def on_operation_end(self, info):
        self.report("operation-end", op=info.operation_id, parent=info.parent_id or "NONE", status=info.status.value)


class Dumping(Reporting):
    """Logs every member that is set."""

    def dump(self, hook, **members: Any):
        self.report(hook, **{name: value for name, value in members.items() if value is not None})


def _iso(stamp):
    return None if stamp is None else stamp.isoformat()


def _message(error):
    return None if error is None else error.message


class InvocationDump(Dumping):
    def on_invocation_start(self, info):
        super().on_invocation_start(info)
        self.dump("invocation-start", **self._members(info), updatedOperationsCount=len(info.updated_operations))

    def on_invocation_end(self, info):
        status = info.status.value
        self.dump(
            "invocation-end",
            **self._members(info),
            status=status,
            terminal=status in {"SUCCEEDED", "FAILED"},
            executionError=_message(info.error),
        )

    def _members(self, info):
        return {
            "isFirstInvocation": info.is_first_invocation,
            "requestId": info.request_id,
            "operationsCount": len(info.operations),
            "executionStartTimestamp": _iso(info.execution_start_time),
        }


def _operation(info):
    return {
        "id": info.operation_id,
        "name": info.name,
        "type": info.operation_type.value,
        "subType": info.sub_type,
        "parentId": info.parent_id,
        "attempt": info.attempt,
        "startTimestamp": _iso(info.start_time),
        "endTimestamp": _iso(info.end_time),
        "isReplay": info.is_replayed,
        "error": _message(info.error),
    }


class AttemptDump(Dumping):
    def on_user_function_start(self, info):
        if info.operation_type is OperationType.STEP:
            self.dump("attempt-start", **_operation(info))

    def on_user_function_end(self, info):
        if info.operation_type is OperationType.STEP:
            self.dump("attempt-end", **_operation(info), outcome=info.outcome.value)


class ContextDump(Dumping):
    def on_operation_start(self, info):
        if info.operation_type is OperationType.CONTEXT:
            self.dump("operation-start", **_operation(info))

    def on_user_function_start(self, info):
        if info.operation_type is OperationType.CONTEXT:
            self.dump("fn-start", **_operation(info), isReplayingChildren=info.is_replay_children)


def greeting(event):
    def greet(step):
        step.logger.info("Greeting step running for: %s", event)
        return f"Hello, {event}!"

    return greet


def fails_until(attempt, result="Operation succeeded"):
    def work(step):
        if step.attempt < attempt:
            raise ValueError(f"attempt {step.attempt} does not work")
        return result

    return work


@requirement("10-1")
@durable_execution(plugins=[Invocations])
def one_invocation(event, ctx: DurableContext):
    return ctx.step(greeting(event))


@requirement("10-3")
@durable_execution(plugins=[Attempts])
def two_attempts(event, ctx: DurableContext):
    return ctx.step(fails_until(2), config=StepConfig(retry_strategy=TWICE))


class First(Invocations):
    title = "CONFPLUGIN-A"


class Second(Invocations):
    title = "CONFPLUGIN-B"


@requirement("10-5")
@durable_execution(plugins=[First, Second])
def two_plugins(event, ctx: DurableContext):
    return ctx.step(greeting(event))


@requirement("10-7")
@durable_execution(plugins=[Invocations])
def fails(event, ctx: DurableContext):
    return ctx.step(fails_until(9), config=StepConfig(retry_strategy=RetryPresets.none()))


@requirement("10-9")
@durable_execution(plugins=[UpdatedWaits])
def sees_the_wait(event, ctx: DurableContext):
    ctx.wait(Duration.from_seconds(2))


@requirement("10-11")
@durable_execution(plugins=[Ends])
def knows_parents(event, ctx: DurableContext):
    return ctx.run_in_child_context(lambda child: child.step(greeting(event)))


@requirement("10-13")
@durable_execution(plugins=[Steps])
def replayed_steps(event, ctx: DurableContext):
    ctx.step(lambda _: "A")
    return ctx.step(fails_until(2), config=StepConfig(retry_strategy=TWICE))


@requirement("10-15")
@durable_execution(plugins=[StepsAndAttempts])
def exhausted(event, ctx: DurableContext):
    return ctx.step(fails_until(9), config=StepConfig(retry_strategy=TWICE))


@requirement("10-17")
@durable_execution(plugins=[Faulty, Everything])
def faulty_beside_healthy(event, ctx: DurableContext):
    return ctx.step(greeting(event))


@requirement("10-19")
@durable_execution(plugins=[InvocationDump])
def invocation_members(event, ctx: DurableContext):
    ctx.wait(Duration.from_seconds(2))
    return f"done-{event}"


@requirement("10-21")
@durable_execution(plugins=[AttemptDump])
def attempt_members(event, ctx: DurableContext):
    return ctx.step(fails_until(2, "ok"), name="flaky", config=StepConfig(retry_strategy=TWICE))


@requirement("10-23")
@durable_execution(plugins=[ContextDump])
def context_members(event, ctx: DurableContext):
    def first(branch):
        branch.step(lambda _: "x", name="inner")
        branch.wait(Duration.from_seconds(2))
        return "a-done"

    branches = [ParallelBranch(first, "branch-a"), ParallelBranch(lambda _: "b-done", "branch-b")]
    return ctx.parallel(branches, "ctx", ParallelConfig(max_concurrency=1)).get_results()
