"""Failed calls of the service: what they end, and the errors that say so."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, Self, TypedDict

from durable_execution_sdk._model.errors import InvocationError, TerminationReason, register_official_error
from durable_execution_sdk._model.homes import public

BAD_REQUEST_ERROR: Final = 400
TOO_MANY_REQUESTS_ERROR: Final = 429
SERVICE_ERROR: Final = 500
INVALID_PARAMETER_VALUE_EXCEPTION: Final = "InvalidParameterValueException"
INVALID_CHECKPOINT_TOKEN_PREFIX: Final = "Invalid checkpoint token"

# They arrive with status 502, yet no retry helps: somebody has to repair the key.
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
        """Classify what boto3 raised."""
        response: dict[str, Any] = getattr(exception, "response", None) or {}
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


def classify_api_error(
    error: AwsErrorObj | None, response_metadata: AwsErrorMetadata | None
) -> DurableApiErrorCategory:
    """What a failed call ends.

    | answer                                                             | ends       |
    |--------------------------------------------------------------------|------------|
    | a KMS code, whatever the status                                    | execution  |
    | 429                                                                | invocation |
    | InvalidParameterValueException "Invalid checkpoint token..."       | invocation |
    | any other 4xx that names an error                                  | execution  |
    | 5xx, no answer, anything else                                      | invocation |

    A stale token means that another invocation has written meanwhile; the next one gets a fresh token.
    """
    code = (error.get("Code") if error else None) or ""
    message = (error.get("Message") if error else None) or ""
    status = (response_metadata.get("HTTPStatusCode") if response_metadata else None) or 0
    if code in KMS_ERROR_CODES:
        return DurableApiErrorCategory.EXECUTION
    stale_token = code == INVALID_PARAMETER_VALUE_EXCEPTION and message.startswith(INVALID_CHECKPOINT_TOKEN_PREFIX)
    refused = BAD_REQUEST_ERROR <= status < SERVICE_ERROR and status != TOO_MANY_REQUESTS_ERROR
    if refused and error and not stale_token:
        return DurableApiErrorCategory.EXECUTION
    return DurableApiErrorCategory.INVOCATION


for _official in (BotoClientError, CheckpointError, GetExecutionStateError):
    register_official_error(_official)
del _official
