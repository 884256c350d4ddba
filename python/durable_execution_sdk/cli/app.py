"""The commands."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from durable_execution_sdk import __version__
from durable_execution_sdk.cli import tables
from durable_execution_sdk.cli.bench import bench
from durable_execution_sdk.cli.handlers import make_importable
from durable_execution_sdk.cli.problems import INTERRUPTED, USAGE, Problem, explained, tell
from durable_execution_sdk.cli.progress import Reporter, reporting
from durable_execution_sdk.cli.record import record
from durable_execution_sdk.cli.replay import replay
from durable_execution_sdk.cli.sources import DEFAULT_STORE, require_store, store_option
from durable_execution_sdk.engine import Engine, ExecutionEnded, ExecutionSummary

F = TypeVar("F", bound=Callable[..., Any])


def json_option(command: F) -> F:
    """`--json`, the same for every command."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON to standard output, and no progress.")(
        command
    )


def driving_options(command: F) -> F:
    """The options of commands that run handlers."""
    command = click.option(
        "--time-scale",
        type=click.FloatRange(min=0),
        default=None,
        help="Seconds of waiting that pass in a real second: 60 makes a minute a second, 0 ends every wait at once.",
    )(command)
    return click.option(
        "--isolation",
        type=click.Choice(["inline", "process"]),
        default="inline",
        show_default=True,
        help="Run each invocation in this process, or in a child process of its own.",
    )(command)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
def cli() -> None:
    """Run durable functions on this machine and look at their executions.

    Exit codes: 0 done, 1 the execution ended without a result or a replay diverged, 2 wrong command line, 3 not found,
    4 conflict, 5 the store, a history or AWS cannot be used, 6 a history is not checkable, 130 interrupted.
    """


@cli.command()
@click.argument("handler", metavar="MODULE:HANDLER")
@click.option("--input", "given", default="null", metavar="JSON|@FILE", help="The event: JSON text, or a file with it.")
@click.option("--name", default=None, help="Names the execution; the same name again resumes it. Default: a fresh one.")
@store_option
@driving_options
@json_option
def run(
    handler: str,
    given: str,
    name: str | None,
    store: Path,
    time_scale: float | None,
    isolation: str,
    as_json: bool,
) -> None:
    """Run a handler to its end and print its result.

    A name makes it idempotent: an unfinished execution of that name is resumed, a finished one gives its result again,
    and the same name with other input is an error.
    """
    input_json = _read_input(given)
    make_importable()

    def begin(engine: Engine) -> ExecutionSummary:
        return engine.create(handler, name=name, input_json=input_json)

    _drive(begin, store, time_scale, isolation, as_json=as_json)


@cli.command()
@click.argument("execution")
@click.argument("handler", metavar="[MODULE:HANDLER]", required=False)
@store_option
@driving_options
@json_option
def resume(
    execution: str,
    handler: str | None,
    store: Path,
    time_scale: float | None,
    isolation: str,
    as_json: bool,
) -> None:
    """Run an unfinished execution on, by name, id or ARN; MODULE:HANDLER is needed only if it has moved."""
    require_store(store)
    make_importable()
    _drive(lambda engine: engine.describe(execution), store, time_scale, isolation, as_json=as_json, handler=handler)


