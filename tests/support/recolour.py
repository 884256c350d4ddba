"""`async def` forms of modules that are written for `def` handlers, so that one text is run in both colours.

A function or lambda becomes a coroutine function if it is given a context, calls something on one, or hands one on.
Inside it, every call that answers with a promise or a coroutine is awaited where it stands; all else stays as written.
Step bodies, strategies and the like touch no context, so they keep their colour, and which thread they run on.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import inspect
import sys
import types
from collections.abc import AsyncGenerator, Callable, Collection, Generator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from durable_execution_sdk import DurablePromise

CONTEXTS = frozenset({"ctx", "child", "inner", "branch", "deep", "outer_ctx"})
"""Names that these modules give to contexts, and to nothing else."""


async def _settled(value: Any) -> Any:
    """What a call in the text would have given under `def`."""
    while isinstance(value, DurablePromise) or inspect.iscoroutine(value):
        value = await value
    return value


async def _only(values: AsyncGenerator[Any, None] | Generator[Any, None, None]) -> Any:
    if isinstance(values, Generator):  # nothing in the text had to be awaited
        return next(values)
    async with aclosing(values):
        return await anext(values)


def _coroutine_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """The `async def` form of a lambda whose body became an asynchronous generator of one value."""

    @functools.wraps(function)
    async def run(*args: Any, **kwargs: Any) -> Any:
        return await _only(function(*args, **kwargs))

    return run


def _is_context(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in CONTEXTS


def _is_given_a_context(parameters: ast.arguments) -> bool:
    return any(parameter.arg in CONTEXTS for parameter in parameters.args)


class _Calls(ast.NodeVisitor):
    """Whether the code of one function, without the functions inside it, calls something that may have to be awaited.

    That is a method of a context, whatever is given a context, and the functions named in `also`.
    """

    def __init__(self, also: Collection[str]) -> None:
        self._also = also
        self.found = False

    def visit_Call(self, node: ast.Call) -> None:
        on = isinstance(node.func, ast.Attribute) and _is_context(node.func.value)
        named = isinstance(node.func, ast.Name) and node.func.id in self._also
        self.found = self.found or on or named or any(_is_context(argument) for argument in node.args)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for default in [*node.args.defaults, *node.decorator_list]:
            self.visit(default)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        pass

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for default in node.args.defaults:
            self.visit(default)


class _Recolour(ast.NodeTransformer):
    def __init__(self, also: Collection[str], modules: Collection[str]) -> None:
        self._also = also
        self._modules = modules
        self._awaits = False

    def _must_await(self, body: Sequence[ast.AST]) -> bool:
        calls = _Calls(self._also)
        for node in body:
            calls.visit(node)
        return calls.found

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        if node.module in self._modules:
            node.module = _new_name(node.module)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        touches = node.name in self._also or _is_given_a_context(node.args) or self._must_await(node.body)
        outside, self._awaits = self._awaits, False
        node.decorator_list = [self.visit(each) for each in node.decorator_list]
        self._awaits = touches
        node.body = [self.visit(each) for each in node.body]
        self._awaits = outside
        if not touches:
            return node
        return ast.copy_location(ast.AsyncFunctionDef(**dict(ast.iter_fields(node))), node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return node

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.AST:
        return node  # with an `await` in it nobody could iterate over it

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        touches = _is_given_a_context(node.args) or self._must_await([node.body])
        outside, self._awaits = self._awaits, touches
        body = self.visit(node.body)
        self._awaits = outside
        if not touches:
            node.body = body
            return node
        once = ast.comprehension(ast.Name("_", ast.Store()), ast.Tuple([ast.Constant(0)], ast.Load()), [], 0)
        node.body = ast.GeneratorExp(body, [once])
        return ast.copy_location(_call(_coroutine_function, node), node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        return ast.copy_location(ast.Await(_call(_settled, node)), node) if self._awaits else node


def _call(function: Callable[..., Any], argument: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(function.__name__, ast.Load()), [argument], [])


def _new_name(name: str) -> str:
    return f"{name}__async"


def recoloured(names: Sequence[str], also: Collection[str] = ()) -> list[types.ModuleType]:
    """The modules in their `async def` form, each under a name of its own; they import each other's new forms.

    Args:
        names: The modules, those first that others import.
        also: Functions that await although they touch no context: they call what they are given.
    """
    return [_recoloured(name, also, names) for name in names]


def _recoloured(name: str, also: Collection[str], names: Collection[str]) -> types.ModuleType:
    new = _new_name(name)
    if new in sys.modules:
        return sys.modules[new]
    spec = importlib.util.find_spec(name)
    assert spec is not None, f"{name} is no module"
    assert spec.origin is not None, f"{name} has no source"
    tree = _Recolour(also, names).visit(ast.parse(Path(spec.origin).read_text(encoding="utf-8"), spec.origin))
    module = types.ModuleType(new)
    module.__name__ = name  # what errors record of their class
    module.__file__ = spec.origin
    module.__dict__.update({each.__name__: each for each in (_settled, _coroutine_function)})
    sys.modules[new] = module
    exec(compile(ast.fix_missing_locations(tree), spec.origin, "exec"), module.__dict__)
    return module
