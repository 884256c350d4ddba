"""Fixtures of the end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from tests.support.loopback import Loopback, loopback


@pytest.fixture
def service() -> Iterator[Loopback]:
    with loopback() as running:
        yield running


@pytest.fixture
def delays(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between attempts, in seconds, noted down instead of slept."""
    slept: list[float] = []
    pause = SimpleNamespace(sleep=slept.append)
    monkeypatch.setattr("botocore.endpoint.time", pause)
    monkeypatch.setattr("durable_execution_sdk._edges.light.time", pause)
    return slept
