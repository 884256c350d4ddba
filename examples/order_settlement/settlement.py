"""The workflow: one ordinary function. Stop it anywhere; run again, it goes on where it was.

durable run examples.order_settlement.settlement:handler --input '{"report": "report.md"}' --name tonight
"""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any, TypedDict

from durable_execution_sdk import (
    DurableContext,
    StepContext,
    StepError,
    durable_execution,
    durable_step,
    durable_with_child_context,
)
from durable_execution_sdk.config import Duration, JitterStrategy, StepConfig
from durable_execution_sdk.retries import RetryStrategyConfig, create_retry_strategy
from examples.order_settlement import gateway, report
from examples.order_settlement.make_orders import COUNTRIES, METHODS, ORDERS

BATCH_SIZE = 100

PATIENT = StepConfig(
    retry_strategy=create_retry_strategy(
        RetryStrategyConfig(
            max_attempts=3,
            initial_delay=Duration.from_seconds(2),
            max_delay=Duration.from_seconds(30),
            jitter_strategy=JitterStrategy.NONE,
        )
    )
)


class Order(TypedDict):
    """One row that can be settled."""

    order_id: str
    country: str
    method: str
    amount_cents: int


class Loaded(TypedDict):
    """What is worth remembering of the file."""

    batches: list[list[Order]]
    rejected: dict[str, int]


class Batch(TypedDict):
    """What came of one batch."""

    paid: dict[str, int]
    amounts: dict[str, Decimal]
    declined: list[str]
    retried: int


@durable_step
def load(_: StepContext, path: str) -> Loaded:
    """Read the orders; rows that nobody can settle are counted by reason."""
    orders: list[Order] = []
    rejected: dict[str, int] = {}
    with Path(path).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            reason = reason_to_reject(row)
            if reason is not None:
                rejected[reason] = rejected.get(reason, 0) + 1
                continue
            orders.append(
                {
                    "order_id": row["order_id"],
                    "country": row["country"],
                    "method": row["method"],
                    "amount_cents": int(row["amount_cents"]),
                }
            )
    batches = [orders[start : start + BATCH_SIZE] for start in range(0, len(orders), BATCH_SIZE)]
    return {"batches": batches, "rejected": rejected}


def reason_to_reject(row: dict[str, str]) -> str | None:
    """Why a row cannot be settled; None if it can."""
    if not row["customer"]:
        return "no customer"
    if row["country"] not in COUNTRIES or row["method"] not in METHODS:
        return "unknown country or method"
    if not row["amount_cents"].isdigit():
        return "amount is no positive number"
    return None


@durable_step
def pay(step: StepContext, order: Order) -> int:
    """Charge one order; the attempt that succeeded."""
    gateway.charge(order["order_id"], order["amount_cents"], step.attempt)
    return step.attempt


@durable_with_child_context
def settle_batch(context: DurableContext, orders: list[Order]) -> Batch:
    """Charge the orders of one batch, one after the other."""
    done: Batch = {"paid": {}, "amounts": {}, "declined": [], "retried": 0}
    for order in orders:
        try:
            attempts = context.step(pay(order), name=f"pay {order['order_id']}", config=PATIENT)
        except StepError:
            done["declined"].append(order["order_id"])
            continue
        country = order["country"]
        done["paid"][country] = done["paid"].get(country, 0) + 1
        done["amounts"][country] = done["amounts"].get(country, Decimal(0)) + Decimal(order["amount_cents"]) / 100
        done["retried"] += attempts > 1
    return done


@durable_step
def write_report(_: StepContext, path: str, batches: list[Batch], rejected: dict[str, int]) -> str:
    """Write the report; writing it twice writes the same."""
    return report.write(Path(path), batches, rejected)


@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    """Settle every order of the file and write a report."""
    loaded = context.step(load(event.get("orders") or str(ORDERS)))
    batches = loaded["batches"]
    if event.get("batches"):
        batches = batches[: event["batches"]]
    done = []
    for number, orders in enumerate(batches, 1):
        context.logger.info("batch %d of %d: %d orders", number, len(batches), len(orders))
        done.append(context.run_in_child_context(settle_batch(orders), name=f"batch {number}"))
    context.wait(Duration.from_hours(2), name="settlement window")
    path = context.step(write_report(event["report"], done, loaded["rejected"]))
    return {"report": path, "orders": sum(sum(batch["paid"].values()) for batch in done)}
