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
    assert kept["core"].keys() == tool.SHAPES.keys()
    assert kept["replay"]
    replays = [kept["extension"], *kept["replay"].values()]
    assert all(figures.keys() == tool.COLOURS.keys() for figures in replays)
    assert all(count > 0 for figures in [kept["core"], *replays] for count in figures.values())


def test_instructions_are_added_up_for_each_file(tool: ModuleType) -> None:
    profile = """\
version: 1
summary: 60

ob=(1) /lib/python
fn=(1) outer
0 10
cob=(2) /lib/core.so
cfn=(2) inner
calls=3 0
0 25
+4 5

ob=(2)
fn=(2)
* 20
- 5
ob=(1)
fn=(1)
7 20

totals: 60
"""
    assert tool.instructions_of_files(profile) == {"/lib/python": 35, "/lib/core.so": 25}
