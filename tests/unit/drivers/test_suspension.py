"""What happens to user code, logs and durable calls when the invocation is suspended."""

from __future__ import annotations

import logging
import threading

import pytest

from durable_execution_sdk._drivers.invocation import DurableFunction
from durable_execution_sdk._drivers.logger import LoggerConfig, refresh_log_config
from durable_execution_sdk._model.config import ChildConfig
from durable_execution_sdk._model.duration import Duration
from durable_execution_sdk._model.errors import NonDeterministicExecutionError
from durable_execution_sdk._model.signals import SuspendExecution
from tests.support.fake_service import ARN, FakeService
from tests.unit.drivers.scenario import first, sent, whole


def test_a_durable_call_in_finally_raises_the_same_signal_and_is_logged_once(caplog):
    signals = []

    def handler(got, ctx):
        try:
            ctx.wait(Duration(5), "w")
        finally:
            for name in ("release", "audit"):
                try:
                    ctx.step(lambda step: "ran", name)
                except BaseException as signal:
                    signals.append(signal)
        return "end"

    output, service = first(handler)
    assert output == {"Status": "PENDING"}
    assert sent(service) == [[("WAIT", "START", "w")]]
    assert isinstance(signals[0], SuspendExecution)
    assert signals[0] is signals[1]
    assert caplog.text.count("while the invocation is being suspended") == 1
    output, service = whole(handler, service)
    assert output["Result"] == '"end"'
    assert [names[0][2] for names in sent(service)] == ["w", "release", "audit"]


def test_a_swallowed_signal_is_pending_nevertheless():
    def handler(got, ctx):
        try:
            ctx.wait(Duration(5))
        except BaseException:
            return "swallowed"

    assert first(handler)[0] == {"Status": "PENDING"}


def test_a_child_that_swallows_a_signal_does_not_end():
    def child(ctx):
        try:
            ctx.wait(Duration(5))
        except BaseException:
            return "swallowed"

    def handler(got, ctx):
        return ctx.run_in_child_context(child, "kid")

    output, service = first(handler)
    assert output == {"Status": "PENDING"}
    assert sent(service) == [[("CONTEXT", "START", "kid"), ("WAIT", "START", "")]]


def test_an_exception_during_suspension_does_not_fail_the_execution(caplog):
    def handler(got, ctx):
        try:
            ctx.wait(Duration(5))
        finally:
            raise ValueError("in finally")

    assert first(handler)[0] == {"Status": "PENDING"}
    assert "in finally" in caplog.text


def test_contexts_around_the_suspended_one_do_nothing_either():
    calls = []

    def handler(got, ctx):
        ctx.step(lambda step: 1, "before")

        def child(inner):
            try:
                inner.wait(Duration(5))
            finally:
                calls.append("outer")
                ctx.step(lambda step: calls.append("ran"))

        ctx.run_in_child_context(child)

    assert first(handler)[0] == {"Status": "PENDING"}
    assert calls == ["outer"]


def test_a_recorded_operation_does_not_answer_in_finally_either():
    # Another SDK may have run the step below in the first invocation.
    answers = []

    def recorder(got, ctx):
        ctx.create_callback("cb")
        ctx.step(lambda step: "recorded", "cleanup")
        ctx.wait(Duration(5))

    def handler(got, ctx):
        try:
            ctx.create_callback("cb").result()
        finally:
            answers.append(ctx.step(lambda step: "ran", "cleanup"))

    _, service = first(recorder)
    assert service.invoke(DurableFunction(handler)) == {"Status": "PENDING"}
    assert answers == []


# --- determinism ------------------------------------------------------------------------------------------------------


