"""What does importing the SDK add to the start of a process?"""

from __future__ import annotations

import importlib
import subprocess
import sys
import time
from pathlib import Path


def measure(sdk: str) -> float:
    """Milliseconds of a process that imports what every handler needs, less those of one that does nothing.

    By name, for our package imports its modules when their names are first used.
    """
    return process(f"from {sdk} import DurableContext, durable_execution, durable_step") - process("pass")


def floor() -> float:
    """Milliseconds of the import of the compiled core alone, and of nothing of the package around it.

    Timed within the process, for it is less than what the starts of two processes differ by.
    """
    core = importlib.import_module("durable_execution_sdk._core").__file__
    assert core is not None
    # At the end of the path, for the package has a module `types`, as the standard library has.
    path = f"import sys, time; sys.path.append({str(Path(core).parent)!r})"
    code = f"{path}; started = time.perf_counter(); import _core; print(time.perf_counter() - started)"
    command = [sys.executable, "-I", "-c", code]
    runs = [subprocess.run(command, check=True, capture_output=True, text=True) for _ in range(3)]
    return min(float(run.stdout) for run in runs) * 1e3


def process(code: str) -> float:
    """The shortest of three runs: noise only ever adds."""
    elapsed = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-c", code], check=True)
        elapsed.append(time.perf_counter() - started)
    return min(elapsed) * 1e3
