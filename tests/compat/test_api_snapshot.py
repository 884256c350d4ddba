"""Every mandatory name of the official SDK 3.0.0 is here, with its signature, defaults and values."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.compat import snapshot
from tests.compat.conftest import official_python

FROZEN: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "official-3.0.0.json").read_text(encoding="utf-8")
)
OURS = snapshot.snapshot("durable_execution_sdk")


def accepts(ours: list[list[str]], theirs: list[list[str]]) -> list[str]:
    """What a call that the official signature allows would meet here. More may be allowed."""
    problems = []
    mine = {name: (kind, default) for name, kind, default in ours}
    # A parameter called "_" is given by position.
    theirs = [
        [ours[at][0] if name == "_" and at < len(ours) else name, *rest] for at, (name, *rest) in enumerate(theirs)
    ]
    for position, (name, kind, default) in enumerate(theirs):
        if name not in mine:
            problems.append(f"no parameter {name}")
            continue
        my_kind, my_default = mine[name]
        if my_kind != kind:
            problems.append(f"{name} is {my_kind}, not {kind}")
        if kind.startswith("POSITIONAL") and (position >= len(ours) or ours[position][0] != name):
            problems.append(f"{name} is not at position {position}")
        if default and my_default != default:
            problems.append(f"{name} defaults to {my_default or 'nothing'}, not {default}")
    known = {name for name, _, _ in theirs}
    problems += [
        f"new parameter {name} has no default"
        for name, kind, default in ours
        if name not in known and not default and not kind.startswith("VAR")
    ]
    return problems


def differences(theirs: dict[str, Any], ours: dict[str, Any]) -> list[str]:
    if ours["kind"] != theirs["kind"]:
        return [f"it is a {ours['kind']}, not a {theirs['kind']}"]
    problems = [
        f"{fact} is {ours.get(fact)}, not {theirs[fact]}"
        for fact in ("value", "enum", "str", "frozen")
        if fact in theirs and ours.get(fact) != theirs[fact]
    ]
    missing_bases = [base for base in theirs.get("bases", ()) if base not in ours.get("bases", ())]
    problems += [f"does not derive from {base}" for base in missing_bases]
    for call in ("constructor", "parameters"):
        if call in theirs:
            problems += accepts(ours[call], theirs[call])
    for name, member in theirs.get("members", {}).items():
        mine = ours.get("members", {}).get(name)
        if mine is None:
            problems.append(f"no member {name}")
        elif (member == "property") != (mine == "property"):
            problems.append(f"{name} is a property on one side only")
        elif member != "property":
            problems += [f"{name}(): {problem}" for problem in accepts(mine, member)]
    return problems


PRESENT = [(module, name) for module, names in FROZEN.items() for name in names]


@pytest.mark.parametrize(("module", "name"), PRESENT, ids=[f"{module}.{name}" for module, name in PRESENT])
def test_name(module: str, name: str) -> None:
    assert differences(FROZEN[module][name], OURS[module][name]) == []


def test_the_snapshot_lists_every_mandatory_name() -> None:
    assert {module: sorted(names) for module, names in FROZEN.items()} == snapshot.NAMES
    assert not [name for names in FROZEN.values() for name, facts in names.items() if facts["kind"] == "missing"]


def test_the_snapshot_is_that_of_the_official_sdk() -> None:
    described = subprocess.run(
        [official_python("3.0.0", "DURABLE_OFFICIAL_PYTHON"), snapshot.__file__, "aws_durable_execution_sdk_python"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert json.loads(described) == FROZEN
