"""Handlers that commands name as MODULE:HANDLER."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from durable_execution_sdk._drivers.invocation import DurableFunction
from durable_execution_sdk.cli.problems import USAGE, Problem
from durable_execution_sdk.engine.functions import is_durable, load


def make_importable() -> None:
    """Handlers are looked for in the current folder too, as `python -m` does."""
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)


@contextmanager
def apart() -> Iterator[None]:
    """Keep users' code from standard output, which is left to the command, and from waiting for standard input."""
    before = sys.stdin
    with open(os.devnull, encoding="ascii") as nothing, redirect_stdout(sys.stderr):
        sys.stdin = nothing
        try:
            yield
        finally:
            sys.stdin = before


def load_durable(target: str) -> DurableFunction:
    """What is behind a durable handler."""
    make_importable()
    handler: Any = load(target)
    if not is_durable(handler):
        raise Problem(f"{target} is no durable handler: decorate it with @durable_execution", USAGE)
    durable: DurableFunction = handler.__durable__
    return durable
