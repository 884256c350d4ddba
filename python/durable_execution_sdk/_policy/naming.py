"""Names of operations. Replay compares them, so these rules are those of the official SDK 3.0.0, to the letter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

BOUND_NAME: Final = "_original_name"
"""Attribute with which decorators such as `durable_step` pass on the name of the function they bind."""


def operation_name(name: str | None, func: Callable[..., Any]) -> str | None:
    """Name of a step, map, child context or wait_for_callback: the one given, else that of the decorated function.

    An empty name counts as none given. Undecorated functions lend no name, for a lambda or a local function is renamed
    too easily.
    """
    bound: str | None = getattr(func, BOUND_NAME, None)
    return name or bound


def map_item_name(index: int) -> str:
    """Name of a map item's branch, unless an item namer says otherwise."""
    return f"map-item-{index}"


def parallel_branch_name(index: int) -> str:
    """Name of a parallel's branch without a name of its own."""
    return f"parallel-branch-{index}"


def callback_name(name: str | None) -> str:
    """Name of the callback that wait_for_callback creates."""
    return f"{name} create callback id" if name else "create callback id"


def submitter_name(name: str | None) -> str:
    """Name of the step in which wait_for_callback runs its submitter."""
    return f"{name} submitter" if name else "submitter"


def backoff_name(name: str | None, attempt: int) -> str | None:
    """Name of the wait after a failed run of with_retry."""
    return f"{name}-backoff-{attempt}" if name else None
