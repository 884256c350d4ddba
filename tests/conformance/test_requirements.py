"""Every requirement that the data folder holds is met."""

from __future__ import annotations

import random

import pytest

from tests.conformance import console
from tests.conformance.handlers import load_all
from tests.conformance.requirements import SUITES, VARIABLE, data_folder, read_requirement, requirement_files
from tests.conformance.running import run
from tests.conformance.validator import Bindings, history_problems, log_problems, result_problems

FOLDER = data_folder()
FILES = [] if FOLDER is None else requirement_files(FOLDER)

if FOLDER is None:
    pytest.skip(f"{VARIABLE} names no folder with the public requirements", allow_module_level=True)


def test_the_folder_holds_every_suite() -> None:
    assert {path.parent.name for path in FILES} == SUITES, f"{FOLDER} is not the folder of the requirements"


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_requirement(path, capfd) -> None:
    requirement = read_requirement(path)
    handlers = load_all()
    assert requirement.id in handlers, f"requirement {requirement.id} has no handler in tests/conformance/handlers"
    bindings = Bindings(requirement.says.get("Variables"), random.Random(requirement.id))
    with console.listening():
        ran = run(requirement, handlers[requirement.id], bindings)
    records = console.read(capfd.readouterr().out)
    problems = [f"not carried out: {action}" for action in ran.undone]
    problems += result_problems(requirement.says.get("ExpectedResult") or {}, ran.status, ran.result, bindings)
    problems += history_problems(requirement.says["ExpectedExecutionHistory"], ran.events, bindings)
    problems += log_problems(requirement.says.get("ExpectedLogs") or [], records, bindings)
    assert not problems, "\n".join([f"requirement {requirement.id}", *problems])