def test_a_renamed_step_is_reported_with_both_names():
    service = FakeService()
    first(lambda got, ctx: [ctx.step(lambda step: 1, "charge"), ctx.wait(Duration(1))], service)
    output = service.invoke(
        DurableFunction(lambda got, ctx: [ctx.step(lambda step: 1, "refund"), ctx.wait(Duration(1))])
    )
    assert output["Status"] == "FAILED"
    assert output["Error"]["ErrorType"].endswith("NonDeterministicExecutionError")
    assert "- name: 'charge' (recorded)" in output["Error"]["ErrorMessage"]
    assert "+ name: 'refund' (attempted)" in output["Error"]["ErrorMessage"]
    assert "operation 1 of the handler" in output["Error"]["ErrorMessage"]


def test_user_code_may_catch_nondeterminism():
    service = FakeService()
    first(lambda got, ctx: [ctx.step(lambda step: 1), ctx.wait(Duration(1))], service)

    def handler(got, ctx):
        with pytest.raises(NonDeterministicExecutionError):
            ctx.wait(Duration(1))
        return "went on"

    assert service.invoke(DurableFunction(handler))["Result"] == '"went on"'


def test_a_child_made_virtual_is_nondeterminism():
    service = FakeService()

    def child(ctx):
        ctx.wait(Duration(1))

    first(lambda got, ctx: ctx.run_in_child_context(child), service)
    virtual = ChildConfig(is_virtual=True)
    output = service.invoke(DurableFunction(lambda got, ctx: ctx.run_in_child_context(child, None, virtual)))
    assert output["Error"]["ErrorType"].endswith("NonDeterministicExecutionError")


# --- logs -------------------------------------------------------------------------------------------------------------


