"""How many requests does a fresh sequential step cost?"""

from __future__ import annotations

from benches.questions import fresh


def measure(sdk: str, steps: int = 50) -> float:
    """Checkpoint requests per step, at a service latency of 5 ms."""
    return fresh.run(sdk, 5, steps)[1]
