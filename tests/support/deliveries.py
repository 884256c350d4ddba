"""The order of deliveries with rules switched off."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

from durable_execution_sdk._core import Deliveries
from durable_execution_sdk._drivers.aio import delivery


class WithoutLane(Deliveries):
    """Finished operations get their promises from Python code, and are delivered by it."""

    def nothing(self, context: object, name: str | None, /) -> None:
        return None

    step = condition = wait = child = invoke = nothing


def with_rules(**methods: Callable[..., Any]) -> AbstractContextManager[Any]:
    """Invocations meanwhile have an order with these methods; it has no lane, which knows the rules by itself."""
    return mock.patch.object(delivery, "Deliveries", type("Changed", (WithoutLane,), methods))
