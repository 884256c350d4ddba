"""When plugins are told what, and that they can do no harm."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import Any

import pytest

from durable_execution_sdk import StepError
from durable_execution_sdk._drivers.invocation import DurableFunction
from durable_execution_sdk._edges.plugin_discovery import ClassFactory, InstanceFactory
from durable_execution_sdk._edges.plugins import InvocationPlugins
from durable_execution_sdk._model.config import ChildConfig, StepConfig
from durable_execution_sdk._model.duration import Duration
from durable_execution_sdk._model.strategies import RetryDecision
from durable_execution_sdk.plugin import (
    DurableInstrumentationPlugin,
    InvocationStatus,
    OperationStatus,
    OperationType,
    PropagationMetadata,
    UserFunctionOutcome,
)
from tests.support.fake_service import FakeService, LambdaContext


class Recorder(DurableInstrumentationPlugin):
    """Writes down every hook: its name, the operation's name, and what matters of the rest."""

    def __init__(self) -> None:
        self.log: list[tuple[Any, ...]] = []
        self.infos: dict[str, list[Any]] = {}

    def _note(self, hook: str, info: Any, *more: Any) -> None:
        self.log.append((hook, getattr(info, "name", None), *more))
        self.infos.setdefault(hook, []).append(info)

    def on_invocation_start(self, info: Any) -> None:
        self._note("invocation", info, info.is_first_invocation)

    def on_invocation_end(self, info: Any) -> None:
        self._note("invocation end", info, info.status.name)

    def on_operation_start(self, info: Any) -> None:
        self._note("start", info, info.is_replayed)

    def on_operation_end(self, info: Any) -> None:
        self._note("end", info, info.status.name, info.is_replayed)

    def on_user_function_start(self, info: Any) -> None:
        self._note("body", info, info.attempt)

    def on_user_function_end(self, info: Any) -> None:
        self._note("body end", info, info.outcome.name)


def plugged(handler: Any, *plugins: DurableInstrumentationPlugin) -> DurableFunction:
    factories = [InstanceFactory(plugin) for plugin in plugins]
    return DurableFunction(handler, lambda facts: InvocationPlugins(factories, facts))


def run(handler: Any, *plugins: DurableInstrumentationPlugin) -> tuple[dict[str, Any], FakeService]:
    service = FakeService()
    return service.run(plugged(handler, *plugins)), service


def test_one_step_from_start_to_end() -> None:
    recorder = Recorder()
    run(lambda event, ctx: ctx.step(lambda _: 1, name="s"), recorder)
    assert recorder.log == [
        ("invocation", None, True),
        ("start", "s", False),
        ("body", "s", 1),
        ("body end", "s", "SUCCEEDED"),
        ("end", "s", "SUCCEEDED", False),
        ("invocation end", None, "SUCCEEDED"),
    ]
    (end,) = recorder.infos["end"]
    assert (end.operation_type, end.result, end.attempt) == (OperationType.STEP, "1", 1)
    (last,) = recorder.infos["invocation end"]
    assert last.execution_result == "1"
    assert [info.status for info in last.operations.values() if info.name == "s"] == [OperationStatus.SUCCEEDED]


def test_retries_and_replays_are_told_once() -> None:
    recorder = Recorder()

    def flaky(step: Any) -> str:
        if step.attempt == 1:
            raise ValueError("again")
        return "ok"

    retry = StepConfig(retry_strategy=lambda error, attempt: RetryDecision.retry(Duration(1)))

    def handler(event: Any, ctx: Any) -> Any:
        ctx.step(lambda _: 0, name="before")
        return ctx.step(flaky, name="s", config=retry)

    run(handler, recorder)
    assert recorder.log == [
        ("invocation", None, True),
        ("start", "before", False),
        ("body", "before", 1),
        ("body end", "before", "SUCCEEDED"),
        ("end", "before", "SUCCEEDED", False),
        ("start", "s", False),
        ("body", "s", 1),
        ("body end", "s", "FAILED"),
        ("invocation end", None, "PENDING"),
        ("invocation", None, False),
        ("start", "s", True),
        ("body", "s", 2),
        ("body end", "s", "SUCCEEDED"),
        ("end", "s", "SUCCEEDED", False),
        ("invocation end", None, "SUCCEEDED"),
    ]


