"""Verdicts of bench rows: which way round each rule compares, and that a run survives its file."""

from __future__ import annotations

from pathlib import Path

import pytest
from benches.results import Row, Run, read
from benches.table import page


def row(rule: str, budget: float | None, ours: float, other: float | None) -> Row:
    return Row("a row", "us", rule, budget, "official", ours, other, 0.5)


@pytest.mark.parametrize(
    ("rule", "ours", "other", "budget", "met"),
    [
        ("times", 1, 50, 50, True),
        ("times", 1, 49, 50, False),
        ("most", 2, 1, 2, True),
        ("most", 2.1, 1, 2, False),
        ("share", 0.85, 1, 0.85, True),
        ("share", 0.8, 1, 0.85, False),
        ("limit", 64, None, 64, True),
        ("limit", 65, 1, 64, False),
        ("times", 1, None, 50, None),
        ("times", 1, 60, None, None),
    ],
)
def test_verdicts(rule: str, ours: float, other: float | None, budget: float | None, met: bool | None) -> None:
    assert row(rule, budget, ours, other).met is met


def test_a_missed_budget_is_shown() -> None:
    text = page(Run("a machine", "versions", "2026-01-01", ()), [row("times", 50, 1, 49)])
    assert text.splitlines()[-1] == "| a row | 49 us | 1 us | 49 | 50 times: **missed** | 0.5 us | 2 |"


def test_a_run_survives_its_file(tmp_path: Path) -> None:
    run = Run("a machine", "versions", "2026-01-01", (row("times", 50, 1, 49), row("limit", None, 1, None)))
    run.write(tmp_path / "run.json")
    assert read(tmp_path / "run.json") == run
