"""How a scenario is written down: a body that takes the SDK it runs on, its input, and what the world outside does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.compat.service import Script

Body = Callable[[Any, Any, Any], Any]


@dataclass(frozen=True)
class Scenario:
    """One handler, run as `body(sdk, event, context)`."""

    name: str
    body: Body
    payload: str | None
    script: Script | None
    own_words: bool
    """Its errors are the SDK's, whose wording is free: messages are not compared."""
    sends_queued: bool
    """We send a START that the official SDK, ending the execution, drops from its queue."""


REGISTRY: dict[str, Scenario] = {}


def scenario(
    payload: str | None = "{}",
    script: Script | None = None,
    *,
    own_words: bool = False,
    sends_queued: bool = False,
) -> Callable[[Body], Body]:
    """Register a body under its name."""

    def register(body: Body) -> Body:
        name = body.__name__
        assert name not in REGISTRY, f"two scenarios are named {name}"
        REGISTRY[name] = Scenario(name, body, payload, script, own_words, sends_queued)
        return body

    return register


def seen(error: BaseException) -> dict[str, Any]:
    """What user code can see of an operation's error, as plain data."""
    cause = error.__cause__
    return {
        "class": type(error).__name__,
        "message": str(error),
        "error_type": getattr(error, "error_type", None),
        "data": getattr(error, "data", None),
        "cause": None if cause is None else [type(cause).__name__, str(cause), getattr(cause, "error_type", None)],
    }


def caught(call: Callable[[], Any]) -> Any:
    """The call's value, or what can be seen of its error."""
    try:
        return call()
    except Exception as error:  # whatever either SDK raises is what is compared
        return seen(error)


class Boom(Exception):
    """An error of the user's own."""


def no_retry(sdk: Any, **options: Any) -> Any:
    """A step configuration that gives up at the first failure."""
    return sdk.config.StepConfig(retry_strategy=sdk.retries.RetryPresets.none(), **options)


def retries(sdk: Any, attempts: int = 3, **options: Any) -> Any:
    """A strategy without jitter, so that delays are the same on both sides."""
    config = sdk.retries.RetryStrategyConfig(
        max_attempts=attempts, jitter_strategy=sdk.config.JitterStrategy.NONE, **options
    )
    return sdk.retries.create_retry_strategy(config)


def seconds(sdk: Any, value: int) -> Any:
    """A duration."""
    return sdk.config.Duration.from_seconds(value)
