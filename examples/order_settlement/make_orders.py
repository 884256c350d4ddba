"""Makes orders.csv. Seeded: `python -m examples.order_settlement.make_orders` writes the file that is shipped."""

from __future__ import annotations

import csv
import random
from pathlib import Path

ORDERS = Path(__file__).with_name("orders.csv")
COUNT = 2_400
SEED = 20_260_713

COUNTRIES = {"DE": 31, "FR": 22, "IT": 14, "NL": 12, "PL": 9, "SE": 7, "PT": 5}
METHODS = {"card": 64, "wallet": 21, "transfer": 15}


def main() -> None:
    """Write the file."""
    source = random.Random(SEED)
    with ORDERS.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["order_id", "customer", "country", "method", "amount_cents"])
        for number in range(1, COUNT + 1):
            country = source.choices([*COUNTRIES], [*COUNTRIES.values()])[0]
            method = source.choices([*METHODS], [*METHODS.values()])[0]
            amount = str(int(source.lognormvariate(8.2, 0.9)) + 99)
            customer = f"C{source.randrange(1, 900):04}"
            # Real files have rows that nobody can settle.
            match source.random():
                case chance if chance < 0.006:
                    amount = f"-{amount}"
                case chance if chance < 0.011:
                    customer = ""
                case chance if chance < 0.015:
                    country = "XX"
                case chance if chance < 0.018:
                    amount = "n/a"
            writer.writerow([f"O{number:05}", customer, country, method, amount])


if __name__ == "__main__":
    main()
