"""Public names: documented, with one home, and the extension as its stub describes it."""

from __future__ import annotations

import ast
import importlib
import inspect
from types import ModuleType

import pytest

from tests.house.sources import PACKAGE, PACKAGE_DIR, modules, tree

# Names that the official API gives to different things in different modules.
TWO_THINGS = {
    "DurableContext": "the class in context, the protocol in types",
    "Callback": "the class in context, the protocol in types",
    "BatchResult": "the class in concurrency.models, the protocol in types",
    "InvocationStatus": "what the service is told, and in plugin what plugins are told (as in the official SDK)",
    "OperationType": "the service's kinds, and in plugin those of plugins (as in the official SDK)",
}


def declares_all(node: ast.stmt) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets)


def public_modules() -> list[str]:
    """Modules outside the rooms that say with `__all__` what they offer."""
    return [
        module
        for module, path in modules().items()
        if not any(part.startswith("_") for part in module.split(".")[1:])
        if any(declares_all(node) for node in tree(path).body)
    ]


def names(module: ModuleType) -> list[str]:
    return [name for name in module.__all__ if not name.startswith("__")]


def described(thing: object) -> bool:
    """Whether it is a class or function of ours."""
    ours = str(getattr(thing, "__module__", "")).split(".")[0] == PACKAGE
    return ours and (inspect.isclass(thing) or inspect.isroutine(thing))


def test_there_are_public_modules() -> None:
    assert PACKAGE in public_modules()


@pytest.mark.parametrize("module_name", public_modules())
def test_listed_names_exist(module_name: str) -> None:
    module = importlib.import_module(module_name)
    assert module.__doc__, f"{module_name} has no docstring"
    listed = list(module.__all__)
    assert len(listed) == len(set(listed)), f"{module_name}.__all__ names something twice"
    missing = [name for name in listed if not hasattr(module, name)]
    assert not missing, f"{module_name}.__all__ lists what is not there: {missing}"


@pytest.mark.parametrize("module_name", public_modules())
def test_public_names_are_documented(module_name: str) -> None:
    module = importlib.import_module(module_name)
    bare = []
    for name in names(module):
        thing = getattr(module, name)
        if not described(thing):
            continue
        if not own_doc(thing):
            bare.append(name)
        if inspect.isclass(thing):
            bare += [f"{name}.{member}" for member in undocumented_members(thing)]
    assert not bare, f"{module_name}: no docstring on {bare}"


def own_doc(thing: object) -> str | None:
    doc = getattr(thing, "__doc__", None)
    # A dataclass without a docstring gets its signature as one.
    if inspect.isclass(thing) and doc and doc.startswith(f"{thing.__name__}("):
        return None
    return doc


def undocumented_members(cls: type) -> list[str]:
    """Public methods and properties that neither the class nor a base documents."""
    bare = []
    for name, member in vars(cls).items():
        target = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if not name.startswith("_") and inspect.isfunction(target) and not inspect.getdoc(getattr(cls, name)):
            bare.append(name)
    return bare


def test_every_public_name_has_one_home() -> None:
    """The same object behind every door, and `__module__` names a door, never a room."""
    doors: dict[str, dict[str, object]] = {}
    wrong = []
    for module_name in public_modules():
        module = importlib.import_module(module_name)
        for name in names(module):
            thing = getattr(module, name)
            if not described(thing):
                continue
            doors.setdefault(name, {})[module_name] = thing
            home = str(thing.__module__)
            if any(part.startswith("_") for part in home.split(".")):
                wrong.append(f"{module_name}.{name} says it lives in {home}")
            elif getattr(importlib.import_module(home), thing.__name__, None) is not thing:
                wrong.append(f"{module_name}.{name} says it lives in {home}, which has no such object")
    for name, things in doors.items():
        if len({id(thing) for thing in things.values()}) > 1 and name not in TWO_THINGS:
            wrong.append(f"{name} is not the same object behind {sorted(things)}")
    assert not wrong, "\n".join(wrong)


def test_the_extension_is_what_its_stub_says() -> None:
    """stubtest compares signatures on the installed wheel; this names a missing half at once."""
    core = importlib.import_module(f"{PACKAGE}._core")
    stub = ast.parse((PACKAGE_DIR / "_core.pyi").read_text(encoding="utf-8"))
    declared: dict[str, set[str]] = {}
    for node in stub.body:
        if isinstance(node, ast.FunctionDef):
            declared[node.name] = set()
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            declared[node.target.id] = set()
        elif isinstance(node, ast.ClassDef):
            members = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
            declared[node.name] = {member for member in members if not member.startswith("__")}
    problems = [
        f"_core.{name} is missing: build the extension, or mend _core.pyi"
        for name in declared
        if not name.startswith("_") and not hasattr(core, name)
    ]
    problems += [
        f"_core.{name} is not in _core.pyi" for name in vars(core) if not name.startswith("__") and name not in declared
    ]
    for name, methods in declared.items():
        cls = getattr(core, name, None)
        if inspect.isclass(cls):
            have = {member for member in vars(cls) if not member.startswith("__")}
            problems += [f"_core.{name}.{method} is missing" for method in sorted(methods - have)]
            problems += [f"_core.{name}.{method} is not in _core.pyi" for method in sorted(have - methods)]
    assert not problems, "\n".join(problems)
