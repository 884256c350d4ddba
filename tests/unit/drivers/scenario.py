"""Run a handler on the service in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from durable_execution_sdk._drivers.context import DurableContext
from durable_execution_sdk._drivers.invocation import DurableFunction
from tests.support.fake_service import FakeService

Handler = Callable[[Any, DurableContext], Any]


def first(handler: Handler, service: FakeService | None = None) -> tuple[dict[str, Any], FakeService]:
    """One invocation."""
    service = service or FakeService()
    return service.invoke(DurableFunction(handler)), service


def whole(handler: Handler, service: FakeService | None = None) -> tuple[dict[str, Any], FakeService]:
    """All invocations until the execution ends."""
    service = service or FakeService()
    return service.run(DurableFunction(handler)), service


def sent(service: FakeService) -> list[list[tuple[str, ...]]]:
    """The requests, as (type, action, name)."""
    return [
        [(update["Type"], update["Action"], update.get("Name", "")) for update in request]
        for request in service.requests
    ]
