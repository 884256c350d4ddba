"""A service on the loopback interface for both SDKs' own clients: pages of a history, and checkpoints acknowledged.

It runs in a process of its own, imports no SDK, and answers with as little work as it can: pages are bytes made ahead.

    python -m benches.service LATENCY_MS < operations.json      prints its port, serves until its input ends

At its end it prints for how long it held a request, in milliseconds, as a median: the latency, what the timer takes
beyond that (a third of a millisecond and more on a busy machine), and its own work.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from benches.events import Json

PAGE = 1_000
HEAD = (
    b"HTTP/1.1 200 OK\r\nDate: Tue, 24 Nov 2026 12:00:00 GMT\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\nConnection: keep-alive\r\nx-amzn-RequestId: 7e4c1c8e-7c1b-4a55-9d55-0d8a3f8a1a5e\r\n\r\n"
)
"""The fields that Lambda's answers have."""


@dataclass
class Service:
    """One that runs, or has run."""

    environment: dict[str, str]
    """By which boto3 and the light transport find it."""
    held_ms: float = 0.0
    """For how long it held a request, as a median; known when it has ended."""


@contextmanager
def service(operations: list[Json], latency_ms: int = 0) -> Iterator[Service]:
    """Start one."""
    command = [sys.executable, "-m", "benches.service", str(latency_ms)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(operations) + "\n")
        process.stdin.flush()
        port = int(process.stdout.readline())
        running = Service(
            {
                "AWS_ENDPOINT_URL_LAMBDA": f"http://127.0.0.1:{port}",
                "AWS_ACCESS_KEY_ID": "AKIDBENCH",
                "AWS_SECRET_ACCESS_KEY": "bench",
                "AWS_DEFAULT_REGION": "eu-central-1",
                "AWS_REGION": "eu-central-1",
                "AWS_EC2_METADATA_DISABLED": "true",
            }
        )
        yield running
        process.stdin.close()
        running.held_ms = float(process.stdout.readline())


def pages(operations: list[Json]) -> dict[str, bytes]:
    """Each page's body under the marker that asks for it; the API's times are seconds."""
    for record in operations:
        for key in ("StartTimestamp", "EndTimestamp"):
            if key in record:
                record[key] /= 1000
    found = {}
    for start in range(0, len(operations), PAGE):
        page: dict[str, Any] = {"Operations": operations[start : start + PAGE]}
        if start + PAGE < len(operations):
            page["NextMarker"] = f"m{start + PAGE}"
        found[f"m{start}"] = json.dumps(page).encode()
    return found


def acknowledged(request: Json) -> bytes:
    """The answer to a checkpoint: each step in the state that its update leads to."""
    operations = []
    for update in request.get("Updates", []):
        record = {key: update[key] for key in ("Id", "Type", "SubType", "Name", "ParentId") if key in update}
        record |= {"StartTimestamp": 1_760_000_000.0, "StepDetails": {"Attempt": 1, "Result": update.get("Payload")}}
        record["Status"] = {"SUCCEED": "SUCCEEDED", "FAIL": "FAILED"}.get(update["Action"], "STARTED")
        operations.append(record)
    return json.dumps({"CheckpointToken": "token-1", "NewExecutionState": {"Operations": operations}}).encode()


async def serve(operations: list[Json], latency_ms: int) -> None:
    """Answer until the input ends."""
    prepared = pages(operations)
    held: list[float] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                target = head.split(" ", 2)[1]
                lengths = [int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:")]
                body = await reader.readexactly(lengths[0] if lengths else 0)
                started = time.perf_counter()
                if latency_ms:
                    await asyncio.sleep(latency_ms / 1000)
                query = parse_qs(urlsplit(target).query)
                answer = prepared[query["Marker"][0]] if "Marker" in query else acknowledged(json.loads(body))
                writer.write(HEAD % len(answer))
                writer.write(answer)
                held.append(time.perf_counter() - started)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=2**20)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print(statistics.median(held or [0.0]) * 1e3, flush=True)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.stdin.readline()), int(sys.argv[1])))
