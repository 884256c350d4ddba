"""What every test of the drivers must leave behind: nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """An invocation ends the threads that it started."""
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("durable-")] == []
