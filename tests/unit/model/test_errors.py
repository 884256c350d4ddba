"""The tree of errors: type names in history, rebuilding, pickling, classification."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from durable_execution_sdk import exceptions
from durable_execution_sdk.concurrency.models import BatchCompletionError, CompletionReason
from durable_execution_sdk.exceptions import (
    BackgroundThreadError,
    BotoClientError,
    CallbackError,
    CallbackTimeoutError,
    CheckpointError,
    ChildContextError,
    DurableApiErrorCategory,
    DurableExecutionClientError,
    DurableExecutionsError,
    DurableOperationError,
    ExecutionError,
    GetExecutionStateError,
    InvocationError,
    NonDeterministicExecutionError,
    OrderedLockError,
    OrphanedChildException,
    PromiseTimeoutError,
    RetryableSerDesError,
    SerDesError,
    StepError,
    StepInterruptedError,
    SuspendExecution,
    TerminationReason,
    TimedSuspendExecution,
    UnrecoverableError,
    ValidationError,
    is_durable_execution_client_error,
    register_operation_error,
)
from durable_execution_sdk.lambda_service import ErrorObject

OFFICIAL = "aws_durable_execution_sdk_python"


class OwnStepError(StepError):
    """A user's."""


class OwnSerDesError(SerDesError):
    """A user's."""


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ValueError("x"), "ValueError"),
        (json.JSONDecodeError("x", "", 0), "json.decoder.JSONDecodeError"),
        (StepError("x"), f"{OFFICIAL}.exceptions.StepError"),
        (ValidationError("x"), f"{OFFICIAL}.exceptions.ValidationError"),
        (CheckpointError("x"), f"{OFFICIAL}.exceptions.CheckpointError"),
        (BatchCompletionError(), f"{OFFICIAL}.concurrency.models.BatchCompletionError"),
        (SerDesError("x"), f"{OFFICIAL}.exceptions.SerDesError"),
        (OwnSerDesError("x"), f"{OFFICIAL}.exceptions.SerDesError"),
        (OwnStepError("x"), f"{__name__}.OwnStepError"),
        (PromiseTimeoutError("x"), "durable_execution_sdk.exceptions.PromiseTimeoutError"),
        (DurableExecutionClientError("x"), "durable_execution_sdk.exceptions.DurableExecutionClientError"),
    ],
)
def test_type_names_that_are_written(error: Exception, name: str) -> None:
    assert ErrorObject.from_exception(error).type == name


def test_what_is_recorded_of_an_error() -> None:
    plain = ErrorObject.from_exception(ValueError("bad"))
    assert plain == ErrorObject("bad", "ValueError", None, None)
    ours = ErrorObject.from_exception(StepError("m", "builtins.E", "data", ["line"]))
    assert ours == ErrorObject("m", f"{OFFICIAL}.exceptions.StepError", "data", ["line"])
    assert ErrorObject.from_exception(KeyError("k")).message == "'k'"


REGISTERED = [
    "StepError",
    "InvokeError",
    "ChildContextError",
    "WaitForConditionError",
    "CallbackError",
    "CallbackExternalError",
    "CallbackTimeoutError",
    "CallbackSubmitterError",
]


@pytest.mark.parametrize("name", REGISTERED)
@pytest.mark.parametrize("spelling", [f"{OFFICIAL}.exceptions.", "durable_execution_sdk.exceptions.", ""])
def test_type_names_that_are_read(name: str, spelling: str) -> None:
    rebuilt = DurableOperationError.from_error_fields(spelling + name, "m", "d", ["s"])
    assert type(rebuilt) is getattr(exceptions, name)
    assert (rebuilt.message, rebuilt.error_type, rebuilt.data, rebuilt.stack_trace) == (
        "m",
        spelling + name,
        "d",
        ["s"],
    )


@pytest.mark.parametrize(
    "name", ["ValueError", "some.where.StepErrors", "", None, f"{OFFICIAL}.exceptions.ExecutionError"]
)
def test_other_type_names_become_the_base_class(name: str | None) -> None:
    rebuilt = DurableOperationError.from_error_fields(name, "m", None, None)
    assert type(rebuilt) is DurableOperationError
    assert rebuilt.error_type == (name or f"{OFFICIAL}.exceptions.DurableOperationError")


