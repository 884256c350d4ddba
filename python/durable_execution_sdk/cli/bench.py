"""`durable bench`: how fast a handler replays histories."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any, cast

import click
from click.core import ParameterSource
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from durable_execution_sdk._drivers.bodies import is_async as is_async_body
from durable_execution_sdk.cli import tables
from durable_execution_sdk.cli.handlers import apart, load_durable
from durable_execution_sdk.cli.histories import HistoryChoice, history_choice, history_options, require_paths
from durable_execution_sdk.cli.problems import NOT_FOUND, STORE, USAGE, Problem, explained, stoppable, tell
from durable_execution_sdk.engine.files import SHARED, whole_file
from durable_execution_sdk.replay import History, Unreadable
from durable_execution_sdk.replay.benching import NotReplayed, Timing, grown_bytes, operations_in, rounds_of, timing_of
from durable_execution_sdk.replay.bodies import built_in
from durable_execution_sdk.replay.official import OfficialSide
from durable_execution_sdk.replay.offline import event_of
from durable_execution_sdk.replay.portions import load
from durable_execution_sdk.replay.synthetic import SHAPES, Shape, synthetic_history

SLOWER = 1
_FORMAT = "durable-bench-1"
_OF_MADE_UP = frozenset({"shape", "operations", "count", "result_bytes"})


@click.command()
@click.argument("handler", metavar="[MODULE:HANDLER]", required=False)
@click.option("--shape", type=click.Choice(SHAPES), default="steps", show_default=True, help="Of made-up histories.")
@click.option("--operations", type=click.IntRange(min=1), default=1_000, show_default=True, help="In each of them.")
@click.option("--count", type=click.IntRange(min=1), default=1, show_default=True, help="How many of them.")
@click.option("--result-bytes", type=click.IntRange(min=0), default=64, show_default=True, help="In each result.")
@click.option("--async", "is_async", is_flag=True, help="Replay them with an async def handler.")
@click.option("--rounds", type=click.IntRange(min=1), default=50, show_default=True, help="Timed; each takes them all.")
@click.option("--warm-up", type=click.IntRange(min=0), default=3, show_default=True, help="Rounds before those.")
@click.option("--save", type=click.Path(path_type=Path, dir_okay=False), default=None, help="Write the figures here.")
@click.option(
    "--baseline", type=click.Path(path_type=Path, dir_okay=False), default=None, help="Compare with a --save."
)
@click.option("--fail-over", type=click.FloatRange(min=0), default=None, help="Percent slower that exit with 1.")
@click.option("--official", is_flag=True, help="Compare with the official SDK, if this Python has it.")
@click.option("--official-python", metavar="PATH", default=None, help="Compare; this is a Python that has it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON to standard output, and no progress.")
@history_options
def bench(
    handler: str | None,
    shape: str,
    operations: int,
    count: int,
    result_bytes: int,
    is_async: bool,
    rounds: int,
    warm_up: int,
    save: Path | None,
    baseline: Path | None,
    fail_over: float | None,
    official: bool,
    official_python: str | None,
    as_json: bool,
    **recorded: Any,
) -> None:
    """Measure how fast a handler replays histories, offline: no step runs, nothing is sent.

    With recorded histories (files of `durable record`, folders, .jsonl, a store, executions on AWS) they are replayed
    by MODULE:HANDLER. Without any, histories are made up; without a handler, a built-in one replays them. Exit code 1:
    slower than the baseline by more than --fail-over.
    """
    if fail_over is not None and baseline is None:
        raise Problem("--fail-over needs a --baseline to compare with", USAGE)
    choice = history_choice(**recorded)
    if handler is None and choice:
        raise Problem("recorded histories need the handler that replays them: name MODULE:HANDLER", USAGE)
    if save is not None:
        choice.require_other(save, "--save")
    _refuse_what_counts_for_nothing(is_recorded=bool(choice), is_own=handler is not None)
    if baseline is not None:
        require_paths(baseline)
    before = None if baseline is None else _baseline(baseline)
    with explained(), stoppable(), ExitStack() as stack:
        saved = (
            stack.enter_context(whole_file(save, mode=SHARED)) if save else None
        )  # before the work, which takes long
        stack.enter_context(apart())
        body = built_in(cast(Shape, shape), is_async=is_async) if handler is None else load_durable(handler).handler
        if choice:
            histories = list(_readable(choice))
            if not histories:
                raise Problem("nothing to replay: there is no history in what was named", NOT_FOUND)
        else:
            made = range(1, count + 1)
            histories = [synthetic_history(cast(Shape, shape), operations, result_bytes, number) for number in made]
        python = official_python or (sys.executable if official else None)
        if not choice and handler is not None:
            _require_shape(handler, body, histories, shape)
        with _official(python, body, histories, handler or shape) as theirs:
            found, took = _measured(body, histories, rounds, warm_up, theirs, quiet=as_json)
        if saved is not None:
            saved.write(json.dumps({"format": _FORMAT, "figures": found.to_dict()}, indent=1) + "\n")
    slower = None if before is None else (found.us_per_operation / before["us_per_operation"] - 1) * 100
    them = _official_figures(took, found.operations) if took else None
    if as_json:
        shown = {
            "format": _FORMAT,
            "figures": found.to_dict(),
            "baseline": before,
            "slower_percent": slower,
            "official": them,
        }
        tell([tables.show_json(shown), "\n"])
    else:
        tables.print_table(_table(found, before))
        if them is not None:
            factor = them["us_per_operation"] / found.us_per_operation
            each = f"{_figure(them['us_per_operation'], 1.0)} us per operation"
            tell([f"official SDK: {each}, {_figure(factor, 1.0)} times as long; rounds took turns\n"])
    if slower is not None and fail_over is not None and slower > fail_over:
        click.echo(f"durable: {slower:.1f} % slower than the baseline, more than {fail_over:g} %", err=True)
        raise SystemExit(SLOWER)


def _refuse_what_counts_for_nothing(*, is_recorded: bool, is_own: bool) -> None:
    """Options of what is not made up would change nothing, and whoever gave one expects that it does."""
    context = click.get_current_context()
    given = [parameter for parameter in context.command.params if parameter.name in {*_OF_MADE_UP, "is_async"}]
    for parameter in given:
        if context.get_parameter_source(parameter.name or "") is not ParameterSource.COMMANDLINE:
            continue
        if is_recorded and parameter.name in _OF_MADE_UP:
            raise Problem(f"{parameter.opts[0]} is for made-up histories: leave it out, or the recorded ones", USAGE)
        if is_own and parameter.name == "is_async":
            raise Problem("--async chooses the built-in handler: leave it out, or MODULE:HANDLER", USAGE)


def _require_shape(handler: str, body: Callable[[Any, Any], Any], histories: Sequence[History], shape: str) -> None:
    try:
        operations_in(body, histories[0])
    except NotReplayed:
        what = f"{handler} does not replay histories that are made up, here of the shape {shape} and without names"
        raise Problem(f"{what}: name recorded ones, or leave the handler out", USAGE) from None


def _readable(choice: HistoryChoice) -> Iterator[History]:
    """All of them: figures over what is left would not be those that were asked for."""
    for history in load(choice.items()):
        if isinstance(history, Unreadable):
            raise Problem(f"{history.name} is unreadable: {history.why}", STORE)
        yield history


def _official(
    python: str | None, body: Callable[[Any, Any], Any], histories: Sequence[History], target: str
) -> AbstractContextManager[OfficialSide | None]:
    if python is None:
        return nullcontext()
    if is_async_body(body):
        raise Problem("the official SDK has no async def handlers: leave it out", USAGE)
    for history in histories:
        operations_in(body, history, to_the_end=True)
    return OfficialSide(python, [event_of(history) for history in histories], target, [os.getcwd(), *sys.path])


def _official_figures(took: Sequence[Sequence[float]], operations: int) -> dict[str, float]:
    """What the official SDK's rounds came to."""
    return {"us_per_operation": fmean(sum(one) for one in took) / operations * 1e6}


