"""The same invocations under the official SDK, in a process of its own whose Python has that SDK.

This file is run there as a script: it imports nothing of ours, and the official package answers to our name, so that
the handler under test need not know. One JSON line in, one out: the first says what to run, every further one asks for
a round.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import logging
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

OFFICIAL = "aws_durable_execution_sdk_python"
OURS = "durable_execution_sdk"


class OfficialError(ValueError):
    """The official SDK cannot run what is asked for."""

    __module__ = "durable_execution_sdk.replay.official"


class OfficialSide:
    """The other process: each round replays every event once."""

    def __init__(self, python: str, events: Sequence[dict[str, Any]], target: str, paths: Sequence[str]) -> None:
        """Args: its interpreter, what it is given, `module:handler` or a built-in shape, where modules are found."""
        self._process = subprocess.Popen(
            [python, "-I", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            self._ask({"events": list(events), "target": target, "paths": list(paths)})
        except BaseException:
            self.close()
            raise

    def round(self) -> list[float]:
        """Seconds of each invocation.

        Raises:
            OfficialError: It ended otherwise than with a result, or the process ended.
        """
        return [float(seconds) for seconds in self._ask({})["took"]]

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        answer: dict[str, Any] = json.loads(line) if line else {"error": "its process ended"}
        if "error" in answer:
            raise OfficialError(f"The official SDK cannot replay this: {answer['error']}")
        return answer

    def __enter__(self) -> OfficialSide:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


# --- over there -------------------------------------------------------------------------------------------------------


class _Client:
    """A boto3 client as far as it is called; nothing reaches a service."""

    def checkpoint_durable_execution(self, **request: Any) -> dict[str, Any]:
        return {"CheckpointToken": "replay", "NewExecutionState": {"Operations": [], "NextMarker": ""}}

    def get_durable_execution_state(self, **request: Any) -> dict[str, Any]:
        return {"Operations": [], "NextMarker": ""}


class _LambdaContext:
    aws_request_id = "00000000-0000-4000-8000-000000000000"
    function_name = "bench"
    function_version = "$LATEST"
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:bench"
    tenant_id = None

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


def _answer_to_our_name() -> Any:
    official = importlib.import_module(OFFICIAL)
    sys.modules[OURS] = official
    for part in ("config", "context", "exceptions", "serdes", "retries", "waits", "types"):
        sys.modules[f"{OURS}.{part}"] = importlib.import_module(f"{OFFICIAL}.{part}")
    return official


def _handler(official: Any, target: str) -> Any:
    module, _, attribute = target.partition(":")
    if not attribute:
        place = importlib.util.spec_from_file_location("bodies", Path(__file__).with_name("bodies.py"))
        assert place is not None
        assert place.loader is not None
        bodies = importlib.util.module_from_spec(place)
        place.loader.exec_module(bodies)
        return official.durable_execution(bodies.built_in(target, is_async=False), boto3_client=_Client())
    # Whatever the handler was decorated with, it gets a client that reaches nothing.
    decorate = official.durable_execution

    def decorated(func: Any = None, **given: Any) -> Any:
        given = {key: value for key, value in given.items() if key not in {"boto3_client", "config", "transport"}}
        if func is None:
            return lambda later: decorated(later, **given)
        return decorate(func, boto3_client=_Client(), **given)

    official.durable_execution = decorated
    found = importlib.import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
    return found


def _serve() -> None:
    answers, sys.stdout = sys.stdout, sys.stderr
    logging.disable(logging.CRITICAL)
    first = json.loads(sys.stdin.readline())
    handler: Any = None
    took: list[float] = []
    try:
        sys.path.extend(first["paths"])
        handler = _handler(_answer_to_our_name(), first["target"])
        answer: dict[str, Any] = {}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), file=answers, flush=True)
    events = [json.dumps(event) for event in first["events"]]
    for _ in sys.stdin:
        took = []
        answer = {"took": took}
        for text in events:
            event = json.loads(text)
            started = time.perf_counter()
            try:
                output = handler(event, _LambdaContext())
            except Exception as error:
                output = {"Status": f"{type(error).__name__}: {error}"}
            took.append(time.perf_counter() - started)
            if output["Status"] != "SUCCEEDED":
                answer = {"error": f"it ends as {output['Status']}: {output.get('Error')}"}
                break
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    _serve()

__all__ = ["OfficialError", "OfficialSide"]
