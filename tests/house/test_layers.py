"""Imports point down, and the pure rooms stay pure (docs/architecture.md)."""

from __future__ import annotations

import ast

import pytest

from tests.house.sources import PACKAGE, PACKAGE_DIR, imports, modules, tree

# Room -> the rooms it may import, itself aside. What is not a room is a front door, and stands above all of them.
BELOW: dict[str, set[str]] = {
    "_core": set(),
    "_model": {"_core"},
    "_policy": {"_core", "_model"},
    "_serdes": {"_core", "_model"},
    "_operations": {"_core", "_model", "_policy", "_serdes"},
    "_drivers": {"_core", "_model", "_policy", "_serdes", "_operations"},
    "_edges": {"_core", "_model", "_policy", "_serdes", "_operations", "_drivers"},
}
ROOMS = set(BELOW)
BELOW["doors"] = ROOMS
BELOW["engine"] = ROOMS | {"doors"}
BELOW["testing"] = ROOMS | {"doors", "engine"}
BELOW["replay"] = ROOMS | {"doors", "engine"}
BELOW["pytest_plugin"] = ROOMS | {"doors", "engine", "replay"}
BELOW["cli"] = ROOMS | {"doors", "engine", "testing", "replay"}

PURE = ("_model", "_policy", "_serdes", "_operations")
WORLD = {
    "asyncio",
    "boto3",
    "botocore",
    "concurrent",
    "random",
    "secrets",
    "socket",
    "sqlite3",
    "subprocess",
    "threading",
    "time",
    "uuid",
}
# What a pure room may take from such a module, with the reason.
HARMLESS = {
    "uuid.UUID": "a type that the serdes reads and writes; making random ones is what is banned",
}
# Modules of pure rooms whose name says that they touch the world, with the reason.
TOUCHING: dict[str, str] = {}
CLOCK_CALLS = {"now", "utcnow", "today", "uuid1", "uuid4"}

# Public modules with code of their own, each with the reason why it is no room's business.
LOGIC_DOORS = {
    "dropin.py": "makes the official names resolve to ours; nothing below may know of it",
    "__main__.py": "an entry point",
}


def room(module: str) -> str:
    """The room of a module of the package, or of a name in it."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in BELOW else "doors"


@pytest.mark.parametrize("module", sorted(modules()))
def test_imports_point_down(module: str) -> None:
    home = room(module)
    allowed = BELOW[home] | {home}
    wrong = [
        f"{modules()[module]}:{line}: {home} imports {name} ({room(name)})"
        for line, name in imports(module)
        if name.split(".")[0] == PACKAGE and room(name) not in allowed
    ]
    assert not wrong, "\n".join([*wrong, f"{home} may import {sorted(allowed)}: move what both need into _model"])


@pytest.mark.parametrize("module", [m for m in sorted(modules()) if room(m) in PURE and m not in TOUCHING])
def test_pure_rooms_touch_no_world(module: str) -> None:
    path = modules()[module]
    wrong = [
        f"{path}:{line}: imports {name}"
        for line, name in imports(module)
        if name.split(".")[0] in WORLD and name not in HARMLESS
    ]
    wrong += [
        f"{path}:{node.lineno}: calls {ast.unparse(node.func)}"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCK_CALLS
    ]
    assert not wrong, "\n".join([*wrong, "time, random numbers and ids come in as arguments"])


def test_the_package_has_no_import_cycles() -> None:
    """Type-only and lazy imports count; a package may import its own modules, and they not the package."""
    edges: dict[str, set[str]] = {}
    for module in modules():
        targets = set()
        for _, name in imports(module):
            if name.startswith(f"{PACKAGE}._core"):
                continue  # the extension imports nothing, though `from <package> import _core` names the package
            target = name if name in modules() else name.rpartition(".")[0]
            if target in modules() and target != module:
                targets.add(target)
        edges[module] = targets

    state: dict[str, str] = {}

    def visit(module: str, trail: list[str]) -> None:
        assert state.get(module) != "open", "import cycle: " + " -> ".join([*trail[trail.index(module) :], module])
        if state.get(module) == "done":
            return
        state[module] = "open"
        for target in sorted(edges[module]):
            visit(target, [*trail, module])
        state[module] = "done"

    for module in sorted(edges):
        visit(module, [])


def test_front_doors_only_reexport() -> None:
    """A door holds imports, `__all__`, a docstring, and at most what serves heavy names late."""
    wrong = [
        f"{path}:{node.lineno}: {node.name} is defined in a front door; it belongs in a room"
        for module, path in modules().items()
        if room(module) == "doors" and path.relative_to(PACKAGE_DIR).parts[0] not in LOGIC_DOORS
        for node in tree(path).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name not in {"__getattr__", "__dir__"}
    ]
    assert not wrong, "\n".join(wrong)
