"""The requirement files: where they are and what they may say."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

VARIABLE: Final = "DURABLE_CONFORMANCE"
SUITES: Final = frozenset(
    {
        "step",
        "wait",
        "child",
        "callback",
        "invoke",
        "wait_for_condition",
        "wait_for_callback",
        "parallel",
        "map",
        "plugin",
    }
)
PROSE: Final = frozenset({"description", "handler", "invocations", "async", "optional", "DefaultRetryParameters"})
CHECKED: Final = frozenset(
    {
        "Variables",
        "Input",
        "AsyncInvoke",
        "CallbackActions",
        "ExpectedResult",
        "ExpectedExecutionHistory",
        "ExpectedLogs",
    }
)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One file."""

    id: str
    suite: str
    says: dict[str, Any]


def read_requirement(path: Path) -> Requirement:
    """Read a file.

    Raises:
        ValueError: It says something that nobody would check.
    """
    says = yaml.safe_load(path.read_text(encoding="utf-8"))
    unknown = sorted(set(says) - PROSE - CHECKED)
    if unknown:
        raise ValueError(f"{path} says {unknown}, which the validator does not know.")
    return Requirement(path.stem, path.parent.name, says)


def requirement_files(folder: Path) -> list[Path]:
    """All files of all suites, by number."""
    return sorted(folder.glob("*/*.yaml"), key=lambda path: [int(digits) for digits in re.findall(r"\d+", path.stem)])


def data_folder() -> Path | None:
    """The folder that the environment names; None where it names none."""
    given = os.environ.get(VARIABLE)
    return Path(given) if given else None
