"""Where an invocation runs: in this process on our SDK, or in a worker process on another one."""

from __future__ import annotations

import itertools
import json
import queue
import subprocess
import threading
from collections.abc import Mapping
from typing import Any, Protocol

from tests.compat import scenarios
from tests.compat.sdk import Sdk, invoke
from tests.compat.service import Service, ServiceError
from tests.house.sources import ROOT

Json = dict[str, Any]
OURS = "durable_execution_sdk"
OFFICIAL = "aws_durable_execution_sdk_python"


class HungError(Exception):
    """An invocation neither ends nor asks for anything."""


class Side(Protocol):
    """Runs one invocation against a service."""

    name: str

    def invoke(self, scenario: str, event: Json, service: Service) -> Json:
        """`{"output": ...}` or `{"raised": [type, message]}`."""


class Here:
    """Our SDK, in this process, where a debugger reaches it.

    Args:
        name: For messages.
        registry: The scenarios, if not as they are written.
    """

    def __init__(self, name: str = "ours", registry: Mapping[str, scenarios.Scenario] = scenarios.REGISTRY) -> None:
        self.name = name
        self._registry = registry
        self._sdk = Sdk(OURS)

    def invoke(self, scenario: str, event: Json, service: Service) -> Json:
        """Run it, events and requests passing through JSON as they do on the other side."""

        def checkpoint(request: Json) -> Json:
            try:
                answer: Json = json.loads(json.dumps(service.checkpoint(json.loads(json.dumps(request)))))
            except ServiceError as error:
                raise ConnectionError(str(error)) from error
            return answer

        done = invoke(self._sdk, self._registry[scenario].body, json.loads(json.dumps(event)), checkpoint)
        found: Json = json.loads(json.dumps(done))
        return found


class Worker:
    """Another SDK in an environment of its own; invocations of many threads share the process."""

    def __init__(self, name: str, python: str, module: str = OFFICIAL, patience_s: float = 60) -> None:
        self.name = name
        self._patience_s = patience_s
        self._process = subprocess.Popen(
            [python, "-m", "tests.compat.worker", module],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._ids = itertools.count()
        self._inboxes: dict[int, queue.SimpleQueue[Json]] = {}
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def invoke(self, scenario: str, event: Json, service: Service) -> Json:
        """Run it there; requests come back here, to the service."""
        key = next(self._ids)
        inbox = self._inboxes[key] = queue.SimpleQueue()
        self._send({"id": key, "invoke": scenario, "event": event})
        while True:
            try:
                message = inbox.get(timeout=self._patience_s)
            except queue.Empty:
                raise HungError(f"{self.name} has not ended {scenario} after {self._patience_s} s") from None
            if "done" in message:
                del self._inboxes[key]
                found: Json = message["done"]
                return found
            if "request" not in message:
                raise RuntimeError(f"the {self.name} worker ended in the middle of {scenario}")
            try:
                self._send({"id": key, "answer": service.checkpoint(message["request"])})
            except ServiceError as error:
                self._send({"id": key, "refused": str(error)})

    def close(self) -> None:
        """End the process, hung invocations included."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _send(self, message: Json) -> None:
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            self._inboxes[message["id"]].put(message)
        for inbox in list(self._inboxes.values()):
            inbox.put({"ended": True})
