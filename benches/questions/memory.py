"""How much memory does the SDK add for each operation that it replays?"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import subprocess
import sys

from benches.events import Client, LambdaContext
from benches.questions import replay


def measure(sdk: str, steps: int) -> float:
    """Bytes per operation, in a process of its own so that no earlier run has left room to reuse."""
    command = [sys.executable, "-m", "benches.questions.memory", sdk, str(steps)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def resident_bytes() -> int:
    """What the process holds in memory, after what is free was given back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/smaps_rollup", encoding="ascii") as table:
        for line in table:
            if line.startswith("Rss:"):
                return int(line.split()[1]) * 1024
    raise AssertionError("the kernel does not tell")


def growth(sdk: str, steps: int) -> float:
    """Bytes per operation between the event parsed and the last step replayed."""
    module = importlib.import_module(sdk)
    grown = 0

    def handler(_: object, context: object) -> None:
        nonlocal grown
        for _ in range(steps):
            context.step(None, replay.NAME)  # type: ignore[attr-defined]  # either SDK's context
        grown = resident_bytes() - before

    durable = module.durable_execution(handler, boto3_client=Client())
    for warm in (1, 1):
        durable(json.loads(replay.event(sdk, warm)), LambdaContext())
    invocation = json.loads(replay.event(sdk, steps))
    replay.event.cache_clear()
    before = resident_bytes()
    output = durable(invocation, LambdaContext())
    assert output["Status"] == "SUCCEEDED", output
    return grown / steps


if __name__ == "__main__":
    print(growth(sys.argv[1], int(sys.argv[2])))
