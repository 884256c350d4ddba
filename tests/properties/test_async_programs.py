"""Whatever an async handler does with its tasks, each invocation repeats what those before it saw."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.support.async_programs import check, programs

PROGRAMS = int(os.environ.get("DURABLE_ASYNC_PROGRAMS", "300"))
"""How many programs to try in all; `make programs` asks for 2,000. `test_timed_programs.py` tries others."""

THOROUGH = PROGRAMS > 1000
"""Whether each request is tried with all three endings; in a usual run each gets one of them."""

SHARDS = 20


@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_invocation_repeats_what_was_seen_before(shard: int) -> None:
    eager = sys.version_info >= (3, 12) and shard % 2 == 1

    @seed(shard)
    @settings(
        deadline=None, database=None, max_examples=-(-PROGRAMS // SHARDS), suppress_health_check=list(HealthCheck)
    )
    @given(program=programs, fine=st.booleans(), salt=st.integers(0, 2))
    def tried(program: tuple[Any, ...], fine: bool, salt: int) -> None:
        check(program, fine=fine, eager=eager, salt=None if THOROUGH else salt)

    tried()
