"""The sides of a differential test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compat.sides import Here, Worker
from tests.house.sources import ROOT


def official_python(version: str, variable: str) -> str:
    """The interpreter of the environment that holds that version of the official SDK."""
    python = os.environ.get(variable, str(ROOT / ".cache" / "official" / version / "bin" / "python"))
    if not Path(python).exists():
        raise AssertionError(f"no official SDK {version} at {python}: `make official` makes its environment")
    return python


@pytest.fixture(scope="session")
def ours() -> Here:
    """Our SDK, in this process."""
    return Here()


@pytest.fixture(scope="session")
def official() -> Iterator[Worker]:
    """The official SDK 3.0.0, in its own process."""
    worker = Worker("official 3.0.0", official_python("3.0.0", "DURABLE_OFFICIAL_PYTHON"))
    yield worker
    worker.close()
