"""The report that the settlement ends with."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any


def write(path: Path, batches: Sequence[Mapping[str, Any]], rejected: Mapping[str, int]) -> str:
    """Write the report in one piece, so that nobody ever sees half of it; its path."""
    text = render(batches, rejected)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)
    return str(path)


def render(batches: Sequence[Mapping[str, Any]], rejected: Mapping[str, int]) -> str:
    """The report as text."""
    paid: Counter[str] = Counter()
    amounts: dict[str, Decimal] = {}
    for batch in batches:
        paid.update(batch["paid"])
        for country, amount in batch["amounts"].items():
            amounts[country] = amounts.get(country, Decimal(0)) + amount
    declined = [order for batch in batches for order in batch["declined"]]
    rows = [f"| {country} | {paid[country]} | {amounts[country]:.2f} |" for country in sorted(amounts)]
    return "\n".join(
        [
            "# Settlement",
            "",
            "| country | orders | amount |",
            "|---|---:|---:|",
            *rows,
            f"| all | {sum(paid.values())} | {sum(amounts.values(), Decimal(0)):.2f} |",
            "",
            f"Paid only after a retry: {sum(batch['retried'] for batch in batches)}",
            f"Declined: {len(declined)} ({', '.join(declined) or 'none'})",
            *(f"Rejected, {reason}: {count}" for reason, count in sorted(rejected.items())),
            "",
        ]
    )
