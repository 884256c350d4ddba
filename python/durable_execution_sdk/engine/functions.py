"""The functions an engine can run: found by name for chained invokes, by `module:attribute` after a restart."""

from __future__ import annotations

import importlib
import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from durable_execution_sdk.engine import names
from durable_execution_sdk.engine.errors import EngineError
from durable_execution_sdk.engine.records import DURABLE, PLAIN, ExecutionRecord

Handler: TypeAlias = Callable[[Any, Any], Any]


class FunctionNotFound(EngineError):
    """A function cannot be imported, or this engine does not know it."""

    __module__ = "durable_execution_sdk.engine"


@dataclass(frozen=True, slots=True)
class Function:
    """A function and what is recorded about it."""

    name: str
    handler: Handler
    target: str | None

    @property
    def kind(self) -> str:
        return DURABLE if is_durable(self.handler) else PLAIN


def is_durable(handler: object) -> bool:
    """Whether it is the result of `@durable_execution`."""
    return hasattr(handler, "__durable__")


def load(target: str) -> Handler:
    """Import `module:attribute`.

    Raises:
        FunctionNotFound: Says which part is wrong.
    """
    module_name, _, attribute = target.partition(":")
    if not module_name or not attribute or module_name.startswith(".") or "/" in module_name:
        raise FunctionNotFound(f"{target!r} is no function: expected module:attribute, such as orders:handler.")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name + ".").startswith(error.name + "."):
            raise _import_failed(module_name, error) from error  # it was found, something that it imports was not
        raise FunctionNotFound(
            f"There is no module {module_name!r} on the path (from {target!r}). Name it as `import` does, and run "
            "in its folder or install it."
        ) from error
    except (Exception, SystemExit) as error:  # a script that was not meant to be imported may end the process
        raise _import_failed(module_name, error) from error
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise FunctionNotFound(f"Module {module_name!r} has no {attribute!r} (from {target!r}).") from None
    if not callable(found):
        raise FunctionNotFound(f"{target!r} is no function but {type(found).__name__}.")
    handler: Handler = found
    return handler


def _import_failed(module_name: str, error: BaseException) -> FunctionNotFound:
    at = ""
    if isinstance(error, SyntaxError):
        at = f" ({error.filename}:{error.lineno})"
    else:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename[:1] != "<"]
        if frames:
            at = f" ({frames[-1].filename}:{frames[-1].lineno})"
    what = error.msg if isinstance(error, SyntaxError) else error
    return FunctionNotFound(f"Importing {module_name!r} raises {type(error).__name__}: {what}{at}.")


def function_of(handler: Handler | str) -> Function:
    """What is known of a handler given as object or as `module:attribute`."""
    if isinstance(handler, str):
        return Function(_name(handler.rpartition(":")[2]), load(handler), handler)
    qualname = getattr(handler, "__qualname__", type(handler).__qualname__)
    module = getattr(handler, "__module__", None)
    importable = module not in {None, "__main__"} and "<" not in qualname
    return Function(_name(qualname.rpartition("<locals>.")[2]), handler, f"{module}:{qualname}" if importable else None)


def _name(text: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_-]", "-", text)[-64:] or "handler"


class Functions:
    """The registry of one engine."""

    def __init__(self, functions: Mapping[str, Handler | str] | None = None) -> None:
        self._functions: dict[str, Function] = {}
        for name, handler in (functions or {}).items():
            self.register(name, handler)

    def register(self, name: str, handler: Handler | str) -> None:
        """Make a function known under a name.

        Raises:
            ValueError: The name is no function name.
            FunctionNotFound: A `module:attribute` cannot be imported.
        """
        if names.function_key(name) is None:
            raise ValueError(f"{name!r} is no function name: use letters, digits, '-', '_' and '.'.")
        given = function_of(handler)
        self._functions[name] = Function(name, given.handler, given.target)

    def remember(self, function: Function) -> None:
        """Keep the handler of an execution, unless a function of that name was registered."""
        self._functions.setdefault(function.name, function)

    def find(self, function_name: str) -> tuple[str, str, str | None] | None:
        """The target of a chained invoke: by the name as given, or by the bare name in an ARN."""
        for key in (function_name, names.function_key(function_name)):
            function = self._functions.get(key) if key is not None else None
            if function is not None:
                return function.name, function.kind, function.target
        return None

    def handler_of(self, execution: ExecutionRecord) -> Handler:
        """The handler that runs an execution.

        Raises:
            FunctionNotFound: It is not registered here, and no importable place of it is recorded.
        """
        function = self._functions.get(execution.function_name)
        if function is not None and (execution.target is None or function.target in {None, execution.target}):
            return function.handler
        if execution.target is not None:
            return load(execution.target)
        raise FunctionNotFound(
            f"Execution {execution.arn} belongs to the function {execution.function_name!r}, which this engine does "
            "not know: pass the handler, or register it with functions={...}."
        )
