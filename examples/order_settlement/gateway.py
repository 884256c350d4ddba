"""A payment gateway that fails now and then, and always alike: what it does depends on order and attempt alone."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

LEDGER_VARIABLE = "ORDER_SETTLEMENT_LEDGER"
"""Names a file that gets a line for every call, for whoever wants to count them from outside."""


class GatewayTimeout(Exception):
    """No answer; trying again may help."""


class CardDeclined(Exception):
    """The bank refuses this order, however often it is asked."""


def answers(order_id: str, attempt: int) -> str:
    """`paid`, `timeout` or `declined`."""
    if _draw(order_id) < 4:
        return "declined"
    return "timeout" if _draw(f"{order_id}/{attempt}") < 60 else "paid"


def charge(order_id: str, amount_cents: int, attempt: int) -> str:
    """Charge an order; the receipt.

    Raises:
        GatewayTimeout: Now and then.
        CardDeclined: Always, for a few orders.
    """
    ledger = os.environ.get(LEDGER_VARIABLE)
    if ledger:
        with Path(ledger).open("a", encoding="ascii") as file:
            file.write(f"{order_id} {attempt}\n")
    match answers(order_id, attempt):
        case "timeout":
            raise GatewayTimeout(f"the gateway did not answer for {order_id}")
        case "declined":
            raise CardDeclined(f"the bank declines {order_id}")
    return f"{order_id}-{amount_cents}-{_draw(order_id, 0xFFFF):04x}"


def _draw(text: str, below: int = 1000) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % below
