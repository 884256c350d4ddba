"""What do the SDKs cost over their own clients: pages of state, fresh steps, and the start of a cold process?

Each figure is that of a process of its own, because both SDKs keep the client that they make first. Two more say what a
request costs without an SDK: the same updates by a boto3 client, and prepared bytes over a bare socket.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Literal

from benches.events import NAME, Colour, Json, finished_step, small_result, stored
from benches.questions import shapes
from benches.service import service

What = Literal["pages", "fresh", "cold", "boto3 alone", "socket alone"]
BESIDE_TIMES = ("fresh", "boto3 alone", "socket alone")
"""What is a median of single requests, less the time for which the service held them."""


def measure(
    sdk: str, what: What, steps: int = 1, latency_ms: int = 0, transport: str = "boto3", colour: Colour = "def"
) -> float:
    """Microseconds per operation (pages), milliseconds to the end of a process (cold), else milliseconds a request.

    Of a request, the time for which the service held it is taken off: the latency, and what its timer adds to that.
    Without an SDK, no steps at all stand for a cold process, which makes its connection and sends one request.
    """
    paged = range(1, steps + 1) if what == "pages" else ()
    records = [finished_step(n, stored(sdk, small_result(n)), NAME) for n in paged]
    spent, elapsed, held_ms = process(records, latency_ms, transport, [sdk, what, str(steps), colour])
    if what == "cold" or not steps:
        return elapsed * 1e3
    return spent * 1e3 - held_ms if what in BESIDE_TIMES else spent / steps * 1e6


def floor(what: What, steps: int = 1, latency_ms: int = 0, transport: str = "boto3", colour: Colour = "def") -> float:
    """In the unit of its row: of pages, the loop over a method in C; else prepared bytes over a bare socket."""
    if what == "pages":
        return shapes.floor("steps", steps, colour)
    return measure("", "socket alone", 0 if what == "cold" else steps, latency_ms, transport)


def process(records: list[Json], latency_ms: int, transport: str, arguments: list[str]) -> tuple[float, float, float]:
    """What `wire_program` prints, how long that took, and for how long the service held a request (ms)."""
    with service(records, latency_ms) as running:
        environment = os.environ | running.environment | {"DURABLE_EXECUTION_TRANSPORT": transport}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a deployed package comes with its bytecode
        command = [sys.executable, "-m", "benches.wire_program", *arguments]
        started = time.perf_counter()
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        elapsed = time.perf_counter() - started
    return float(done.stdout), elapsed, running.held_ms
