"""The built-in handlers that replay made-up histories. No SDK is imported before one runs: either may run them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

_BLOCK: Final = 10
"""Operations of one turn of `nested` and `mixed`."""


def turns(operations: int) -> int:
    """Blocks in a history of `nested` or `mixed`."""
    return max(1, -(-operations // _BLOCK))


def built_in(shape: str, *, is_async: bool) -> Callable[[Any, Any], Any]:
    """The body of a handler that replays histories of this shape; its input says how many operations."""
    return _ASYNC[shape] if is_async else _PLAIN[shape]


def _never(*_: object) -> Any:
    raise AssertionError("a finished operation ran again")


def _condition() -> Any:
    from durable_execution_sdk.waits import WaitForConditionConfig, WaitForConditionDecision

    return WaitForConditionConfig(lambda state, attempt: WaitForConditionDecision.stop_polling(), initial_state=0)


def _seconds() -> Any:
    from durable_execution_sdk.config import Duration

    return Duration.from_seconds(1)


def _steps(event: Any, context: Any) -> None:
    for _ in range(event["operations"]):
        context.step(_never)


def _four(context: Any) -> None:
    for _ in range(4):
        context.step(_never)


def _two(context: Any) -> None:
    for _ in range(2):
        context.step(_never)


def _outer(context: Any) -> None:
    _four(context)
    context.run_in_child_context(_four)


def _nested(event: Any, context: Any) -> None:
    for _ in range(turns(event["operations"])):
        context.run_in_child_context(_outer)


def _map(event: Any, context: Any) -> None:
    context.map(range(max(1, event["operations"] - 1)), _never)


def _mixed(event: Any, context: Any) -> None:
    condition, second = _condition(), _seconds()
    for _ in range(turns(event["operations"])):
        _four(context)
        context.wait(second)
        context.run_in_child_context(_two)
        context.wait_for_condition(_never, condition)
        context.invoke("other", None)


async def _steps_async(event: Any, context: Any) -> None:
    for _ in range(event["operations"]):
        await context.step(_never)


async def _four_async(context: Any) -> None:
    for _ in range(4):
        await context.step(_never)


async def _two_async(context: Any) -> None:
    for _ in range(2):
        await context.step(_never)


async def _outer_async(context: Any) -> None:
    await _four_async(context)
    await context.run_in_child_context(_four_async)


async def _nested_async(event: Any, context: Any) -> None:
    for _ in range(turns(event["operations"])):
        await context.run_in_child_context(_outer_async)


async def _map_async(event: Any, context: Any) -> None:
    await context.map(range(max(1, event["operations"] - 1)), _never)


async def _mixed_async(event: Any, context: Any) -> None:
    condition, second = _condition(), _seconds()
    for _ in range(turns(event["operations"])):
        await _four_async(context)
        await context.wait(second)
        await context.run_in_child_context(_two_async)
        await context.wait_for_condition(_never, condition)
        await context.invoke("other", None)


_PLAIN: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "steps": _steps,
    "nested": _nested,
    "map": _map,
    "mixed": _mixed,
}
_ASYNC: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "steps": _steps_async,
    "nested": _nested_async,
    "map": _map_async,
    "mixed": _mixed_async,
}

__all__ = ["built_in", "turns"]
