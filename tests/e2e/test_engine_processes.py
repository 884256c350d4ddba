"""Several processes around one store: children that run invocations, drivers that exclude each other, callbacks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from durable_execution_sdk.engine import (
    Engine,
    EngineError,
    ExecutionBusy,
    ExecutionFailed,
    ExecutionStopped,
    VirtualClock,
)
from durable_execution_sdk.engine.scheduler import POLL_SECONDS
from tests.support import engine_workflows as workflows

ROOT = Path(__file__).parents[2]
HERE = "tests.support.engine_workflows"


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


# Drives an execution that waits for a callback, and says when it waits and when it has the result.
DRIVER = """
import sys, time
from durable_execution_sdk.engine import Engine
from tests.support.engine_workflows import await_callback

def tell(progress):
    if not progress.running and progress.status == "RUNNING":
        print("waiting", flush=True)

with Engine(sys.argv[1], observer=tell) as engine:
    result = engine.run(await_callback, {}, name="job")
    print(f"{time.time():.6f} {result}", flush=True)
"""


def test_a_callback_from_another_process_is_noticed(tmp_path: Path) -> None:
    store = tmp_path / "store.db"
    driver = python(DRIVER, str(store))
    assert driver.stdout is not None
    assert driver.stdout.readline() == "waiting\n"
    with Engine(store) as engine:
        with pytest.raises(ExecutionBusy, match=f"process {driver.pid}"):
            engine.run(workflows.await_callback, {}, name="job")
        summary = engine.describe("job")
        assert summary.driver_pid == driver.pid
        assert summary.status == "RUNNING"
        callback = next(record.callback_id for record in engine.operations("job") if record.callback_id)
        sent = time.time()
        engine.send_callback_success(callback, "from outside")
        assert engine.result("job", 30) == "from outside"
        noticed, _, result = driver.stdout.readline().partition(" ")
        assert driver.wait(30) == 0
        assert result == "from outside\n"
        print(f"noticed after {float(noticed) - sent:.3f} s")
        assert POLL_SECONDS <= 0.05  # half of the 100 ms that is promised: the rest is the resumption's
        assert engine.describe("job").driver_pid is None
    driver.stdout.close()
    assert driver.stdin is not None
    driver.stdin.close()


def test_a_killed_driver_holds_nothing(tmp_path: Path) -> None:
    store = tmp_path / "store.db"
    driver = python(DRIVER, str(store))
    assert driver.stdout is not None
    assert driver.stdin is not None
    assert driver.stdout.readline() == "waiting\n"
    driver.kill()
    driver.wait()
    driver.stdout.close()
    driver.stdin.close()
    with Engine(store) as engine:
        assert engine.describe("job").driver_pid is None
        callback = next(record.callback_id for record in engine.operations("job") if record.callback_id)
        engine.send_callback_success(callback, "late")
        assert engine.resume("job") == "late"


def test_two_engines_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    store = tmp_path / "store.db"
    with Engine(store) as one, Engine(store) as other:
        summary = one.start(workflows.await_callback, {}, name="job")
        with pytest.raises(ExecutionBusy, match=f"process {os.getpid()}"):
            other.resume(summary.arn)
        assert other.describe("job").driver_pid == os.getpid()
        other.stop("job")
        with pytest.raises(ExecutionStopped):
            one.result("job", 30)
        other.close()
        one.create(workflows.await_callback, {}, name="next")


def test_invocations_in_child_processes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with Engine(tmp_path / "store.db", clock=VirtualClock(), isolation="process") as engine:
        process = engine.run(f"{HERE}:process_id", None, name="job")
        assert process != os.getpid()
        assert engine.describe("job").invocations == 2
    assert capfd.readouterr().out.count("said on standard output") == 2


def test_a_crash_of_a_child_process_is_a_failed_invocation(tmp_path: Path) -> None:
    with Engine(clock=VirtualClock(), isolation="process") as engine:
        event = {"marks": str(tmp_path / "marks"), "times": 2}
        assert engine.run(workflows.dies, event, name="crashes") == "alive after 2"
        errors = [
            event["InvocationCompletedDetails"].get("Error", {}).get("Payload", {})
            for event in engine.history("crashes")
            if event["EventType"] == "InvocationCompleted"
        ]
        assert [error.get("ErrorType") for error in errors] == ["Runtime.ExitError", "Runtime.ExitError", None]
        assert errors[0]["ErrorMessage"].endswith("signal 9.")
        event = {"marks": str(tmp_path / "more"), "times": 9}
        with pytest.raises(ExecutionFailed, match=r"Runtime\.ExitError"):
            engine.run(workflows.dies, event, name="hopeless")
        assert engine.describe("hopeless").invocations == 5


def test_everything_works_in_child_processes(tmp_path: Path) -> None:
    functions = {"double": f"{HERE}:double", "plain": f"{HERE}:plain"}
    with Engine(clock=VirtualClock(), functions=functions, isolation="process") as engine:
        assert engine.run(workflows.call, {"function": "double", "payload": "\ud800"}) == "\ud800\ud800"
        assert engine.run(workflows.call, {"function": "plain"})["plain"] is None
        with pytest.raises(ExecutionFailed, match="Function not found"):
            engine.run(workflows.call, {"function": "nobody"})


def test_a_child_process_ends_with_its_engine(tmp_path: Path) -> None:
    # A stand-in for the engine that goes away after the first frame: the worker's end of the socket is then closed.
    code = """
import json, socket, subprocess, sys
from durable_execution_sdk.engine import frames
ours, theirs = socket.socketpair()
command = [sys.executable, "-m", "durable_execution_sdk.engine.worker", str(theirs.fileno()), sys.argv[1]]
worker = subprocess.Popen(command, pass_fds=(theirs.fileno(),))
theirs.close()
started = {"event": {}, "context": {"aws_request_id": "r"}, "now_ms": 1, "scale": 1}
started["plain_input"] = json.dumps(sys.argv[2])
frames.send(ours, json.dumps(started).encode())
ours.close()
print(worker.wait(30))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, f"{HERE}:stays", str(tmp_path / "mark")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "1\n", done.stderr


def test_a_handler_without_a_place_cannot_be_isolated() -> None:
    handler = workflows.durable_execution(lambda event, context: None)
    with Engine(isolation="process") as engine, pytest.raises(EngineError, match="module:attribute"):
        engine.run(handler)
