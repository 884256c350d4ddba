"""Runs a requirement and says what is wrong."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from tests.conformance import console
from tests.conformance.handlers import Colour, load_all
from tests.conformance.requirements import read_requirement
from tests.conformance.running import run
from tests.conformance.validator import Bindings, history_problems, log_problems, result_problems


def judge(path: Path, printed: Callable[[], str], colour: Colour = "def") -> list[str]:
    """What is wrong with our handler for the file; `printed` tells what went to standard output meanwhile."""
    requirement = read_requirement(path)
    handlers = load_all()
    assert (requirement.id, colour) in handlers, f"{requirement.id} has no handler ({colour}) in handlers/"
    bindings = Bindings(requirement.says.get("Variables"), random.Random(requirement.id))
    with console.listening():
        ran = run(requirement, handlers[requirement.id, colour], bindings)
    records = console.read(printed())
    problems = [f"not carried out: {action}" for action in ran.undone]
    problems += result_problems(requirement.says.get("ExpectedResult") or {}, ran.status, ran.result, bindings)
    problems += history_problems(requirement.says["ExpectedExecutionHistory"], ran.events, bindings)
    problems += log_problems(requirement.says.get("ExpectedLogs") or [], records, bindings)
    return problems
