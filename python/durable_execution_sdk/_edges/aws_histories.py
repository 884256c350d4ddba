"""Executions and their histories as AWS Lambda lists them, read politely.

Three calls, all of which only read: ListDurableExecutionsByFunction, GetDurableExecution and
GetDurableExecutionHistory. They share a quota with what deploys and operates functions, so requests are spaced out,
and more so after the service has said that there were too many; a `Retry-After` is waited for in full.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from durable_execution_sdk._edges.aws import understood
from durable_execution_sdk._edges.user_agent import user_agent_extra
from durable_execution_sdk._model.homes import public

if TYPE_CHECKING:
    # Stubs, installed for development only; without them the annotation is Any.
    from mypy_boto3_lambda import LambdaClient as Boto3LambdaClient

REQUESTS_PER_SECOND: Final = 5.0
"""A third of what Lambda allows an account for all of its control plane."""

PAGE_SIZE: Final = 1000
"""The most that the service gives at once."""

CONNECT_TIMEOUT_SECONDS: Final = 5
READ_TIMEOUT_SECONDS: Final = 60
ATTEMPTS: Final = 8
_SLOWEST_SECONDS: Final = 10.0
_PATIENCE_SECONDS: Final = 300.0
_OPERATIONS: Final = ("ListDurableExecutionsByFunction", "GetDurableExecution", "GetDurableExecutionHistory")


@public("replay")
class HistorySourceError(Exception):
    """Histories cannot be read from AWS: it refused, was not reached, or does not know what was asked for.

    Attributes:
        not_found: Whether there is no such function or execution (any more).
    """

    def __init__(self, message: str, *, not_found: bool = False) -> None:
        super().__init__(message)
        self.not_found = not_found


@public("replay")
def histories_client(
    region: str | None = None, profile: str | None = None, endpoint_url: str | None = None
) -> Boto3LambdaClient:
    """A boto3 client for reading histories: many attempts, long read timeout. None: as boto3's configuration says.

    Raises:
        HistorySourceError: There is no such profile, or no region is configured.
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    config = Config(
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        user_agent_extra=user_agent_extra(),
    )
    try:
        session = boto3.session.Session(profile_name=profile, region_name=region)
        client: Boto3LambdaClient = session.client("lambda", endpoint_url=endpoint_url, config=config)
    except (BotoCoreError, ValueError) as error:
        raise HistorySourceError(f"No client for AWS Lambda can be made: {error}") from error
    return client


