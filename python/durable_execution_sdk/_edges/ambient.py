"""Chance and time for the few official calls that take neither as an argument (see `_model/ambient.py`)."""

from __future__ import annotations

import time

from durable_execution_sdk._model import ambient


def _random() -> float:
    import random  # about 4 ms, and most processes never back off

    return random.random()


def _now_s() -> float:
    return time.time()


def connect_ambient() -> None:
    """Connect them to the pure rooms."""
    ambient.connect(random=_random, now_s=_now_s)
