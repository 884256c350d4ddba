"""How much memory does the SDK add for each operation that it replays?"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import subprocess
import sys

from benches.events import NAME, Client, LambdaContext
from benches.questions import replay

REFERENCES = "references alone"
"""In the place of an SDK."""


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
    at_the_end = 0

    def handler(_: object, context: object) -> None:
        nonlocal at_the_end
        for _ in range(finished):
            context.step(None, NAME)  # type: ignore[attr-defined]  # either SDK's context
        at_the_end = resident_bytes()

    durable = module.durable_execution(handler, boto3_client=Client())
    finished = 1
    for _ in range(2):
        output = durable(json.loads(replay.event(sdk, finished)), LambdaContext())
        assert output["Status"] == "SUCCEEDED", output
    finished = steps
    invocation = json.loads(replay.event(sdk, finished))
    replay.event.cache_clear()
    before = resident_bytes()
    output = durable(invocation, LambdaContext())
    assert output["Status"] == "SUCCEEDED", output
    return (at_the_end - before) / steps


def floor(steps: int) -> float:
    """Bytes of one reference to each operation's record in the event, without which no result can be found again."""
    return measure(REFERENCES, steps)


def references(steps: int) -> float:
    """Bytes per operation of a list of them."""
    invocation = json.loads(replay.event("durable_execution_sdk", steps))
    replay.event.cache_clear()
    before = resident_bytes()
    kept = list(invocation["InitialExecutionState"]["Operations"])
    after = resident_bytes()
    return (after - before) / len(kept)


if __name__ == "__main__":
    _, _sdk, _steps = sys.argv
    print(references(int(_steps)) if _sdk == REFERENCES else growth(_sdk, int(_steps)))
