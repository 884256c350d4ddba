"""Runs a workflow on an engine in forked processes that are killed; prints what became of it, as JSON.

A process of its own, so that forks start from a single thread, and a kill costs a fork instead of an interpreter.
Usage: `python -m tests.support.kill_runner PLAN`. The plan is JSON, a list of `{"workflow", "store", "notes",
"kills"}`; a kill is a fault point (`before:3`) or a number of seconds after which the process is killed from outside.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from durable_execution_sdk.engine import Engine
from durable_execution_sdk.engine.faults import VARIABLE
from tests.support.kill_workflow import FUNCTIONS, WORKFLOWS

SCALE = 2000


def run_once(workflow: str, store: str, notes: str) -> None:
    with Engine(store, time_scale=SCALE, functions=FUNCTIONS) as engine:
        value = engine.run(WORKFLOWS[workflow], {"notes": notes}, name="job")
    Path(store + ".result").write_text(json.dumps(value), encoding="utf-8")


def child(plan: dict[str, Any], fault: str | None) -> int:
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        os.environ.pop(VARIABLE, None)
        if fault is not None:
            os.environ[VARIABLE] = fault
        run_once(plan["workflow"], plan["store"], plan["notes"])
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def killed(plan: dict[str, Any], kill: str | float) -> bool:
    """Run the workflow until the kill; whether it was one."""
    process = child(plan, kill if isinstance(kill, str) else None)
    if not isinstance(kill, str):
        signal.sigtimedwait({signal.SIGCHLD}, kill)
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    if not os.WIFSIGNALED(status) and os.WEXITSTATUS(status):
        raise SystemExit(f"the workflow failed before {kill}")
    return os.WIFSIGNALED(status)


def main(plans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    outcomes = []
    for plan in plans:
        kills = [killed(plan, kill) for kill in plan["kills"]]
        _, status = os.waitpid(child(plan, None), 0)
        result = Path(plan["store"] + ".result")
        outcomes.append(
            {
                "kills": sum(kills),
                "exit": os.waitstatus_to_exitcode(status),
                "result": json.loads(result.read_text(encoding="utf-8")) if result.exists() else None,
            }
        )
    return outcomes


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
