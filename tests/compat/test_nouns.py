"""Both SDKs make the same of random options, errors, batches and previews."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.compat import noun_worker
from tests.compat.conftest import official_python


def answers(python: str, package: str, seed: int) -> list[Any]:
    printed = subprocess.run(
        [python, noun_worker.__file__, package, str(seed)], capture_output=True, text=True, check=True
    ).stdout
    found: list[Any] = json.loads(printed)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_both_make_the_same_of_it(seed: int) -> None:
    theirs = answers(official_python("3.0.0", "DURABLE_OFFICIAL_PYTHON"), "aws_durable_execution_sdk_python", seed)
    ours = answers(sys.executable, "durable_execution_sdk", seed)
    assert len(ours) == len(theirs) == 4 * noun_worker.CASES
    assert [pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1]] == []