@cli.command("list")
@click.option("--status", default=None, help="Only executions in this status, such as RUNNING or FAILED.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="At most so many.")
@store_option
@json_option
def list_(status: str | None, limit: int, store: Path, as_json: bool) -> None:
    """List executions, the newest first."""
    with _opened(store, read_only=True) as engine:
        summaries = engine.list(status=status.upper() if status else None, limit=limit)
    if as_json:
        tell([tables.show_json([tables.execution_json(summary) for summary in summaries]), "\n"])
    elif summaries:
        tables.print_table(tables.executions_table(summaries))
    else:
        click.echo("no executions", err=True)


@cli.command()
@click.argument("execution")
@store_option
@json_option
def show(execution: str, store: Path, as_json: bool) -> None:
    """Show an execution and its operations, by name, id or ARN."""
    with _opened(store, read_only=True) as engine:
        summary = engine.describe(execution)
        if as_json:
            operations = [tables.operation_json(record) for record in engine.operations(execution)]
            tell([tables.show_json({**tables.execution_json(summary), "history": operations}), "\n"])
            return
        table = tables.operations_table(engine.operations(execution))
    duration = tables.length(summary.start_ms, summary.end_ms)
    tell([f"{summary.name}  {summary.status}" + (f" after {duration}" if duration else ""), "\n", summary.arn, "\n"])
    for label, text in (("input", summary.input_json), ("result", summary.result_json), ("error", summary.error_json)):
        if text:
            tell([f"{label}: {tables.preview(text)}\n"])
    if table.row_count:
        tell(["\n"])
        tables.print_table(table)


@cli.command()
@click.argument("execution")
@click.option("--message", default=None, help="Recorded as the execution's error.")
@store_option
def stop(execution: str, message: str | None, store: Path) -> None:
    """End an execution without a result."""
    with _opened(store) as engine:
        engine.stop(execution, message)


@cli.group()
def callback() -> None:
    """Complete callbacks from outside; a running `durable run` notices at once."""


@callback.command()
@click.argument("callback_id")
@click.argument("result", required=False, metavar="[RESULT|@FILE]")
@store_option
def succeed(callback_id: str, result: str | None, store: Path) -> None:
    """Complete a callback with RESULT, taken as it is."""
    with _opened(store) as engine:
        engine.send_callback_success(callback_id, None if result is None else _text(result))


@callback.command()
@click.argument("callback_id")
@click.option("--message", default=None, help="What went wrong.")
@click.option("--type", "error_type", default=None, help="The kind of error.")
@click.option("--data", default=None, help="Anything more, as text.")
@store_option
def fail(callback_id: str, message: str | None, error_type: str | None, data: str | None, store: Path) -> None:
    """Report that a callback's work failed."""
    with _opened(store) as engine:
        engine.send_callback_failure(callback_id, message, error_type=error_type, error_data=data)


@callback.command()
@click.argument("callback_id")
@store_option
def heartbeat(callback_id: str, store: Path) -> None:
    """Say that a callback's work goes on."""
    with _opened(store) as engine:
        engine.send_callback_heartbeat(callback_id)


cli.add_command(replay)
cli.add_command(bench)
cli.add_command(record)


# --- what the commands share ---


def _drive(
    begin: Callable[[Engine], ExecutionSummary],
    store: Path,
    time_scale: float | None,
    isolation: str,
    *,
    as_json: bool,
    handler: str | None = None,
) -> None:
    with reporting(quiet=as_json) as reporter, explained(), _engine(store, time_scale, isolation, reporter) as engine:
        summary = begin(engine)
        if not as_json:
            click.echo(f"execution {summary.name} ({summary.arn})", err=True)
        ended: ExecutionEnded | None = None
        try:
            engine.resume(summary.arn, handler)
        except ExecutionEnded as error:
            ended = error
        except KeyboardInterrupt:
            where = "" if store == DEFAULT_STORE else f" --store {store}"
            click.echo(
                f"\nInterrupted; everything acknowledged is kept. Go on with: durable resume {summary.name}{where}",
                err=True,
            )
            # Not through the context managers' ordinary way out: Ctrl-C has its own exit code.
            raise SystemExit(INTERRUPTED) from None
        summary = engine.describe(summary.arn)
    if as_json:
        tell([tables.show_json(tables.execution_json(summary)), "\n"])
    elif ended is None:
        tell([summary.result_json or "null", "\n"])
    if ended is not None:
        with explained():
            raise ended


def _engine(store: Path, time_scale: float | None, isolation: Any, reporter: Reporter | None) -> Engine:
    return Engine(store, time_scale=time_scale, isolation=isolation, observer=reporter)


@contextmanager
def _opened(store: Path, *, read_only: bool = False) -> Iterator[Engine]:
    require_store(store)
    with explained(), Engine(store, read_only=read_only) as engine:
        yield engine


def _read_input(given: str) -> str:
    import json

    text = _text(given)
    try:
        json.loads(text)
    except ValueError as error:
        what = f"the file {given[1:]}" if given.startswith("@") else f"--input {given!r}"
        raise Problem(f"{what} is not JSON: {error}. Strings need quotes: '\"text\"'", USAGE) from None
    return text


def _text(given: str) -> str:
    if not given.startswith("@"):
        return given
    try:
        return sys.stdin.read() if given == "@-" else Path(given[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"cannot read {given[1:]}: {error}", USAGE) from None
