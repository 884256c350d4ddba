"""Our handlers, one per requirement, found by its number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Literal, TypeAlias, TypeVar

Colour: TypeAlias = Literal["def", "async"]

H = TypeVar("H", bound=Callable[[Any, Any], Any])


@dataclass(frozen=True, slots=True)
class Registered:
    """A handler, and how it is to be run.

    Attributes:
        crashes: It ends its process, so each invocation needs one of its own.
        targets: The functions it invokes.
    """

    handler: Callable[[Any, Any], Any]
    crashes: bool = False
    targets: Mapping[str, Callable[[Any, Any], Any]] = field(default_factory=dict)


REGISTRY: dict[tuple[str, Colour], Registered] = {}


def requirement(
    number: str,
    *,
    colour: Colour = "def",
    crashes: bool = False,
    targets: Mapping[str, Callable[[Any, Any], Any]] | None = None,
) -> Callable[[H], H]:
    """Say which requirement a durable function is for."""

    def register(handler: H) -> H:
        assert (number, colour) not in REGISTRY, f"two handlers for {number} ({colour})"
        REGISTRY[number, colour] = Registered(handler, crashes, targets or {})
        return handler

    return register


def load_all() -> Mapping[tuple[str, Colour], Registered]:
    """Every handler of this package."""
    for module in iter_modules(__path__, f"{__name__}."):
        import_module(module.name)
    return REGISTRY
