"""Is the operation that the code attempts the one that history holds at this place?"""

from __future__ import annotations

from durable_execution_sdk._core import Record
from durable_execution_sdk._model.errors import NonDeterministicExecutionError
from durable_execution_sdk._model.updates import OperationIdentifier

_WAY_OUT = (
    "The code no longer does what it did when this execution was recorded: an operation was inserted, removed, renamed,"
    " moved or reordered, or the code before it depends on something that differs between runs (time, randomness,"
    " environment, order of a set). Keep the old order for executions in flight, or finish them with the old code."
)


def require_same(attempted: OperationIdentifier, recorded: Record, position: int | None = None) -> None:
    """Compare type, subtype, name and parent with the record; `None` and `""` are equal.

    Raises:
        NonDeterministicExecutionError: One of them differs. The message shows both sides.
    """
    if (
        recorded.operation_type == attempted.operation_type.value
        and (recorded.sub_type or "") == (attempted.sub_type or "")
        and (recorded.name or "") == (attempted.name or "")
        and (recorded.parent_id or "") == (attempted.parent_id or "")
    ):
        return
    rows = (
        ("type", recorded.operation_type, attempted.operation_type.value),
        ("subtype", recorded.sub_type, attempted.sub_type),
        ("name", recorded.name, attempted.name),
        ("parent", recorded.parent_id, attempted.parent_id),
    )
    lines = [f"Replay diverged from history at {_place(attempted, position)}:"]
    for label, before, now in rows:
        if (before or "") == (now or ""):
            if before:
                lines.append(f"    {label}: {before}")
        else:
            lines.append(f"  - {label}: {_shown(before)} (recorded)")
            lines.append(f"  + {label}: {_shown(now)} (attempted)")
    lines.append(_WAY_OUT)
    error = NonDeterministicExecutionError("\n".join(lines), step_id=attempted.operation_id)
    error.recorded = tuple(before for _, before, _ in rows)
    error.attempted = tuple(now for _, _, now in rows)
    raise error


def reject_recorded_virtual(
    attempted: OperationIdentifier, position: int | None = None
) -> NonDeterministicExecutionError:
    """The error for a record at the place of a virtual context, which never records anything of its own."""
    return NonDeterministicExecutionError(
        f"Replay diverged from history at {_place(attempted, position)}:\n"
        "  - context: recorded as an operation of its own\n"
        "  + context: virtual (writes nothing)\n"
        "Executions in flight need the nesting they were started with.",
        step_id=attempted.operation_id,
    )


def describe(identity: OperationIdentifier) -> str:
    """How messages name an operation: its kind and name, or its id if it has none."""
    return f"{identity.sub_type} {identity.name!r}" if identity.name else f"{identity.sub_type} {identity.operation_id}"


def _place(attempted: OperationIdentifier, position: int | None) -> str:
    where = f"operation {position}" if position is not None else "an operation"
    inside = f" in the context {attempted.parent_id}" if attempted.parent_id else " of the handler"
    return f"{where}{inside} ({describe(attempted)}, id {attempted.operation_id})"


def _shown(value: str | None) -> str:
    return repr(value) if value else "none"
