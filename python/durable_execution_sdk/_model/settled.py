"""How a durable promise ended, for `ctx.promise.all_settled`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from durable_execution_sdk._model.errors import ErrorObject
from durable_execution_sdk._model.homes import public

T = TypeVar("T")


@public("aio")
@dataclass(frozen=True)
class SettledResult(Generic[T]):
    """One outcome of `ctx.promise.all_settled`.

    Attributes:
        status: `"fulfilled"` or `"rejected"`.
        value: What the promise gave; None if it was rejected.
        reason: The error as rebuilt from history, in the first run as at replay; None if it was fulfilled.
    """

    status: Literal["fulfilled", "rejected"]
    value: T | None = None
    reason: Exception | None = None

    @classmethod
    def from_recorded(cls, recorded: dict[str, Any]) -> SettledResult[Any]:
        """Read one entry of what history holds."""
        if recorded["status"] == "fulfilled":
            return SettledResult("fulfilled", recorded.get("value"))
        return SettledResult("rejected", None, ErrorObject.from_dict(recorded["reason"]).to_durable_operation_error())


def settled_record(value: Any, error: Exception | None) -> dict[str, Any]:
    """One entry of what history holds."""
    if error is None:
        return {"status": "fulfilled", "value": value}
    return {"status": "rejected", "reason": dict(ErrorObject.from_exception(error).to_dict())}
