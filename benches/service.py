"""A service on the loopback interface for both SDKs' own clients: pages of a history, and checkpoints acknowledged.

It runs in a process of its own, imports no SDK, and answers with as little work as it can: pages are bytes made ahead.

    python -m benches.service LATENCY_MS < operations.json      prints its port, serves until its input ends
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from benches.events import Json

PAGE = 1_000


@contextmanager
def service(operations: list[Json], latency_ms: int = 0) -> Iterator[dict[str, str]]:
    """Start one; yields the environment by which boto3 and the light transport find it."""
    command = [sys.executable, "-m", "benches.service", str(latency_ms)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(operations) + "\n")
        process.stdin.flush()
        port = int(process.stdout.readline())
        yield {
            "AWS_ENDPOINT_URL_LAMBDA": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "AKIDBENCH",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_REGION": "eu-central-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        process.stdin.close()


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

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                target = head.split(" ", 2)[1]
                lengths = [int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:")]
                body = await reader.readexactly(lengths[0] if lengths else 0)
                if latency_ms:
                    await asyncio.sleep(latency_ms / 1000)
                query = parse_qs(urlsplit(target).query)
                answer = prepared[query["Marker"][0]] if "Marker" in query else acknowledged(json.loads(body))
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(answer)
                )
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=2**20)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.stdin.readline()), int(sys.argv[1])))
