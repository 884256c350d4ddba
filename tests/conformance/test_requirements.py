"""Every requirement that the data folder holds is met."""

from __future__ import annotations

from typing import get_args

import pytest

from tests.conformance.handlers import Colour
from tests.conformance.judging import judge
from tests.conformance.requirements import SUITES, VARIABLE, data_folder, requirement_files

FOLDER = data_folder()
FILES = [] if FOLDER is None else requirement_files(FOLDER)

if FOLDER is None:
    pytest.skip(f"{VARIABLE} names no folder with the public requirements", allow_module_level=True)


def test_the_folder_holds_every_suite() -> None:
    assert {path.parent.name for path in FILES} == SUITES, f"{FOLDER} is not the folder of the requirements"


@pytest.mark.parametrize("colour", get_args(Colour))
@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_requirement(path, colour, capfd) -> None:
    problems = judge(path, lambda: capfd.readouterr().out, colour)
    assert not problems, "\n".join([f"requirement {path.stem} ({colour})", *problems])
