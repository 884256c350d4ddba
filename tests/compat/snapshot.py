"""Describe the public names of an SDK: signatures, defaults, enum values, members.

    python tests/compat/snapshot.py aws_durable_execution_sdk_python > tests/compat/official-3.0.0.json

made the frozen description, under a Python that has the official SDK; the tests run the same code on ours. Only the
standard library is used, since it runs in environments of their own.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
NAMES: dict[str, list[str]] = json.loads((HERE / "names.json").read_text(encoding="utf-8"))

# Their constructors are each SDK's own business: nobody but the SDK calls them.
OWN_CONSTRUCTORS = {"context.Callback", "context.DurableContext", "logger.Logger"}
# And so are these members.
OWN_MEMBERS = {
    "context.Callback.state",
    "context.DurableContext.create_child_context",
    "context.DurableContext.from_lambda_context",
    "logger.Logger.from_log_info",
    "logger.Logger.with_log_info",
}
# Modules whose types are there for annotations alone.
TYPES_ONLY = {"state"}


def home(cls: type) -> str:
    """Module and name, without the package."""
    return f"{cls.__module__.partition('.')[2]}.{cls.__qualname__}"


def default_text(value: Any) -> str:
    """A default in words that mean the same for both SDKs."""
    if value is inspect.Parameter.empty:
        return ""
    text = repr(value)
    if callable(value) and not isinstance(value, type):
        return "<callable>"
    # The address of an object, and the package that its class belongs to, say nothing.
    return re.sub(r"<(?:\w+\.)*(\w+) object at 0x[0-9a-f]+>", r"<\1>", text)


def parameters(function: Any, factories: dict[str, Any] | None = None) -> list[list[str]]:
    """[name, kind, default] of each parameter; self and cls are not there."""
    described = []
    try:
        signature = inspect.signature(function)
    except ValueError:  # a class with the constructor of Exception
        return [["args", "VAR_POSITIONAL", ""]]
    for parameter in signature.parameters.values():
        default = parameter.default
        if factories and parameter.name in factories:
            default = factories[parameter.name]()
        described.append([parameter.name, parameter.kind.name, default_text(default)])
    return described


def unbound(member: Any) -> list[list[str]]:
    described = parameters(member)
    return described[1:]


def describe_class(cls: type) -> dict[str, Any]:
    described: dict[str, Any] = {"kind": "class"}
    if home(cls).split(".")[0] in TYPES_ONLY:
        return described
    if issubclass(cls, enum.Enum):
        described["enum"] = {member.name: member.value for member in cls}  # further names of a member do not count
        described["str"] = issubclass(cls, str)
    elif home(cls) not in OWN_CONSTRUCTORS and not getattr(cls, "_is_protocol", False):
        factories = {}
        if dataclasses.is_dataclass(cls):
            described["frozen"] = cls.__dataclass_params__.frozen  # type: ignore[attr-defined]  # what dataclass() leaves
            factories = {
                field.name: field.default_factory
                for field in dataclasses.fields(cls)
                if field.default_factory is not dataclasses.MISSING
            }
        described["constructor"] = parameters(cls, factories)
    if issubclass(cls, BaseException):
        described["bases"] = [base.__name__ for base in cls.__mro__ if not base.__name__.startswith(("_", "Pickled"))]
    described["members"] = members(cls)
    return described


def members(cls: type) -> dict[str, Any]:
    found: dict[str, Any] = {}
    package = cls.__module__.split(".")[0]
    for base in reversed(cls.__mro__):
        if base.__module__.split(".")[0] != package:
            continue
        for name, member in vars(base).items():
            if (name.startswith("_") and name != "__call__") or f"{home(cls)}.{name}" in OWN_MEMBERS:
                continue
            if isinstance(member, property):
                found[name] = "property"
            elif isinstance(member, staticmethod):
                found[name] = parameters(member.__func__)
            elif isinstance(member, classmethod) or inspect.isfunction(member):
                found[name] = unbound(getattr(member, "__func__", member))
    return found


def describe(name: str, thing: Any) -> dict[str, Any]:
    if isinstance(thing, type):
        return describe_class(thing)
    if inspect.isroutine(thing):
        return {"kind": "function", "parameters": parameters(thing)}
    if isinstance(thing, str | int):
        return {"kind": "constant", "value": thing if name != "__version__" else "<version>"}
    return {"kind": "constant", "value": default_text(thing)}


def snapshot(package: str) -> dict[str, dict[str, Any]]:
    """Every mandatory name of every mandatory module; a missing one is described as such."""
    described: dict[str, dict[str, Any]] = {}
    for module_name, names in NAMES.items():
        path = f"{package}.{module_name}" if module_name else package
        try:
            module = importlib.import_module(path)
        except ModuleNotFoundError as error:
            if error.name != path:
                raise
            described[module_name] = {name: {"kind": "missing"} for name in names}
            continue
        described[module_name] = {
            name: describe(name, getattr(module, name)) if hasattr(module, name) else {"kind": "missing"}
            for name in names
        }
    return described


def main() -> None:
    print(json.dumps(snapshot(sys.argv[1]), indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
