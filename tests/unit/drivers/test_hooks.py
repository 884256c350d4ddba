"""When plugins hear of what."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from durable_execution_sdk._drivers.invocation import DurableFunction
from durable_execution_sdk._model.config import ChildConfig, StepConfig
from durable_execution_sdk._model.duration import Duration
from durable_execution_sdk._model.strategies import RetryDecision
from tests.support.fake_service import FakeService
from tests.support.programs import service_for


class Recorder:
    """Writes down every call."""

    def __init__(self, service):
        self._service = service
        self.calls = []

    def open(self, facts):
        self.calls.append(("opened", facts.event_input, facts.is_first))
        return self

    def note(self, *call):
        self.calls.append((*call, len(self._service.requests)))

    def lane(self, scope):
        return None

    def invocation_started(self):
        self.note("invocation started")

    def invocation_ended(self, output, error):
        self.note("invocation ended", output and output["Status"], type(error).__name__)

    @contextmanager
    def around_invocation(self):
        yield

    def operation_attempted(self, identity, is_virtual):
        pass

    def batch_entered(self, batch):
        pass

    def operation_met(self, record):
        self.note("met", record.name, record.status)

    def operation_starting(self, update):
        self.note("starting", update.name)

    def operation_ended(self, operation_id):
        self.note("ended", self._service.operations[operation_id].get("Name"))

    def scope_ended(self, identity, error, replayed):
        self.note("scope ended", identity.name, type(error).__name__, replayed)

    @contextmanager
    def around_body(self, identity, attempt, reconstruct):
        self.note("body", identity.name, attempt, reconstruct)
        try:
            yield
        except BaseException as error:
            self.note("body raised", identity.name, type(error).__name__)
            raise
        self.note("body returned", identity.name)

    def records_changed(self, operation_ids):
        self.note("changed", sorted(self._service.operations[key].get("Name") for key in operation_ids))

    def log_fields(self):
        return {"span": "s1", "own": "plugin"}

    def trace_header(self, identity, function_name):
        return f"Root={function_name}"


def run(handler, service=None):
    service = service or FakeService({"n": 1})
    recorder = Recorder(service)
    output = service.invoke(DurableFunction(handler, recorder.open))
    return recorder, output, service


def test_a_step():
    recorder, _, _ = run(lambda got, ctx: ctx.step(lambda step: 1, "a"))
    assert recorder.calls == [
        ("opened", {"n": 1}, True),
        ("invocation started", 0),
        ("starting", "a", 0),
        ("body", "a", 1, False, 0),
        ("body returned", "a", 0),
        ("changed", ["a"], 1),
        ("ended", "a", 1),
        ("invocation ended", "SUCCEEDED", "NoneType", 1),
    ]


def test_a_retry_and_its_suspension():
    config = StepConfig(lambda error, attempt: RetryDecision.retry(Duration(1)))
    recorder, _, service = run(lambda got, ctx: ctx.step(lambda step: 1 / 0, "a", config))
    assert [call[:2] for call in recorder.calls[2:]] == [
        ("starting", "a"),
        ("body", "a"),
        ("body raised", "a"),
        ("changed", ["a"]),
        ("invocation ended", "PENDING"),
    ]
    service.advance()
    recorder, _, _ = run(lambda got, ctx: ctx.step(lambda step: step.attempt, "a", config), service)
    assert [call[:-1] for call in recorder.calls[2:5]] == [
        ("met", "a", "READY"),
        ("starting", "a"),
        ("body", "a", 2, False),
    ]


def test_children_that_suspend_are_virtual_or_are_made_again():
    def handler(got, ctx):
        ctx.run_in_child_context(lambda child: 1, "virtual", ChildConfig(is_virtual=True))
        ctx.run_in_child_context(lambda child: "x" * 300_000, "large")
        ctx.run_in_child_context(lambda child: child.wait(Duration(1), "w"), "waits")

    recorder, output, service = run(handler)
    assert output == {"Status": "PENDING"}
    assert ("scope ended", "virtual", "NoneType", False, 0) in recorder.calls
    assert ("body raised", "waits", "TimedSuspendExecution", 2) in recorder.calls
    service.advance()
    recorder, _, _ = run(handler, service)
    assert ("body", "large", None, True, 2) in recorder.calls
    assert ("scope ended", "large", "NoneType", True, 2) in recorder.calls
    assert ("met", "w", "SUCCEEDED", 2) in recorder.calls


def test_trace_metadata_goes_with_a_new_invoke():
    _, _, service = run(lambda got, ctx: ctx.invoke("double", 2), service_for())
    assert service.requests[0][0]["ChainedInvokeOptions"]["XAmznTraceId"] == "Root=double"


def test_plugins_add_log_fields_and_the_caller_wins(caplog):
    caplog.set_level("INFO")
    run(lambda got, ctx: ctx.step(lambda step: step.logger.info("hello", extra={"own": "caller"}), "a"))
    [line] = [record for record in caplog.records if record.getMessage() == "hello"]
    assert (line.span, line.own, line.operationName) == ("s1", "caller", "a")


def test_pages_of_an_answer_are_told_too():
    service = FakeService(page_size=1)

    def child(ctx):
        return ctx.step(lambda step: 1, "a")

    recorder, _, _ = run(lambda got, ctx: ctx.run_in_child_context(child, "kid"), service)
    assert ("changed", ["a", "kid"], 1) in recorder.calls


def test_what_is_raised_is_told():
    service = FakeService()
    recorder = Recorder(service)

    def handler(got, ctx):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        service.invoke(DurableFunction(handler, recorder.open))
    assert recorder.calls[-1] == ("invocation ended", None, "KeyboardInterrupt", 0)


def test_without_plugins_the_replay_lane_is_the_core_s_own_call():
    lanes = []

    def handler(got, ctx):
        lanes.append(ctx._lane_step == ctx.scope.replay_step)

    FakeService().invoke(DurableFunction(handler))
    run(handler)
    assert lanes == [True, False]
