"""Public classes live in inner rooms but say their public address, in tracebacks, pickles and documentation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

PACKAGE = "durable_execution_sdk"

_Named = TypeVar("_Named", bound=Callable[..., Any])


def public(module: str) -> Callable[[_Named], _Named]:
    """Give a class or function the front door `durable_execution_sdk.<module>` as its `__module__`.

    Stands above `@dataclass`, so that annotations are still resolved where they were written.
    """
    home = f"{PACKAGE}.{module}" if module else PACKAGE

    def decorate(named: _Named) -> _Named:
        named.__module__ = home
        return named

    return decorate