class _Pace:
    """When the next request may go out."""

    def __init__(self, per_second: float, now: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._least = 1 / per_second
        self._gap = self._least
        self._next = float("-inf")
        self._now = now
        self._sleep = sleep

    def wait(self) -> None:
        """Until it may; requests that are answered at once bring the pace back, little by little."""
        pause = self._next - self._now()
        if pause > 0:
            self._sleep(pause)
        self._next = self._now() + self._gap
        self._gap = max(self._least, self._gap * 0.9)

    def slow_down(self) -> None:
        """There were too many."""
        self._gap = min(_SLOWEST_SECONDS, self._gap * 2)


@public("replay")
class RecordedExecutions:
    """What AWS has recorded.

    Args:
        client: A boto3 Lambda client.
        per_second: Most requests per second, repeated ones aside.
        now: A clock that does not jump, in seconds.
        sleep: What waits for the next request.
    """

    def __init__(
        self,
        client: Any,
        *,
        per_second: float = REQUESTS_PER_SECOND,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._pace = _Pace(per_second, now, sleep)
        for operation in _OPERATIONS:
            client.meta.events.register(
                f"needs-retry.lambda.{operation}", self._patience, f"durable-execution-sdk-patience-{operation}"
            )

    def of_function(
        self,
        function: str,
        *,
        qualifier: str | None = None,
        name: str | None = None,
        statuses: Sequence[str] = (),
        started_after: datetime | None = None,
        started_before: datetime | None = None,
    ) -> Iterator[Mapping[str, Any]]:
        """Summaries of a function's executions, the oldest first (ListDurableExecutionsByFunction)."""
        asked = {
            "Qualifier": qualifier,
            "DurableExecutionName": name,
            "Statuses": [*statuses] or None,
            "StartedAfter": started_after,
            "StartedBefore": started_before,
        }
        given = {key: value for key, value in asked.items() if value is not None}
        yield from self._pages(
            "list_durable_executions_by_function", "DurableExecutions", function, FunctionName=function, **given
        )

    def describe(self, arn: str, *, payloads: bool = True) -> Mapping[str, Any]:
        """One execution: status, times, and its input and outcome (GetDurableExecution)."""
        answer = self._call("get_durable_execution", arn, DurableExecutionArn=arn, IncludeExecutionData=payloads)
        return self._understood(answer, arn, "DurableExecutionArn")

    def events(self, arn: str, *, payloads: bool = True) -> Iterator[Mapping[str, Any]]:
        """The events of an execution, as they come (GetDurableExecutionHistory)."""
        yield from self._pages(
            "get_durable_execution_history", "Events", arn, DurableExecutionArn=arn, IncludeExecutionData=payloads
        )

    def _pages(self, method: str, member: str, subject: str, **asked: Any) -> Iterator[Mapping[str, Any]]:
        marker: str | None = None
        while True:
            more = {} if marker is None else {"Marker": marker}
            answer = self._call(method, subject, MaxItems=PAGE_SIZE, **asked, **more)
            if member == "Events":
                self._understood(answer, subject, member)
            yield from answer.get(member) or ()
            before, marker = marker, answer.get("NextMarker")
            if not marker:
                return
            if marker == before:
                raise HistorySourceError(f"AWS Lambda gives the same page of {subject} again and again.")

    def _call(self, method: str, subject: str, **parameters: Any) -> Mapping[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        self._pace.wait()
        try:
            answer: Mapping[str, Any] = getattr(self._client, method)(**parameters)
        except ClientError as error:
            raise _explained(error, method, subject) from error
        except AttributeError as error:
            raise HistorySourceError(f"This boto3 is too old, it does not know {method}: upgrade it.") from error
        except BotoCoreError as error:
            raise HistorySourceError(f"AWS Lambda cannot be asked about {subject}: {error}") from error
        return answer

    def _understood(self, answer: Mapping[str, Any], subject: str, *members: str) -> Mapping[str, Any]:
        try:
            return understood(answer, *members)
        except ValueError as error:
            raise HistorySourceError(f"{error}; it was asked about {subject}") from error

    def _patience(self, response: Any, attempts: int, **_: Any) -> float | None:
        """Botocore's question whether to try again: how many seconds to wait, or None for botocore's own rules."""
        if response is None or response[0].status_code not in {429, 503}:
            return None
        self._pace.slow_down()
        seconds = _seconds(response[0].headers.get("Retry-After"))
        if seconds is None or attempts >= ATTEMPTS or seconds > _PATIENCE_SECONDS:
            return None
        return seconds


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if seconds >= 0 else None


def _explained(error: Any, method: str, subject: str) -> HistorySourceError:
    code = error.response.get("Error", {}).get("Code", "")
    said = error.response.get("Error", {}).get("Message") or code
    permission = "lambda:" + "".join(word.capitalize() for word in method.split("_"))
    if code == "ResourceNotFoundException":
        return HistorySourceError(f"AWS Lambda knows no {subject}: {said}", not_found=True)
    if code in {"AccessDeniedException", "AccessDenied"}:
        return HistorySourceError(f"{subject} cannot be read: {said} The permission needed is {permission}.")
    if code.startswith("KMS"):
        return HistorySourceError(
            f"The data of {subject} is encrypted with a customer key that cannot be used ({said}): allow kms:Decrypt "
            "on it, or leave payloads out."
        )
    if code in {"TooManyRequestsException", "ThrottlingException"}:
        return HistorySourceError(f"AWS Lambda still says that there are too many requests: {said} Try again later.")
    return HistorySourceError(f"AWS Lambda refuses to tell about {subject}: {code}: {said}")
