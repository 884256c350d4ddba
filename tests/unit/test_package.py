"""The package's own names, and what importing them costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import durable_execution_sdk

HEAVY = ["asyncio", "boto3", "botocore", "orjson", "sqlite3", "decimal", "random"]


def loaded_by(code: str) -> set[str]:
    """Modules that a fresh process has after running this."""
    script = f"{code}\nimport sys; print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    return set(printed.split())


@pytest.mark.parametrize(
    "code",
    [
        "import durable_execution_sdk",
        "from durable_execution_sdk import DurableContext, StepConfig, durable_execution, durable_step, with_retry",
        "from durable_execution_sdk.lambda_service import LambdaClient, Operation",
        "import durable_execution_sdk.serdes, durable_execution_sdk.plugin, durable_execution_sdk.concurrency.models",
    ],
)
def test_what_costs_much_is_not_imported(code: str) -> None:
    bare = loaded_by("pass")
    assert loaded_by(code) & set(HEAVY) <= bare


def test_the_bare_package_imports_nearly_nothing() -> None:
    ours = {name for name in loaded_by("import durable_execution_sdk") if name.startswith("durable_execution_sdk.")}
    assert ours == {
        "durable_execution_sdk._core",
        "durable_execution_sdk._edges",
        "durable_execution_sdk._edges.ambient",
        "durable_execution_sdk._model",
        "durable_execution_sdk._model.ambient",
    }


def test_type_checkers_and_the_interpreter_find_the_same_names() -> None:
    tree = ast.parse(Path(durable_execution_sdk.__file__).read_text(encoding="utf-8"))
    seen: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for statement in node.body:
                assert isinstance(statement, ast.ImportFrom)
                module = str(statement.module).removeprefix("durable_execution_sdk.")
                seen |= {alias.name: module for alias in statement.names}
    assert seen == durable_execution_sdk._HOMES
    assert set(durable_execution_sdk.__all__) == {*seen, "__version__", "SDK_VERSION"}


@pytest.mark.parametrize("name", durable_execution_sdk.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(durable_execution_sdk, name) is getattr(durable_execution_sdk, name)
    assert name in dir(durable_execution_sdk)


def test_modules_are_reachable_as_attributes() -> None:
    code = "import durable_execution_sdk as sdk; print(sdk.concurrency.models.BatchResult is sdk.BatchResult)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed == "True\n"


def test_other_names_are_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'durable_execution_sdk' has no attribute 'nothing'"):
        _ = durable_execution_sdk.nothing
    from durable_execution_sdk import execution

    with pytest.raises(AttributeError, match=r"module 'durable_execution_sdk\.execution' has no attribute 'nothing'"):
        _ = execution.nothing
