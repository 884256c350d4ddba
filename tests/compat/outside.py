"""Scenarios for the official local runner in which the world outside answers: its callbacks and functions are real."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.compat.scenarios.registry import caught, seconds


@dataclass(frozen=True)
class Outside:
    """A handler, and what is done for it: callbacks by name, in order, and functions to invoke."""

    body: Callable[[Any, Any, Any], Any]
    answers: tuple[tuple[str, bytes | None], ...] = ()
    """Name of the callback and its result; None: it is refused."""


def _approval(sdk: Any, event: Any, ctx: Any) -> Any:
    config = sdk.config.CallbackConfig(timeout=seconds(sdk, 3600), serdes=sdk.serdes.JsonSerDes())
    first = ctx.create_callback("first", config)
    ctx.step(lambda _: len(first.callback_id) > 0, "send")
    return [first.result(), ctx.create_callback("second").result()]


def _refusal(sdk: Any, event: Any, ctx: Any) -> Any:
    return caught(ctx.create_callback("refused").result)


def _uncaught(sdk: Any, event: Any, ctx: Any) -> Any:
    return ctx.create_callback("refused").result()


def _mail(sdk: Any, event: Any, ctx: Any) -> Any:
    found = ctx.wait_for_callback(lambda callback_id, context: None, "mail")
    return [found, caught(lambda: ctx.wait_for_callback(lambda callback_id, context: None, "letter"))]


def _branches(sdk: Any, event: Any, ctx: Any) -> Any:
    def branch(name: str) -> Any:
        return lambda child: child.create_callback(name).result()

    done = ctx.parallel([branch("left"), branch("right"), lambda child: child.step(lambda _: 3)], "both")
    return [item.result for item in done.all]


def _invokes(sdk: Any, event: Any, ctx: Any) -> Any:
    return [ctx.invoke("double", {"n": 21}, "doubling"), caught(lambda: ctx.invoke("broken", None, "breaking"))]


OUTSIDE = {
    "outside_approval": Outside(_approval, (("first", b'{"ok": true}'), ("second", b"plain"))),
    "outside_refusal": Outside(_refusal, (("refused", None),)),
    "outside_refusal_uncaught": Outside(_uncaught, (("refused", None),)),
    "outside_mail": Outside(_mail, (("mail create callback id", b"thanks"), ("letter create callback id", None))),
    "outside_branches": Outside(_branches, (("right", b"r"), ("left", b"l"))),
    "outside_invokes": Outside(_invokes),
}


def double(event: Any, context: Any) -> Any:
    """A plain function to invoke."""
    return {"doubled": event["n"] * 2}


def broken(event: Any, context: Any) -> Any:
    """A plain function that fails."""
    raise LookupError("nothing there")


FUNCTIONS = {"double": double, "broken": broken}
