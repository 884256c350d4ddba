"""The order settlement of examples/: right figures, and the same report however often its process is killed."""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from examples.order_settlement import gateway, make_orders

from durable_execution_sdk.engine import Engine

ROOT = Path(__file__).parents[2]
HANDLER = "examples.order_settlement.settlement:handler"


def expected_report() -> str:
    """The report, computed from the file of orders without any of the workflow's code."""
    rejected: Counter[str] = Counter()
    cents: Counter[str] = Counter()
    paid: Counter[str] = Counter()
    declined: list[str] = []
    retried = 0
    with make_orders.ORDERS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["customer"] == "":
                rejected["no customer"] += 1
            elif row["country"] == "XX":
                rejected["unknown country or method"] += 1
            elif row["amount_cents"].startswith("-") or row["amount_cents"] == "n/a":
                rejected["amount is no positive number"] += 1
            else:
                calls = [gateway.answers(row["order_id"], attempt) for attempt in (1, 2, 3)]
                if "paid" not in calls:
                    declined.append(row["order_id"])
                    continue
                retried += calls[0] != "paid"
                paid[row["country"]] += 1
                cents[row["country"]] += int(row["amount_cents"])
    lines = ["# Settlement", "", "| country | orders | amount |", "|---|---:|---:|"]
    lines += [f"| {country} | {paid[country]} | {Decimal(cents[country]).scaleb(-2)} |" for country in sorted(paid)]
    lines.append(f"| all | {paid.total()} | {Decimal(cents.total()).scaleb(-2)} |")
    lines += ["", f"Paid only after a retry: {retried}", f"Declined: {len(declined)} ({', '.join(declined)})"]
    lines += [f"Rejected, {reason}: {rejected[reason]}" for reason in sorted(rejected)]
    return "\n".join([*lines, ""])


class Settlement:
    """One execution of the workflow, process after process."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "store.db"
        self.report = folder / "report.md"
        self.ledger = folder / "ledger.txt"
        self.ledger.touch()

    def start(self, fault: str = "") -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "durable_execution_sdk.cli", "run", HANDLER, "--name", "night"]
        given = ["--input", json.dumps({"report": str(self.report)}), "--store", str(self.store), "--json"]
        environment = {**os.environ, gateway.LEDGER_VARIABLE: str(self.ledger), "DURABLE_ENGINE_FAULT": fault}
        return subprocess.Popen(
            [*command, *given, "--time-scale", "5000"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def calls(self) -> list[str]:
        """The orders that the gateway was asked to charge, call by call."""
        return [line.split()[0] for line in self.ledger.read_text(encoding="ascii").splitlines()]

    def acknowledged(self) -> set[str]:
        """The orders whose payment is recorded as done."""
        if not self.store.exists():
            return set()
        with Engine(self.store) as engine:
            return {
                (operation.name or "").removeprefix("pay ")
                for execution in engine.list()
                for operation in engine.operations(execution.arn)
                if operation.operation_type == "STEP" and operation.status in {"SUCCEEDED", "FAILED"}
            }


def test_the_shipped_orders_are_those_that_the_script_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = make_orders.ORDERS.read_text(encoding="utf-8")
    assert len(shipped.splitlines()) > 2_000
    monkeypatch.setattr(make_orders, "ORDERS", tmp_path / "orders.csv")
    make_orders.main()
    assert (tmp_path / "orders.csv").read_text(encoding="utf-8") == shipped


@pytest.mark.timeout(600)
def test_killed_forty_times_and_more_it_ends_with_the_same_report(tmp_path: Path) -> None:
    settlement = Settlement(tmp_path)
    chance = random.Random(20260713)
    kills: Counter[str] = Counter()
    for number in range(44):
        before = settlement.acknowledged()
        calls = len(settlement.calls())
        moment = ("before", "during", "after", "any time")[number % 4]
        if moment == "any time":
            process = settlement.start()
            try:
                process.wait(chance.uniform(0.1, 0.4))
            except subprocess.TimeoutExpired:
                process.kill()
        else:
            process = settlement.start(f"{moment}:{chance.randrange(1, 50)}:{chance.randrange(0, 2000)}")
        code = process.wait(timeout=120)
        again = before.intersection(settlement.calls()[calls:])
        assert not again, f"kill {number} ({moment}): charged again although it was acknowledged: {sorted(again)}"
        kills[moment] += code == -9
    assert kills.total() >= 40, kills
    before = settlement.acknowledged()
    calls = len(settlement.calls())
    assert settlement.start().wait(timeout=300) == 0
    assert not before.intersection(settlement.calls()[calls:])
    assert settlement.report.read_text(encoding="utf-8") == expected_report()
