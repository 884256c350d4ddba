"""The processes that take turns, each in its SDK's own environment."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).parents[1]


class BenchError(Exception):
    """A side could not answer."""


class Side:
    """A worker process: `ask` measures one thing in it."""

    def __init__(self, name: str, command: list[str]) -> None:
        self.name = name
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | {"AWS_DEFAULT_REGION": "eu-central-1", "PYTHONHASHSEED": "0"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, question: str, arguments: dict[str, Any], *, floor: bool = False) -> float:
        """The worker's answer, or the floor of it; BenchError with its traceback if it has none."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"question": question, "arguments": arguments, "floor": floor}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"error": f"the worker ended with {self._process.wait()}"}
        if "error" in answer:
            raise BenchError(f"{self.name}: {question} {arguments}\n{answer['error']}")
        return float(answer["value"])

    def __enter__(self) -> Side:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