def test_what_the_service_ended_meanwhile_is_told_when_it_is_reached() -> None:
    recorder = Recorder()
    run(lambda event, ctx: ctx.wait(Duration(5), name="w"), recorder)
    assert recorder.log[1:] == [
        ("start", "w", False),
        ("invocation end", None, "PENDING"),
        ("invocation", None, False),
        ("end", "w", "SUCCEEDED", False),
        ("invocation end", None, "SUCCEEDED"),
    ]


def test_contexts_that_suspend_and_contexts_that_record_nothing() -> None:
    recorder = Recorder()

    def handler(event: Any, ctx: Any) -> None:
        ctx.run_in_child_context(lambda child: child.wait(Duration(1)), name="c")
        ctx.run_in_child_context(lambda child: 1, name="v", config=ChildConfig(is_virtual=True))

    run(handler, recorder)
    bodies = [entry for entry in recorder.log if entry[0] == "body end"]
    assert bodies == [("body end", "c", "INCOMPLETE"), ("body end", "c", "SUCCEEDED"), ("body end", "v", "SUCCEEDED")]
    assert ("end", "v", "SUCCEEDED", False) in recorder.log
    assert recorder.log.count(("start", "c", True)) == 1


def test_failures_are_told_with_their_error() -> None:
    recorder = Recorder()

    def fail(_: Any) -> None:
        raise KeyError("gone")

    def handler(event: Any, ctx: Any) -> None:
        give_up = StepConfig(retry_strategy=lambda error, attempt: RetryDecision.no_retry())
        with pytest.raises(StepError):
            ctx.step(fail, name="s", config=give_up)
        raise RuntimeError("over")

    output, _ = run(handler, recorder)
    assert output["Status"] == "FAILED"
    (body,) = recorder.infos["body end"]
    assert (body.outcome, body.error.type) == (UserFunctionOutcome.FAILED, "KeyError")
    (end,) = recorder.infos["invocation end"]
    assert (end.status, end.error.message) == (InvocationStatus.FAILED, "over")
    assert InvocationStatus.RETRYING is InvocationStatus.RETRY
    assert [status.name for status in InvocationStatus] == ["SUCCEEDED", "FAILED", "PENDING", "RETRY"]


class Harmful(DurableInstrumentationPlugin):
    """Raises wherever it can."""

    def __getattribute__(self, name: str) -> Any:
        if name.startswith(("on_", "wrap_", "enrich_", "provide_")):

            def boom(*_: Any) -> None:
                raise BaseExceptionGroup("broken", [ValueError(name), EOFError(name)])

            return boom
        return super().__getattribute__(name)


def test_what_plugins_raise_is_logged_and_ignored(caplog: pytest.LogCaptureFixture) -> None:
    def handler(event: Any, ctx: Any) -> Any:
        ctx.logger.warning("hello")
        return ctx.step(lambda _: 1)

    output, _ = run(handler, Harmful())
    assert output["Result"] == "1"
    assert any("'Harmful' failed" in record.message for record in caplog.records)


def test_what_ends_the_process_is_not_held_back() -> None:
    class Ending(DurableInstrumentationPlugin):
        def on_operation_start(self, info: Any) -> None:
            raise BaseExceptionGroup("x", [KeyboardInterrupt()])

    with pytest.raises(BaseExceptionGroup):
        run(lambda event, ctx: ctx.step(lambda _: 1), Ending())


