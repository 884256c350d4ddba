"""One invocation of a scenario on whichever SDK is installed: shared by the test process and the official worker.

Imports no SDK until it is told which.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
TIMESTAMPS = {"StartTimestamp", "EndTimestamp", "NextAttemptTimestamp", "ScheduledEndTimestamp"}


class Sdk:
    """An SDK by its import name; attributes are its modules, `sdk.top` the package itself.

    Scenarios are written against this, so that one text runs on both.
    """

    def __init__(self, module: str) -> None:
        self.module = module
        self.top = importlib.import_module(module)

    def __getattr__(self, name: str) -> Any:
        return importlib.import_module(f"{self.module}.{name}")


def as_boto3(value: Any, key: str | None = None) -> Any:
    """An answer of the service as boto3 would have parsed it: timestamps are datetimes."""
    if isinstance(value, Mapping):
        return {name: as_boto3(member, name) for name, member in value.items()}
    if isinstance(value, list):
        return [as_boto3(member) for member in value]
    if key in TIMESTAMPS and isinstance(value, int):
        return datetime.fromtimestamp(value / 1000, UTC)
    return value


class Client:
    """A boto3 Lambda client as far as an SDK calls it."""

    def __init__(self, checkpoint: Callable[[Json], Json]) -> None:
        self._checkpoint = checkpoint

    def checkpoint_durable_execution(self, **request: Any) -> Any:
        """Hand the request to the service."""
        return as_boto3(self._checkpoint(request))

    def get_durable_execution_state(self, **request: Any) -> Any:
        """Never asked: these histories fit the first page."""
        raise AssertionError(f"a page was asked for: {request}")


class LambdaContext:
    """What the runtime passes beside the event."""

    aws_request_id = "9a3f0f9e-2f43-4c9e-9d8a-2f7a0a6b6a11"
    function_name = "diff"
    function_version = "$LATEST"
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:diff"
    memory_limit_in_mb = "128"
    log_group_name = "/aws/lambda/diff"
    log_stream_name = "diff"
    tenant_id = None
    client_context = None
    identity = None

    def get_remaining_time_in_millis(self) -> int:
        """A quarter of an hour, always."""
        return 900_000

    def log(self, message: str) -> None:
        """Drop it."""


def invoke(sdk: Sdk, body: Callable[[Sdk, Any, Any], Any], event: Json, checkpoint: Callable[[Json], Json]) -> Json:
    """Run one invocation: `{"output": ...}`, or `{"raised": [type, message]}` where the handler raised."""
    if inspect.iscoroutinefunction(body):

        async def run(payload: Any, context: Any) -> Any:
            return await body(sdk, payload, context)

    else:

        def run(payload: Any, context: Any) -> Any:
            return body(sdk, payload, context)

    handler = sdk.top.durable_execution(run, boto3_client=Client(checkpoint))
    try:
        return {"output": handler(event, LambdaContext())}
    except Exception as error:  # the service would see an invocation error, whatever it is
        return {"raised": [type(error).__name__, str(error)]}
