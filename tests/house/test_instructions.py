"""The comparison of instruction counts notices what it is for."""

from __future__ import annotations

import importlib.util
import tomllib
from types import ModuleType

import pytest

from tests.house.sources import ROOT


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("instructions", ROOT / "tools" / "instructions.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_growth_over_a_tenth_fails(tool: ModuleType) -> None:
    kept = {"small": 1000.0, "rich": 2000.0}
    assert tool.grown(kept, {"small": 1099.0, "rich": 100.0}) == []
    [fault] = tool.grown(kept, {"small": 1111.0, "rich": 2000.0})
    assert fault.startswith("small needs 1111.0 instructions, 11.1% more than the 1000.0")


def test_what_is_kept_and_what_is_measured_are_the_same_shapes(tool: ModuleType) -> None:
    assert [*tool.grown({"a": 1.0}, {})] == ["a is not measured: `make record-instructions`"]
    assert [*tool.grown({}, {"a": 1.0})] == ["a is not kept: `make record-instructions`"]
    kept = tomllib.loads(tool.KEPT.read_text(encoding="utf-8"))
    assert kept["instructions"].keys() == tool.SHAPES.keys()
    assert all(count > 0 for count in kept["instructions"].values())
