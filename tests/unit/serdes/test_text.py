"""The everyday serializers, their failures, and payload sizes. The codec itself has its own tests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from durable_execution_sdk._serdes.text import PAYLOAD_LIMIT_BYTES, check_payload, payload_bytes
from durable_execution_sdk.concurrency.models import BatchItem, BatchItemStatus, BatchResult, CompletionReason
from durable_execution_sdk.exceptions import RetryableSerDesError, SerDesError
from durable_execution_sdk.serdes import (
    DEFAULT_JSON_SERDES,
    EXTENDED_TYPES_SERDES,
    PASS_THROUGH_SERDES,
    SerDes,
    SerDesContext,
    default_serdes,
    deserialize,
    json_serdes,
    serialize,
)

CONTEXT = SerDesContext("op", "arn")


@pytest.mark.parametrize("value", [None, "é", [1, [2, "x"], None], {"a": (1, Decimal("1.50"))}, b"\x00", [1, (2,)]])
def test_extended_types_come_back(value: Any) -> None:
    assert EXTENDED_TYPES_SERDES.deserialize(EXTENDED_TYPES_SERDES.serialize(value, CONTEXT), CONTEXT) == value
    assert EXTENDED_TYPES_SERDES.deserialize(EXTENDED_TYPES_SERDES.serialize(value)) == value


def test_batch_results_come_back() -> None:
    batch = BatchResult([BatchItem(0, BatchItemStatus.SUCCEEDED, result=(5,))], CompletionReason.ALL_COMPLETED)
    assert EXTENDED_TYPES_SERDES.deserialize(EXTENDED_TYPES_SERDES.serialize({"b": [batch]})) == {"b": [batch]}


def test_plain_json() -> None:
    assert DEFAULT_JSON_SERDES.serialize({"a": [1, "é"]}, CONTEXT) == '{"a": [1, "\\u00e9"]}'
    assert DEFAULT_JSON_SERDES.deserialize('{"a": [1]}', CONTEXT) == {"a": [1]}
    assert (default_serdes, json_serdes) == (EXTENDED_TYPES_SERDES, DEFAULT_JSON_SERDES)


def test_pass_through() -> None:
    assert PASS_THROUGH_SERDES.serialize("as is", CONTEXT) == "as is"
    assert PASS_THROUGH_SERDES.deserialize("as is", CONTEXT) == "as is"
    assert serialize(PASS_THROUGH_SERDES, None, "op", "arn") is None


@pytest.mark.parametrize(
    ("value", "primitive"),
    [(None, True), ("", True), (1.5, True), ([True, [None]], True), ((1,), False), ({}, False), ([{}], False)],
)
def test_primitives(value: Any, primitive: bool) -> None:
    assert SerDes.is_primitive(value) is primitive


class Failing(SerDes[Any]):
    """Raises what it is given, or returns it."""

    def __init__(self, what: Any) -> None:
        self.what = what

    def serialize(self, value: Any, serdes_context: SerDesContext) -> str:
        assert serdes_context == CONTEXT
        if isinstance(self.what, BaseException):
            raise self.what
        text: str = self.what
        return text

    def deserialize(self, data: str, serdes_context: SerDesContext) -> Any:
        return self.serialize(data, serdes_context)


@pytest.mark.parametrize("error", [SerDesError("own", data="d"), RetryableSerDesError("later")])
def test_the_own_kinds_of_failure_pass(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        serialize(Failing(error), 1, "op", "arn")
    assert caught.value is error
    with pytest.raises(type(error)) as caught:
        deserialize(Failing(error), "1", "op", "arn")
    assert caught.value is error


def test_other_failures_name_the_operation_and_the_cause() -> None:
    cause = ZeroDivisionError("by zero")
    with pytest.raises(SerDesError, match=r"cannot serialize .*'op': ZeroDivisionError: by zero") as caught:
        serialize(Failing(cause), 1, "op", "arn")
    assert caught.value.__cause__ is cause
    with pytest.raises(SerDesError, match=r"cannot deserialize .*'op': ZeroDivisionError: by zero"):
        deserialize(Failing(cause), "1", "op", "arn")


def test_the_default_serializer_fails_as_itself() -> None:
    with pytest.raises(SerDesError, match="set"):
        serialize(None, {1}, "op", "arn")
    with pytest.raises(SerDesError):
        deserialize(None, "{", "op", "arn")


def test_signals_are_not_failures() -> None:
    with pytest.raises(KeyboardInterrupt):
        serialize(Failing(KeyboardInterrupt()), 1, "op", "arn")


def test_a_serializer_must_return_text() -> None:
    with pytest.raises(SerDesError, match="'op' returned bytes where text is needed"):
        serialize(Failing(b"x"), 1, "op", "arn")


@pytest.mark.parametrize(("text", "size"), [("", 0), ("abc", 3), ("é", 2), ("\U0001f600", 4), ("\ud800", 3)])
def test_sizes_are_bytes(text: str, size: int) -> None:
    assert payload_bytes(text) == check_payload(text, "x") == size


def test_payloads_have_a_limit() -> None:
    assert check_payload(None, "x") == 0
    assert check_payload("a" * PAYLOAD_LIMIT_BYTES, "x") == PAYLOAD_LIMIT_BYTES
    with pytest.raises(SerDesError, match="payload of step 'load' is 6291458 bytes; the service takes at most 6291456"):
        check_payload("é" * (PAYLOAD_LIMIT_BYTES // 2 + 1), "step 'load'")
