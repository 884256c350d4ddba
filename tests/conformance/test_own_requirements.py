"""Requirements of our own, in the form of the public ones, for what those do not say."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from tests.conformance.handlers import Colour
from tests.conformance.judging import judge
from tests.conformance.requirements import requirement_files

FILES = requirement_files(Path(__file__).parent / "own")


@pytest.mark.parametrize("colour", get_args(Colour))
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_requirement(path, colour, capfd) -> None:
    problems = judge(path, lambda: capfd.readouterr().out, colour)
    assert not problems, "\n".join([f"requirement {path.stem} ({colour})", *problems])


def test_a_requirement_without_a_handler_is_noticed(tmp_path, capfd) -> None:
    file = tmp_path / "step" / "nobody-s.yaml"
    file.parent.mkdir()
    file.write_text("Input: 1\nExpectedExecutionHistory: []\n")
    with pytest.raises(AssertionError, match="nobody-s has no handler"):
        judge(file, lambda: "")
