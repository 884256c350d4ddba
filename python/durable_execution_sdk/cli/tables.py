"""Executions and operations as tables, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from io import StringIO
from typing import Any

from rich.console import Console
from rich.table import Table

from durable_execution_sdk.cli.problems import tell
from durable_execution_sdk.engine import ExecutionSummary, OperationRecord

PREVIEW = 60
"""Characters of a result that a table shows."""


def moment(ms: int | None) -> str:
    """A time as people read it."""
    return "" if ms is None else f"{datetime.fromtimestamp(ms / 1000).astimezone():%Y-%m-%d %H:%M:%S}"


def length(start_ms: int | None, end_ms: int | None) -> str:
    """A duration as people read it."""
    if start_ms is None or end_ms is None:
        return ""
    seconds = max(end_ms - start_ms, 0) / 1000
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count)


def preview(text: str | None) -> str:
    """The beginning of a payload, on one line."""
    if text is None:
        return ""
    line = " ".join(text.split())
    return line if len(line) <= PREVIEW else line[: PREVIEW - 1] + "…"


def execution_json(summary: ExecutionSummary) -> dict[str, Any]:
    """An execution for `--json`; results and errors are the JSON they are."""

    def parsed(text: str | None) -> Any:
        return None if not text else json.loads(text)

    return {
        "arn": summary.arn,
        "name": summary.name,
        "function": summary.function_name,
        "handler": summary.target,
        "status": summary.status,
        "start": summary.start_ms,
        "end": summary.end_ms,
        "operations": summary.operations,
        "finished": summary.finished,
        "invocations": summary.invocations,
        "driver": summary.driver_pid,
        "result": parsed(summary.result_json),
        "error": parsed(summary.error_json),
    }


def operation_json(record: OperationRecord) -> dict[str, Any]:
    """An operation for `--json`; payloads are the text that is stored."""
    return {
        "id": record.operation_id,
        "parent": record.parent_id,
        "type": record.operation_type,
        "subtype": record.sub_type,
        "name": record.name,
        "status": record.status,
        "attempt": record.attempt,
        "start": record.start_ms,
        "end": record.end_ms,
        "due": record.due_ms,
        "callback": record.callback_id,
        "result": record.result,
        "error": None if record.error is None else json.loads(record.error),
    }


def show_json(value: Any) -> str:
    """One JSON text, in ASCII, so that any payload survives any terminal."""
    return json.dumps(value, indent=2)


def executions_table(summaries: Sequence[ExecutionSummary]) -> Table:
    """A table of executions."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("name", "handler", "status", "started", "duration"):
        table.add_column(column, overflow="fold")
    table.add_column("operations", justify="right")
    table.add_column("invocations", justify="right")
    for summary in summaries:
        table.add_row(
            summary.name,
            summary.target or summary.function_name,
            summary.status,
            moment(summary.start_ms),
            length(summary.start_ms, summary.end_ms),
            f"{summary.finished}/{summary.operations}",
            str(summary.invocations),
        )
    return table


def operations_table(records: Iterable[OperationRecord]) -> Table:
    """A table of operations; those inside a context are indented under it."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("operation", "kind", "status"):
        table.add_column(column, overflow="fold")
    table.add_column("attempts", justify="right")
    table.add_column("duration", justify="right")
    table.add_column("result", overflow="fold")
    depth: dict[str, int] = {}
    for record in records:
        if record.operation_type == "EXECUTION":
            continue
        level = depth.get(record.parent_id or "", -1) + 1
        depth[record.operation_id] = level
        table.add_row(
            "  " * level + (record.name or record.operation_id[:12]),
            record.sub_type or record.operation_type,
            record.status,
            str(record.attempt) if record.operation_type == "STEP" else "",
            length(record.start_ms, record.end_ms),
            _outcome(record),
        )
    return table


def _outcome(record: OperationRecord) -> str:
    if record.error is not None:
        error = json.loads(record.error)
        return preview(f"{error.get('ErrorType') or 'error'}: {error.get('ErrorMessage') or ''}")
    if record.result is None and record.status in {"STARTED", "PENDING"}:
        if record.callback_id is not None:
            return f"callback {record.callback_id}"
        return "" if record.due_ms is None else f"until {moment(record.due_ms)}"
    return preview(record.result)


def print_table(table: Table) -> None:
    """Print a table to standard output: as wide as the terminal, or as wide as it needs to be elsewhere."""
    terminal = Console()
    width = terminal.width if terminal.is_terminal else 200
    text = StringIO()
    console = Console(file=text, width=width, force_terminal=terminal.is_terminal, color_system=_colours(terminal))
    console.print(table, markup=False, highlight=False)
    tell([text.getvalue()])


def _colours(terminal: Console) -> Any:
    return terminal.color_system  # its type is that of the parameter, which rich does not say
