"""Every requirement that the data folder holds is met."""

from __future__ import annotations

import pytest

from tests.conformance.judging import judge
from tests.conformance.requirements import SUITES, VARIABLE, data_folder, requirement_files

FOLDER = data_folder()
FILES = [] if FOLDER is None else requirement_files(FOLDER)

if FOLDER is None:
    pytest.skip(f"{VARIABLE} names no folder with the public requirements", allow_module_level=True)


def test_the_folder_holds_every_suite() -> None:
    assert {path.parent.name for path in FILES} == SUITES, f"{FOLDER} is not the folder of the requirements"


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_requirement(path, capfd) -> None:
    problems = judge(path, lambda: capfd.readouterr().out)
    assert not problems, "\n".join([f"requirement {path.stem}", *problems])


# Maps and parallels are operations of `def` handlers; this plugin requirement runs a parallel.
UNDER_ASYNC = [path for path in FILES if path.parent.name not in {"parallel", "map"} and path.stem != "10-23"]


@pytest.mark.parametrize("path", UNDER_ASYNC, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_requirement_under_async(path, capfd) -> None:
    problems = judge(path, lambda: capfd.readouterr().out, "async")
    assert not problems, "\n".join([f"requirement {path.stem} under async def", *problems])