def test_batch_errors_come_back_with_a_reason() -> None:
    for spelling in (f"{OFFICIAL}.concurrency.models.", "durable_execution_sdk.concurrency.models.", ""):
        rebuilt = DurableOperationError.from_error_fields(f"{spelling}BatchCompletionError", "m", None, None)
        assert isinstance(rebuilt, BatchCompletionError)
        assert rebuilt.completion_reason is CompletionReason.CUSTOM_COMPLETION_FAILED


def test_a_users_own_error_comes_back_once_it_is_registered() -> None:
    class Refused(StepError):
        pass

    recorded = ErrorObject.from_exception(Refused("no"))
    assert type(recorded.to_durable_operation_error()) is DurableOperationError
    register_operation_error(Refused)
    assert type(recorded.to_durable_operation_error()) is Refused


def test_raising_wraps_the_rebuilt_error() -> None:
    recorded = ErrorObject("late", f"{OFFICIAL}.exceptions.CallbackTimeoutError", "d", None)
    with pytest.raises(ChildContextError) as caught:
        recorded.raise_as_operation_error(ChildContextError)
    assert (caught.value.message, caught.value.data) == ("late", "d")
    assert caught.value.error_type == recorded.type
    cause = caught.value.__cause__
    assert type(cause) is CallbackTimeoutError
    assert cause.__cause__ is None


@pytest.mark.parametrize("name", [f"{OFFICIAL}.exceptions.", "durable_execution_sdk.exceptions.", ""])
def test_serialization_failures_come_back_as_themselves(name: str) -> None:
    with pytest.raises(SerDesError) as caught:
        ErrorObject("no form", f"{name}SerDesError", None, None).raise_as_operation_error(StepError)
    assert type(caught.value) is SerDesError
    assert isinstance(caught.value.__cause__, DurableOperationError)


def test_recorded_form_and_back() -> None:
    error = StepError("m", "ValueError", "d", ["s"])
    assert error.to_error_object() == ErrorObject.from_exception(error)
    rebuilt = DurableOperationError.from_error_object(error.to_error_object())
    assert type(rebuilt) is StepError
    assert ErrorObject.from_dict(error.to_error_object().to_dict()) == error.to_error_object()
    assert ErrorObject.from_message("only").to_dict() == {"ErrorMessage": "only"}


EVERY_ERROR: list[BaseException] = [
    DurableExecutionsError("m"),
    ValidationError("m"),
    OrderedLockError("m", ValueError("v")),
    SerDesError("m", data="d"),
    StepError("m", "T", "d", ["s"]),
    BatchCompletionError(CompletionReason.CUSTOM_COMPLETION_FAILED, "m"),
    PromiseTimeoutError("m"),
    UnrecoverableError("m", TerminationReason.UNHANDLED_ERROR),
    ExecutionError("m"),
    NonDeterministicExecutionError("m", "id"),
    StepInterruptedError("m", "id"),
    RetryableSerDesError("m"),
    BotoClientError("m", DurableApiErrorCategory.EXECUTION, {"Code": "c", "Message": "m"}),
    CheckpointError("m"),
    DurableExecutionClientError("m", scope=DurableApiErrorCategory.EXECUTION),
    SuspendExecution("m"),
    TimedSuspendExecution("m", 12.5),
    BackgroundThreadError("m", ValueError("v")),
    OrphanedChildException("m", "id"),
]
DUPLICATES: list[Callable[[Any], Any]] = [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))]


@pytest.mark.parametrize("duplicate", DUPLICATES)
@pytest.mark.parametrize("error", EVERY_ERROR, ids=lambda error: type(error).__name__)
def test_errors_survive_copying(error: BaseException, duplicate: Callable[[Any], Any]) -> None:
    again = duplicate(error)
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert again.args == error.args
    assert {name: repr(value) for name, value in vars(again).items()} == {
        name: repr(value) for name, value in vars(error).items()
    }


