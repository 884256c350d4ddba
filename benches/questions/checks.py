"""What does `durable replay` cost over many histories, next to a bare loop that loads and invokes the same files?

Both are processes of their own, each timed as a whole: start, imports, reading, reports. The bare loop is what one
would write without a tool: read a file, parse it with orjson, invoke the handler with it. With two workers it deals the
files out to two processes of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from benches.events import Client, LambdaContext, small_result
from durable_execution_sdk import durable_execution
from durable_execution_sdk.engine import Engine

NAME = "charge"
OPERATIONS = 100
DISTINCT = 100
"""Files on disk; the others are further names of the same ones, so that a bench does not need a gigabyte."""


CLIENT: Any = Client()


@durable_execution(boto3_client=CLIENT)
def handler(_: object, context: Any) -> float:
    """A hundred steps, whose results are used."""
    total = 0.0
    step = context.step
    for number in range(OPERATIONS):
        total += step(lambda _, n=number: small_result(n), NAME)["amount"]
    return total


def measure(sdk: str, what: Literal["bare", "tool", "bare gain", "tool gain"], histories: int) -> float:
    """Microseconds per history; or how many times as fast two workers are as one."""
    del sdk
    who, _, gain = what.partition(" ")
    with folder(histories) as files:
        alone = seconds(who, files, 1)
        return alone / seconds(who, files, 2) if gain else alone / histories * 1e6


def seconds(what: str, files: Path, jobs: int) -> float:
    """The time that one whole process takes."""
    commands = {
        "bare": ["-m", __name__, str(files), str(jobs)],
        "tool": ["-m", "durable_execution_sdk.cli", "replay", f"{__name__}:handler", str(files), "--jobs", str(jobs)],
    }
    started = time.perf_counter()
    done = subprocess.run([sys.executable, *commands[what]], check=True, capture_output=True, text=True)
    elapsed = time.perf_counter() - started
    count = len(list(files.iterdir()))
    assert done.stdout.split() == [str(count), "clean"], done.stdout + done.stderr
    return elapsed


@contextmanager
def folder(histories: int) -> Iterator[Path]:
    """A folder of so many recorded executions."""
    with TemporaryDirectory() as place:
        first, files = Path(place) / "first.json", Path(place) / "histories"
        files.mkdir()
        with Engine(Path(place) / "store.db") as engine:
            engine.run(handler, {}, name="order-first")
            engine.export_history("order-first", first)
        text = first.read_bytes()
        for number in range(histories):
            name = files / f"{number:06}.json"
            if number < DISTINCT:
                name.write_bytes(text.replace(b"order-first", b"order-%05d" % number))
            else:
                os.link(files / f"{number % DISTINCT:06}.json", name)
        yield files


def load_and_invoke(paths: list[Path]) -> int:
    """The bare loop."""
    import orjson

    done = 0
    for path in paths:
        history = orjson.loads(path.read_bytes())
        first, *rest = history["operations"]
        event = {
            "DurableExecutionArn": history["execution"]["DurableExecutionArn"],
            "CheckpointToken": "token-0",
            "InitialExecutionState": {"Operations": [{**first, "Status": "STARTED"}, *rest], "NextMarker": ""},
        }
        done += handler(event, LambdaContext())["Status"] == "SUCCEEDED"
    return done


def main(files: str, jobs: int) -> None:
    """Print how many histories are clean, as the tool does."""
    paths = sorted(Path(files).iterdir())
    if jobs == 1:
        done = load_and_invoke(paths)
    else:
        with get_context("spawn").Pool(jobs) as pool:
            done = sum(pool.map(load_and_invoke, [paths[n::jobs] for n in range(jobs)]))
    print(done, "clean")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