def test_wraps_surround_the_code_and_change_nothing() -> None:
    log: list[str] = []

    class Wrapping(DurableInstrumentationPlugin):
        @contextmanager
        def _around(self, what: str) -> Any:
            log.append(f"enter {what}")
            try:
                yield
            except BaseException as error:
                log.append(f"saw {type(error).__name__}")
            log.append(f"leave {what}")

        def wrap_invocation(self, info: Any) -> Any:
            return self._around("invocation")

        def wrap_child_context(self, info: Any) -> Any:
            return self._around(f"context {info.name}")

        def wrap_operation_attempt(self, info: Any) -> Any:
            return self._around(f"attempt {info.name}")

    def fail(_: Any) -> None:
        raise ValueError("no")

    def handler(event: Any, ctx: Any) -> str:
        ctx.run_in_child_context(lambda child: child.step(lambda _: log.append("code"), name="s"), name="c")
        with pytest.raises(StepError):
            ctx.step(fail, name="f", config=StepConfig(retry_strategy=lambda e, n: RetryDecision.no_retry()))
        return "done"

    output, _ = run(handler, Wrapping())
    assert output["Result"] == '"done"'
    assert log == [
        "enter invocation",
        "enter context c",
        "enter attempt s",
        "code",
        "leave attempt s",
        "leave context c",
        "enter attempt f",
        "saw ValueError",
        "leave attempt f",
        "leave invocation",
    ]


def test_changes_are_told_on_a_thread_of_their_own_and_none_is_left() -> None:
    told: list[tuple[str, set[str]]] = []

    class Changes(DurableInstrumentationPlugin):
        def on_operation_change(self, info: Any) -> None:
            names = {changed.name for changed in info.updated_operations.values()}
            told.append((threading.current_thread().name, names))
            assert set(info.updated_operations) <= set(info.operations)

    def handler(event: Any, ctx: Any) -> None:
        for name in "abc":
            ctx.step(lambda _: 1, name=name)

    before = threading.active_count()
    run(handler, Changes())
    assert set().union(*(names for _, names in told)) >= {"a", "b", "c"}
    assert {thread for thread, _ in told} <= {"plugin-change", threading.current_thread().name}
    assert threading.active_count() == before


def test_trace_headers_and_log_fields(caplog: pytest.LogCaptureFixture) -> None:
    class Tracing(DurableInstrumentationPlugin):
        def __init__(self, header: str | None) -> None:
            self.header = header

        def provide_propagation_metadata(self, info: Any) -> PropagationMetadata:
            assert info.target_function_name == "other"
            return PropagationMetadata(self.header)

        def enrich_log_context(self) -> dict[str, str]:
            return {"trace": str(self.header)}

    def handler(event: Any, ctx: Any) -> Any:
        ctx.logger.warning("first", extra={"mine": 1})
        return ctx.invoke("other", {}, name="i")

    service = FakeService()
    with caplog.at_level(logging.INFO):
        service.invoke(plugged(handler, Tracing(" "), Tracing("Root=1"), Tracing("Root=2")))
    (start,) = [update for request in service.requests for update in request]
    assert start["ChainedInvokeOptions"]["XAmznTraceId"] == "Root=1"
    (record,) = [record for record in caplog.records if record.message == "first"]
    assert (vars(record)["trace"], vars(record)["mine"]) == (" ", 1)


def test_plugins_see_a_copy_of_the_input_and_the_request_id() -> None:
    seen: list[Any] = []

    class Meddling(DurableInstrumentationPlugin):
        def on_invocation_start(self, info: Any) -> None:
            seen.append((info.request_id, info.execution_arn))
            info.execution_input["x"] = "changed"

    service = FakeService({"x": 1})
    durable = plugged(lambda event, ctx: event["x"], Meddling())
    output = service.invoke(durable, LambdaContext())
    assert output["Result"] == "1"
    assert seen[0][0] == "req-1"


def test_each_invocation_gets_a_plugin_of_its_own_from_a_class() -> None:
    made: list[Recorder] = []

    class Counted(Recorder):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    durable = DurableFunction(
        lambda event, ctx: ctx.wait(Duration(1)), lambda facts: InvocationPlugins([ClassFactory(Counted)], facts)
    )
    FakeService().run(durable)
    assert len(made) == 2
