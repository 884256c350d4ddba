"""Failed calls of the service: what they end, and the errors that say so."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, Self, TypedDict

from durable_execution_sdk._model.errors import InvocationError, TerminationReason, register_official_error
from durable_execution_sdk._model.homes import public
from durable_execution_sdk._model.values import Value, value

BAD_REQUEST_ERROR: Final = 400
TOO_MANY_REQUESTS_ERROR: Final = 429
SERVICE_ERROR: Final = 500
INVALID_PARAMETER_VALUE_EXCEPTION: Final = "InvalidParameterValueException"
INVALID_CHECKPOINT_TOKEN_PREFIX: Final = "Invalid checkpoint token"

KMS_ERROR_CODES: Final = frozenset(
    {"KMSAccessDeniedException", "KMSDisabledException", "KMSInvalidStateException", "KMSNotFoundException"}
)


@public("exceptions")
class AwsErrorObj(TypedDict):
    """The `Error` member of a failed boto3 call."""

    Code: str | None
    Message: str | None


@public("exceptions")
class AwsErrorMetadata(TypedDict):
    """The `ResponseMetadata` member of a failed boto3 call."""

    RequestId: str | None
    HostId: str | None
    HTTPStatusCode: int | None
    HTTPHeaders: str | None
    RetryAttempts: str | None


@public("exceptions")
class DurableApiErrorCategory(Enum):
    """What a failed service call ends: this invocation (it is tried again), or the whole execution."""

    INVOCATION = "INVOCATION"
    EXECUTION = "EXECUTION"


CheckpointErrorCategory = DurableApiErrorCategory
DurableExecutionClientErrorScope = DurableApiErrorCategory


@public("exceptions")
class BotoClientError(InvocationError):
    """A call of the Lambda API failed.

    Attributes:
        error_category: Whether it ends the invocation or the execution.
        error: `Code` and `Message`, if the service answered.
        response_metadata: Request id, status code and so on, if the service answered.
    """

    def __init__(
        self,
        message: str,
        error_category: DurableApiErrorCategory = DurableApiErrorCategory.INVOCATION,
        error: AwsErrorObj | None = None,
        response_metadata: AwsErrorMetadata | None = None,
        termination_reason: TerminationReason = TerminationReason.INVOCATION_ERROR,
    ) -> None:
        super().__init__(message, termination_reason)
        self.error = error
        self.response_metadata = response_metadata
        self.error_category = error_category

    @classmethod
    def from_exception(cls, exception: Exception) -> Self:
        """Classify what boto3 raised, by the answer of the service that it carries, if any."""
        response = getattr(exception, "response", None)
        if not isinstance(response, dict):  # no answer, or the exception of another HTTP library
            response = {}
        error: AwsErrorObj | None = response.get("Error")
        metadata: AwsErrorMetadata | None = response.get("ResponseMetadata")
        return cls(
            message=str(exception),
            error_category=classify_api_error(error, metadata),
            error=error,
            response_metadata=metadata,
        )

    def is_retryable(self) -> bool:
        """Whether the next invocation may succeed."""
        return self.error_category is DurableApiErrorCategory.INVOCATION

    def is_retriable(self) -> bool:
        """The older spelling of `is_retryable`."""
        return self.is_retryable()

    def build_logger_extras(self) -> dict[str, Any]:
        """What a log record should carry, under the names that the service uses."""
        extras = {"Error": self.error, "ResponseMetadata": self.response_metadata}
        return {name: value for name, value in extras.items() if value}


@public("exceptions")
class DurableExecutionClientError(InvocationError):
    """Raise this from a service client of your own, to say what its failure ends.

    Attributes:
        scope: `INVOCATION`, and the service invokes again (the default), or `EXECUTION`.
    """

    is_durable_execution_client_error = True

    def __init__(self, message: str, *, scope: DurableApiErrorCategory = DurableApiErrorCategory.INVOCATION) -> None:
        super().__init__(message)
        self.scope = DurableApiErrorCategory(scope)

    def is_retryable(self) -> bool:
        """Whether the next invocation may succeed."""
        return self.scope is DurableApiErrorCategory.INVOCATION


@public("exceptions")
def is_durable_execution_client_error(error: object) -> bool:
    """Whether this is a `DurableExecutionClientError`, or looks like one that another copy of the SDK made."""
    scope = getattr(getattr(error, "scope", None), "value", getattr(error, "scope", None))
    marked = getattr(error, "is_durable_execution_client_error", False) is True
    return marked and scope in DurableApiErrorCategory.__members__


@public("exceptions")
class CheckpointError(BotoClientError):
    """A checkpoint could not be written."""

    def __init__(
        self,
        message: str,
        error_category: DurableApiErrorCategory = DurableApiErrorCategory.INVOCATION,
        error: AwsErrorObj | None = None,
        response_metadata: AwsErrorMetadata | None = None,
    ) -> None:
        super().__init__(message, error_category, error, response_metadata, TerminationReason.CHECKPOINT_FAILED)


@public("exceptions")
class GetExecutionStateError(BotoClientError):
    """A page of the history could not be read."""

    def __init__(
        self,
        message: str,
        error_category: DurableApiErrorCategory = DurableApiErrorCategory.INVOCATION,
        error: AwsErrorObj | None = None,
        response_metadata: AwsErrorMetadata | None = None,
    ) -> None:
        super().__init__(message, error_category, error, response_metadata, TerminationReason.INVOCATION_ERROR)


@value
class FailureRow(Value):
    """One row of the table of failed calls. A condition left out holds for every answer."""

    ends: DurableApiErrorCategory
    codes: frozenset[str] | None = None
    statuses: range | None = None
    message_prefix: str = ""
    """Compared without regard to case: the SDKs of the service disagree on how it is written."""

    def covers(self, code: str, status: int, message: str) -> bool:
        """Whether the row speaks of this answer."""
        return (
            (self.codes is None or code in self.codes)
            and (self.statuses is None or status in self.statuses)
            and message[: len(self.message_prefix)].casefold() == self.message_prefix.casefold()
        )


FAILURES: Final = (
    # Status 502, yet no retry helps: somebody has to repair the key.
    FailureRow(DurableApiErrorCategory.EXECUTION, codes=KMS_ERROR_CODES),
    FailureRow(
        DurableApiErrorCategory.INVOCATION, statuses=range(TOO_MANY_REQUESTS_ERROR, TOO_MANY_REQUESTS_ERROR + 1)
    ),
    # Another invocation has written meanwhile; the next one gets a fresh token.
    FailureRow(
        DurableApiErrorCategory.INVOCATION,
        codes=frozenset({INVALID_PARAMETER_VALUE_EXCEPTION}),
        message_prefix=INVALID_CHECKPOINT_TOKEN_PREFIX,
    ),
    FailureRow(DurableApiErrorCategory.EXECUTION, statuses=range(BAD_REQUEST_ERROR, SERVICE_ERROR)),
)
"""What a failed call ends: the first row that covers the answer, as in the official SDK 3.0.0; INVOCATION if none does
(5xx, timeouts, a broken connection or body).
"""


def classify_api_error(
    error: AwsErrorObj | None, response_metadata: AwsErrorMetadata | None
) -> DurableApiErrorCategory:
    """What a failed call ends, by the table `FAILURES`; INVOCATION for an answer that names no error."""
    if not error:
        return DurableApiErrorCategory.INVOCATION
    code, message = error.get("Code") or "", error.get("Message") or ""
    status = (response_metadata.get("HTTPStatusCode") if response_metadata else None) or 0
    return next((row.ends for row in FAILURES if row.covers(code, status, message)), DurableApiErrorCategory.INVOCATION)


for _official in (BotoClientError, CheckpointError, GetExecutionStateError):
    register_official_error(_official)
del _official
