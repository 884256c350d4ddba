"""The official SDK's side, in its own environment: JSON lines in and out, many invocations at once.

    python -m tests.compat.worker MODULE

In: `{"id", "invoke": SCENARIO, "event"}` starts an invocation, `{"id", "answer"}` or `{"id", "refused": text}` answers
its request. Out: `{"id", "request"}` and at last `{"id", "done": {"output" | "raised"}}`.
"""

from __future__ import annotations

import json
import logging
import queue
import sys
import threading
from typing import Any

from tests.compat import scenarios
from tests.compat.sdk import Sdk, invoke


def main(module: str) -> None:
    """Serve until the input ends."""
    out = sys.stdout
    sys.stdout = sys.stderr
    logging.disable(logging.CRITICAL)
    sdk = Sdk(module)
    lock = threading.Lock()
    answers: dict[int, queue.SimpleQueue[dict[str, Any]]] = {}

    def send(message: dict[str, Any]) -> None:
        with lock:
            out.write(json.dumps(message) + "\n")
            out.flush()

    def run(job: dict[str, Any]) -> None:
        key = job["id"]

        def checkpoint(request: dict[str, Any]) -> dict[str, Any]:
            send({"id": key, "request": request})
            answer = answers[key].get()
            if "refused" in answer:
                raise ConnectionError(answer["refused"])
            found: dict[str, Any] = answer["answer"]
            return found

        done = invoke(sdk, scenarios.REGISTRY[job["invoke"]].body, job["event"], checkpoint)
        send({"id": key, "done": done})

    for line in sys.stdin:
        message = json.loads(line)
        if "invoke" in message:
            answers[message["id"]] = queue.SimpleQueue()
            threading.Thread(target=run, args=(message,), daemon=True).start()
        else:
            answers[message["id"]].put(message)


if __name__ == "__main__":
    main(sys.argv[1])
