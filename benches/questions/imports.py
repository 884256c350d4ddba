"""What does importing the SDK add to the start of a process?"""

from __future__ import annotations

import subprocess
import sys
import time


def measure(sdk: str) -> float:
    """Milliseconds of a process that imports what every handler needs, less those of one that does nothing.

    By name, for our package imports its modules when their names are first used.
    """
    return process(f"from {sdk} import DurableContext, durable_execution, durable_step") - process("pass")


def process(code: str) -> float:
    """The shortest of three runs: noise only ever adds."""
    elapsed = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-c", code], check=True)
        elapsed.append(time.perf_counter() - started)
    return min(elapsed) * 1e3
