"""The sides of a differential test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compat import scenarios
from tests.compat.sides import Here, Worker
from tests.house.sources import ROOT
from tests.support.recolour import recoloured


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
def ours_async() -> Here:
    """Our SDK, in this process, with every scenario as an `async def` handler."""
    package = scenarios.__name__
    names = ["registry", "batches", "branches", "callbacks", "children", "conditions", "outcomes", "programs", "steps"]
    modules = recoloured([f"{package}.{name}" for name in names], also=("caught",))
    return Here("ours, async def", modules[0].REGISTRY)


@pytest.fixture(scope="session")
def official() -> Iterator[Worker]:
    """The official SDK 3.0.0, in its own process."""
    worker = Worker("official 3.0.0", official_python("3.0.0", "DURABLE_OFFICIAL_PYTHON"))
    yield worker
    worker.close()
