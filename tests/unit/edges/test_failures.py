"""What a failed call of the service ends, row by row."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from durable_execution_sdk._model.api_errors import (
    FAILURES,
    BotoClientError,
    CheckpointError,
    DurableApiErrorCategory,
    GetExecutionStateError,
)

INVOCATION, EXECUTION = DurableApiErrorCategory.INVOCATION, DurableApiErrorCategory.EXECUTION


class Failed(Exception):
    """As botocore's ClientError: the parsed answer in `response`."""

    def __init__(self, response: Any) -> None:
        super().__init__("the call failed")
        self.response = response


def failed(status: int | None, code: str | None, message: str | None = None) -> Failed:
    metadata = {} if status is None else {"HTTPStatusCode": status, "RequestId": "5f0d9a52"}
    return Failed({"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata})


KMS = ("KMSAccessDeniedException", "KMSDisabledException", "KMSInvalidStateException", "KMSNotFoundException")

ROWS = [
    *((failed(status, code), EXECUTION) for code in KMS for status in (502, 400, 429, None)),
    (failed(429, "TooManyRequestsException"), INVOCATION),
    (failed(429, "429"), INVOCATION),
    (failed(400, "InvalidParameterValueException", "Invalid checkpoint token"), INVOCATION),
    (failed(400, "InvalidParameterValueException", "Invalid Checkpoint Token: it was used"), INVOCATION),
    (failed(400, "InvalidParameterValueException", "The token: Invalid checkpoint token"), EXECUTION),
    (failed(400, "InvalidParameterValueException", "Invalid checkpoint"), EXECUTION),
    (failed(400, "InvalidParameterValueException", ""), EXECUTION),
    (failed(400, "InvalidParameterValueException"), EXECUTION),
    (failed(400, "ValidationException", "Invalid checkpoint token"), EXECUTION),
    *((failed(status, "Refused"), EXECUTION) for status in (400, 401, 403, 404, 409, 428, 430, 499)),
    (failed(400, None), EXECUTION),
    *((failed(status, "ServiceException"), INVOCATION) for status in (500, 502, 503, 599)),
    (failed(399, "Odd"), INVOCATION),
    (failed(None, "Odd"), INVOCATION),
    (Failed({"ResponseMetadata": {"HTTPStatusCode": 404}}), INVOCATION),
    (Failed({}), INVOCATION),
    (Failed(None), INVOCATION),
    (Failed(object()), INVOCATION),
    (TimeoutError("read"), INVOCATION),
    (ConnectionError("reset"), INVOCATION),
    (ValueError("broken body"), INVOCATION),
]


def describe(row: Any) -> str:
    response = getattr(row, "response", None)
    return repr(row if not isinstance(response, dict) else response)


@pytest.mark.parametrize("error_class", [BotoClientError, CheckpointError, GetExecutionStateError])
@pytest.mark.parametrize(("exception", "category"), ROWS, ids=describe)
def test_row(error_class: type[BotoClientError], exception: Exception, category: DurableApiErrorCategory) -> None:
    error = error_class.from_exception(exception)
    assert type(error) is error_class
    assert error.error_category is category
    assert error.is_retryable() is error.is_retriable() is (category is INVOCATION)
    assert str(error) == str(exception)


def test_every_row_of_the_table_decides_something() -> None:
    """A row that another one shadows would be dead; so each must be the first to cover some answer above."""
    deciding = set()
    for exception, _ in ROWS:
        response = getattr(exception, "response", None)
        fields = response.get("Error") if isinstance(response, dict) else None
        if fields:
            answer = (
                fields["Code"] or "",
                response["ResponseMetadata"].get("HTTPStatusCode", 0),
                fields["Message"] or "",
            )
            deciding |= {next((index for index, row in enumerate(FAILURES) if row.covers(*answer)), len(FAILURES))}
    assert deciding == set(range(len(FAILURES) + 1))


def test_what_the_service_said_is_kept() -> None:
    exception = failed(404, "ResourceNotFoundException", "no such execution")
    error = CheckpointError.from_exception(exception)
    assert error.error == {"Code": "ResourceNotFoundException", "Message": "no such execution"}
    assert error.response_metadata == {"HTTPStatusCode": 404, "RequestId": "5f0d9a52"}
    assert error.build_logger_extras() == {"Error": error.error, "ResponseMetadata": error.response_metadata}
    assert CheckpointError.from_exception(TimeoutError()).build_logger_extras() == {}
    assert pickle.loads(pickle.dumps(error)).error_category is EXECUTION