class Records(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        fields = {"executionArn", "parentId", "operationId", "operationName", "attempt", "own"}
        self.lines.append((record.getMessage(), {key: vars(record)[key] for key in fields if key in vars(record)}))


@pytest.fixture
def log():
    records = Records()
    logger = logging.getLogger("tests.durable")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(records)
    yield logger, records
    logger.removeHandler(records)


def test_a_line_is_logged_once_however_often_the_handler_runs(log):
    logger, records = log

    def handler(got, ctx):
        ctx.set_logger(logger)
        ctx.logger.info("start")
        ctx.step(lambda step: step.logger.info("in %s", "step"), "a")
        ctx.logger.warning("between", extra={"own": 1})
        ctx.wait(Duration(1))
        ctx.run_in_child_context(lambda child: [child.logger.error("in child"), child.step(lambda step: 1)])

    whole(handler)
    arn = {"executionArn": FakeService().event()["DurableExecutionArn"]}
    assert [line for line, _ in records.lines] == ["start", "in step", "between", "in child"]
    assert records.lines[0][1] == arn
    step = records.lines[1][1]
    assert {key: step[key] for key in ("operationName", "attempt")} == {"operationName": "a", "attempt": 1}
    assert step["operationId"].startswith("1ced8f5b")
    assert records.lines[2][1] == arn | {"own": 1}
    assert records.lines[3][1]["parentId"].startswith("6f760b9e")


def test_logging_during_replay_on_request(log):
    logger, records = log

    def handler(got, ctx):
        ctx.configure_logger(custom_logger=logger, mode_aware=False)
        ctx.logger.info("start")
        ctx.wait(Duration(1))

    whole(handler)
    assert [line for line, _ in records.lines] == ["start", "start"]


def test_loggers_are_configured_by_one_object_and_may_ask_for_fields(log):
    logger, records = log

    class Own:
        def configure_durable_logging_context(self, context):
            self.context = context

        def warning(self, msg, *args, extra=None):
            logger.warning(msg, extra=extra)

    own = Own()

    def handler(got, ctx):
        ctx.configure_logger(LoggerConfig(custom_logger=own, mode_aware=False))
        ctx.logger.log("WARN", "careful")
        with pytest.raises(ValueError, match="LOUD"):
            ctx.logger.log("LOUD", "no")
        ctx.wait(Duration(1))

    whole(handler)
    assert [line for line, _ in records.lines] == ["careful", "careful"]
    data = own.context.get_durable_log_data()
    assert (data["requestId"], data["executionArn"]) == ("req-1", ARN)


def test_verbose_mode(monkeypatch):
    own = logging.getLogger("durable_execution_sdk")
    monkeypatch.setenv("DURABLE_VERBOSE_MODE", "true")
    refresh_log_config()
    assert own.level == logging.DEBUG
    monkeypatch.delenv("DURABLE_VERBOSE_MODE")
    refresh_log_config()
    assert own.level == logging.NOTSET


def test_the_replay_flag_moves_at_the_frontier():
    flags = []

    def handler(got, ctx):
        flags.append(ctx.is_replaying())
        ctx.step(lambda step: 1)
        flags.append(ctx.is_replaying())
        ctx.wait(Duration(1))
        flags.append(ctx.is_replaying())

    whole(handler)
    assert flags == [False, False, True, True, False]


# --- serdes -----------------------------------------------------------------------------------------------------------


class Shout:
    def serialize(self, value, context):
        return str(value).upper()

    def deserialize(self, data, context):
        return data + "!"


def test_a_default_serdes_for_a_context_and_its_children():
    def handler(got, ctx):
        ctx.configure_serdes(default_serdes=Shout())
        inside = ctx.run_in_child_context(lambda child: child.step(lambda step: "a"))
        ctx.wait(Duration(1))
        return [ctx.step(lambda step: "b"), inside]

    output, service = whole(handler)
    assert output["Result"] == '["B!", "A!!"]'
    assert [update["Payload"] for update in service.updates() if update["Action"] == "SUCCEED"] == ["A", "A!", "B"]


def test_a_default_deserializer_for_callbacks():
    def handler(got, ctx):
        ctx.configure_serdes(default_callback_deserializer=Shout())
        return ctx.create_callback("cb").result()

    _, service = first(handler)
    service.complete_callback(next(op["CallbackId"] for op in service.operations.values()), result="yes")
    assert whole(handler, service)[0]["Result"] == '"yes!"'


# --- group commit -----------------------------------------------------------------------------------------------------


def test_what_nobody_waits_for_is_sent_soon_and_the_timer_is_joined():
    sent_from = []
    seen = threading.Event()

    class Watched(FakeService):
        def checkpoint(self, arn, request):
            answer = super().checkpoint(arn, request)
            sent_from.append(threading.current_thread().name)
            seen.set()
            return answer

    def handler(got, ctx):
        return ctx.step(lambda step: seen.wait(30), "slow")

    output, service = first(handler, Watched())
    assert output["Result"] == "true"
    assert sent(service) == [[("STEP", "START", "slow")], [("STEP", "SUCCEED", "slow")]]
    assert sent_from == ["durable-commit", threading.current_thread().name]
    assert all(thread.name != "durable-commit" for thread in threading.enumerate())


def test_what_is_queued_is_sent_before_the_answer():
    def handler(got, ctx):
        ctx.run_in_child_context(lambda child: child.create_callback("cb").result(), "kid")

    output, service = first(handler)
    assert output == {"Status": "PENDING"}

    def interrupted(got, ctx):
        def body(step):
            raise SuspendExecution("by hand")

        ctx.step(body, "a")

    output, service = first(interrupted)
    assert output == {"Status": "PENDING"}
    assert sent(service) == [[("STEP", "START", "a")]]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_request_that_ends_its_thread_ends_the_invocation_and_suspends_nothing():
    """Nothing need be pending then, so nobody would invoke again."""
    went_out = threading.Event()

    def fault(phase, number):
        if threading.current_thread().name == "durable-commit" and not went_out.is_set():
            went_out.set()
            raise SystemExit

    def handler(got, ctx):
        def body(child):
            assert went_out.wait(60), "the start of this context is sent by itself"
            return child.step(lambda step: "done")

        return ctx.run_in_child_context(body)

    output, service = whole(handler, FakeService(fault=fault))
    assert output == {"Status": "SUCCEEDED", "Result": '"done"'}
    assert service.invocations == 2