def test_a_subclass_with_other_arguments_survives_pickling() -> None:
    again = pickle.loads(pickle.dumps(Late(3, why="slow")))
    assert (again.hours, again.why, str(again)) == (3, "slow", "3 hours late")


class Late(StepError):
    def __init__(self, hours: int, *, why: str) -> None:
        super().__init__(f"{hours} hours late")
        self.hours = hours
        self.why = why


def test_signals_pass_through_except_exception() -> None:
    for signal in (SuspendExecution("m"), BackgroundThreadError("m", ValueError()), OrphanedChildException("m", "i")):
        assert not isinstance(signal, Exception)
    at = datetime(2026, 1, 2, tzinfo=UTC)
    assert TimedSuspendExecution.from_datetime("m", at).scheduled_timestamp == at.timestamp()
    assert isinstance(TimedSuspendExecution.from_delay("m", 5), SuspendExecution)


class Failed(Exception):
    """What botocore raises."""

    def __init__(self, error: dict[str, str], status: int) -> None:
        super().__init__("failed")
        self.response = {"Error": error, "ResponseMetadata": {"HTTPStatusCode": status}}


INVOCATION, EXECUTION = DurableApiErrorCategory.INVOCATION, DurableApiErrorCategory.EXECUTION


@pytest.mark.parametrize(
    ("status", "code", "message", "ends"),
    [
        (400, "ValidationException", "bad", EXECUTION),
        (403, "AccessDeniedException", "no", EXECUTION),
        (404, "ResourceNotFoundException", "gone", EXECUTION),
        (429, "TooManyRequestsException", "slow down", INVOCATION),
        (400, "InvalidParameterValueException", "Invalid checkpoint token", INVOCATION),
        (400, "InvalidParameterValueException", "Invalid checkpoint token: stale", INVOCATION),
        (400, "InvalidParameterValueException", "invalid checkpoint token", INVOCATION),
        (400, "InvalidParameterValueException", "something else", EXECUTION),
        (400, "OtherException", "Invalid checkpoint token", EXECUTION),
        (500, "ServiceException", "oops", INVOCATION),
        (502, "BadGateway", "oops", INVOCATION),
        (502, "KMSAccessDeniedException", "key", EXECUTION),
        (502, "KMSDisabledException", "key", EXECUTION),
        (502, "KMSInvalidStateException", "key", EXECUTION),
        (502, "KMSNotFoundException", "key", EXECUTION),
    ],
)
def test_classification(status: int, code: str, message: str, ends: DurableApiErrorCategory) -> None:
    failed = Failed({"Code": code, "Message": message}, status)
    for kind in (BotoClientError, CheckpointError, GetExecutionStateError):
        error = kind.from_exception(failed)
        assert type(error) is kind
        assert error.error_category is ends
        assert error.is_retryable() is error.is_retriable() is (ends is INVOCATION)
        assert error.build_logger_extras() == failed.response


def test_failures_without_an_answer_are_tried_again() -> None:
    error = CheckpointError.from_exception(ConnectionError("reset"))
    assert (str(error), error.is_retryable(), error.build_logger_extras()) == ("reset", True, {})
    assert error.termination_reason is TerminationReason.CHECKPOINT_FAILED
    status_alone = type("E", (Exception,), {"response": {"ResponseMetadata": {"HTTPStatusCode": 404}}})
    assert CheckpointError.from_exception(status_alone()).is_retryable()


def test_errors_of_a_users_client() -> None:
    for scope, retry in ((INVOCATION, True), (EXECUTION, False)):
        error = DurableExecutionClientError("m", scope=scope)
        assert isinstance(error, InvocationError)
        assert error.is_retryable() is retry
        assert is_durable_execution_client_error(error)
    foreign = type("E", (Exception,), {"is_durable_execution_client_error": True, "scope": "EXECUTION"})()
    assert is_durable_execution_client_error(foreign)
    assert not is_durable_execution_client_error(ValueError())
    assert not is_durable_execution_client_error(type("E", (), {"is_durable_execution_client_error": True})())


def test_callback_errors_are_callback_errors() -> None:
    assert issubclass(CallbackTimeoutError, CallbackError)
    assert issubclass(PromiseTimeoutError, TimeoutError)
