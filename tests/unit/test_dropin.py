"""The official name resolves to this package, in a process of its own each time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import importlib.metadata, pickle, sys
import aws_durable_execution_sdk_python as official
import durable_execution_sdk as ours
assert official is ours
from aws_durable_execution_sdk_python.lambda_service import Operation
import durable_execution_sdk.lambda_service as own
assert Operation is own.Operation and own.__spec__.name == "durable_execution_sdk.lambda_service"
import aws_durable_execution_sdk_python.concurrency.models as models
assert models is sys.modules["durable_execution_sdk.concurrency.models"]
assert importlib.metadata.version("aws-durable-execution-sdk-python") == "3.0.0"
assert pickle.loads(pickle.dumps(official.StepError("m"))).message == "m"
try:
    import aws_durable_execution_sdk_python.no_such_door
except ModuleNotFoundError:
    print(sys.argv[1:])
"""


def python(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, cwd=cwd)


def test_a_script(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = python("-m", "durable_execution_sdk.dropin", str(script), "x", "-y")
    assert (done.stdout, done.stderr) == ("['x', '-y']\n", "")


def test_a_module(tmp_path: Path) -> None:
    (tmp_path / "runs.py").write_text(SCRIPT)
    done = python("-m", "durable_execution_sdk.dropin", "-m", "runs", "z", cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("['z']\n", "")


def test_tests(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("import aws_durable_execution_sdk_python\n")
    (tmp_path / "test_it.py").write_text(
        "import aws_durable_execution_sdk_python as name\n"
        "def test_it():\n    assert name.__name__ == 'durable_execution_sdk'\n"
    )
    done = python("-m", "pytest", "-q", "-p", "durable_execution_sdk.dropin", "-p", "no:cacheprovider", str(tmp_path))
    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("words", [(), ("-m",)])
def test_usage(words: tuple[str, ...]) -> None:
    done = python("-m", "durable_execution_sdk.dropin", *words)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ")


def test_installed_twice_and_too_late() -> None:
    again = (
        "from durable_execution_sdk.dropin import install; install(); install(); import sys; print(len(sys.meta_path))"
    )
    plain = "import sys; print(len(sys.meta_path))"
    assert int(python("-c", again).stdout) == int(python("-c", plain).stdout) + 1
    late = (
        "import sys, types; sys.modules['aws_durable_execution_sdk_python'] = types.ModuleType('official')\n"
        "from durable_execution_sdk.dropin import DropinError, install\n"
        "try:\n    install()\nexcept DropinError as error:\n    print(error)"
    )
    assert "before anything imports it" in python("-c", late).stdout
