"""What does importing the SDK add to the start of a process?"""

from __future__ import annotations

import subprocess
import sys
import time


def measure(sdk: str) -> float:
    """Milliseconds of a process that imports the SDK, less those of one that does nothing."""
    return process(f"import {sdk}") - process("pass")


def process(code: str) -> float:
    """The shortest of three runs: noise only ever adds."""
    elapsed = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-c", code], check=True)
        elapsed.append(time.perf_counter() - started)
    return min(elapsed) * 1e3
