from __future__ import annotations

import pytest

from durable_execution_sdk._model.errors import (
    CallbackError,
    CallbackExternalError,
    CallbackTimeoutError,
    InvokeError,
)
from durable_execution_sdk._operations.callback import CallbackOperation, callback_result
from durable_execution_sdk._operations.invoke import InvokeOperation
from durable_execution_sdk._operations.verdicts import Announce, Deliver, Park, Throw
from durable_execution_sdk._operations.wait import WaitOperation
from tests.unit.operations.rows import KEY, identity, raised, record

NOW = 10_000


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (None, Announce()),
        (record("SUCCEEDED", "WAIT"), Deliver(None)),
        (record("STARTED", "WAIT", scheduled_end_ms=12_345), Park(12_345)),
        (record("STARTED", "WAIT"), Park(NOW + 5_000)),
        (record("CANCELLED", "WAIT", scheduled_end_ms=9_000), Park(9_000)),
    ],
)
def test_wait(seen, verdict):
    assert WaitOperation(identity("WAIT"), 5).begin(seen, NOW) == verdict


def test_wait_that_the_answer_does_not_show_parks_for_its_duration():
    op = WaitOperation(identity("WAIT"), 5)
    assert op.look(None, NOW) == Park(NOW + 5_000)
    assert op.start().to_dict()["WaitOptions"] == {"WaitSeconds": 5}


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (None, Announce()),
        (record("SUCCEEDED", "CHAINED_INVOKE", result="{}"), Deliver("{}")),
        (record("SUCCEEDED", "CHAINED_INVOKE"), Deliver(None)),
        (record("STARTED", "CHAINED_INVOKE"), Park(None)),
        (record("PENDING", "CHAINED_INVOKE"), Park(None)),
        (record("READY", "CHAINED_INVOKE"), Park(None)),
        (record("CANCELLED", "CHAINED_INVOKE"), Park(None)),
    ],
)
def test_invoke(seen, verdict):
    assert InvokeOperation(identity("CHAINED_INVOKE"), "f", None).begin(seen, NOW) == verdict


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "STOPPED"])
def test_invoke_that_did_not_succeed_throws(status):
    op = InvokeOperation(identity("CHAINED_INVOKE"), "f", None)
    verdict = op.begin(record(status, "CHAINED_INVOKE", error=("m", "T", "d", ["s"])), NOW)
    assert isinstance(verdict, Throw)
    assert raised(verdict.error)[:5] == (InvokeError, "m", "T", "d", ["s"])


def test_invoke_start_names_function_tenant_and_trace():
    update = InvokeOperation(identity("CHAINED_INVOKE"), "f", "t1").start("null", "Root=1").to_dict()
    assert update["ChainedInvokeOptions"] == {"FunctionName": "f", "TenantId": "t1", "XAmznTraceId": "Root=1"}
    assert update["Payload"] == "null"


def test_callback_gives_its_id_whatever_became_of_it():
    op = CallbackOperation(identity("CALLBACK"), 10, 0)
    assert op.begin(None, NOW) == Announce()
    for status in ("STARTED", "SUCCEEDED", "FAILED", "TIMED_OUT"):
        assert op.begin(record(status, "CALLBACK", callback_id="cb"), NOW) == Deliver("cb")
    missing = op.look(None, NOW)
    assert isinstance(missing, Throw)
    assert isinstance(missing.error, CallbackError)
    assert op.start().to_dict()["CallbackOptions"] == {"TimeoutSeconds": 10, "HeartbeatTimeoutSeconds": 0}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("FAILED", CallbackExternalError),
        ("CANCELLED", CallbackExternalError),
        ("STOPPED", CallbackExternalError),
        ("TIMED_OUT", CallbackTimeoutError),
    ],
)
def test_callback_failures_name_our_class_and_have_no_cause(status, kind):
    verdict = callback_result(KEY, record(status, "CALLBACK", error=("no", "Their.Error", "d", ["s"])))
    assert isinstance(verdict, Throw)
    name = f"aws_durable_execution_sdk_python.exceptions.{kind.__name__}"
    assert raised(verdict.error) == (kind, "no", name, "d", ["s"], None)


def test_callback_result():
    assert callback_result(KEY, record("SUCCEEDED", "CALLBACK", result="ok")) == Deliver("ok")
    assert callback_result(KEY, record("STARTED", "CALLBACK")) == Park(None)
    assert callback_result(KEY, None) == Park(None)