def _measured(
    body: Callable[[Any, Any], Any],
    histories: Sequence[History],
    rounds: int,
    warm_up: int,
    theirs: OfficialSide | None,
    *,
    quiet: bool,
) -> tuple[Timing, list[list[float]]]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True) as bar:
        task = bar.add_task("warming up", total=warm_up + rounds)
        asked = [operations_in(body, history) for history in histories]
        grown = grown_bytes(body, histories[asked.index(max(asked))])
        running = rounds_of(body, histories)
        for _ in islice(running, warm_up):
            bar.advance(task)
        bar.update(task, description="measuring")
        took: list[list[float]] = []
        took_theirs: list[list[float]] = []
        if theirs is not None:
            theirs.round()
        for one in islice(running, rounds):
            took.append(one)
            if theirs is not None:
                took_theirs.append(theirs.round())
            bar.advance(task)
    return timing_of(histories, asked, took, grown), took_theirs


def _table(found: Timing, before: Mapping[str, Any] | None) -> Table:
    now = found.to_dict()
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("")
    table.add_column("now", justify="right")
    if before is not None:
        table.add_column("baseline", justify="right")
        table.add_column("change", justify="right")
    for key, label, unit in _ROWS:
        cells = [_figure(now[key], unit)]
        if before is not None:
            old = before[key]
            cells += [_figure(old, unit), f"{(now[key] / old - 1) * 100:+.1f} %" if old else ""]
        table.add_row(label, *cells)
    return table


_ROWS = (
    ("histories", "histories", 1.0),
    ("operations", "operations in a round", 1.0),
    ("invocations", "invocations", 1.0),
    ("operations_per_second", "operations per second", 1.0),
    ("us_per_operation", "us per operation", 1.0),
    ("p50_us", "p50 of an invocation, ms", 1e3),
    ("p90_us", "p90, ms", 1e3),
    ("p99_us", "p99, ms", 1e3),
    ("peak_bytes", "memory at the peak, MB", 1e6),
    ("bytes_per_operation", "memory per operation, bytes", 1.0),
)


def _figure(value: float, unit: float) -> str:
    value /= unit
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def _baseline(path: Path) -> Mapping[str, Any]:
    wrong = Problem(f"{path} is no baseline: make one with --save", USAGE)
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        raise wrong from None
    figures = found.get("figures") if isinstance(found, dict) and found.get("format") == _FORMAT else None
    if not isinstance(figures, dict) or any(not isinstance(figures.get(key), int | float) for key, _, _ in _ROWS):
        raise wrong
    if figures["us_per_operation"] <= 0:
        raise wrong
    return figures
