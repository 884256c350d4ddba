"""`durable replay`: recorded histories against the handler as it is now."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from durable_execution_sdk.cli.handlers import apart, make_importable
from durable_execution_sdk.cli.histories import HistoryChoice, history_choice, history_options
from durable_execution_sdk.cli.problems import NOT_FOUND, USAGE, Problem, explained, stoppable, tell
from durable_execution_sdk.cli.reports import Findings
from durable_execution_sdk.engine.files import PRIVATE, SHARED, whole_file
from durable_execution_sdk.replay import Report
from durable_execution_sdk.replay.workers import DEFAULT_SECONDS, WorkersEnd, check_many, default_jobs

_SHOW_EVERY_SECONDS = 0.1
_MOST_JOBS = 256


@click.command()
@click.argument("handler", metavar="MODULE:HANDLER")
@click.option("--json", "as_json", is_flag=True, help="Print JSON to standard output, and no progress.")
@click.option(
    "--junit", type=click.Path(path_type=Path, dir_okay=False), default=None, help="Write a JUnit XML report too."
)
@click.option("-v", "--verbose", is_flag=True, help="Show the histories that agree too, and how far they go.")
@click.option(
    "--jobs", type=click.IntRange(1, _MOST_JOBS), default=None, help="Processes to use. Default: one per core."
)
@click.option(
    "--timeout",
    "seconds",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=DEFAULT_SECONDS,
    show_default=True,
    help="For each history, and for importing the handler; 0 for no limit.",
)
@click.option(
    "--payloads", is_flag=True, help="Show the recorded result of what diverged. It may be nobody's business."
)
@history_options
def replay(
    handler: str,
    as_json: bool,
    junit: Path | None,
    verbose: bool,
    jobs: int | None,
    seconds: float,
    payloads: bool,
    **histories: Any,
) -> None:
    """Check a handler against recorded histories, offline: no step runs, nothing is sent.

    A HISTORY is a file of `durable record`, or a .jsonl file with one history a line. Exit code 1: a history diverges,
    or is ambiguous; 5: none does, but a file or a line is no history; 6: neither, but a history is not checkable.
    """
    choice = history_choice(**histories)
    if not choice and ":" not in handler:
        raise Problem(f"{handler} is no MODULE:HANDLER, such as orders:handler; that comes before the histories", USAGE)
    if not choice:
        what = (
            "name a history file, a folder, a store with --store, or executions on AWS with --function or --execution"
        )
        raise Problem(f"nothing to check: {what}", USAGE)
    if junit is not None:
        choice.require_other(junit, "--junit")
    with (
        explained(),
        stoppable(),
        Findings(handler, as_json=as_json, junit=junit is not None, verbose=verbose) as found,
    ):
        # Opened before there is anything to write, so that hours of work do not end at a file that cannot be there.
        with whole_file(junit, mode=PRIVATE if payloads else SHARED) if junit else nullcontext() as report_file:
            with _workers_explained(), apart():
                make_importable()
                with closing(
                    check_many(handler, choice.items(), jobs or default_jobs(), payloads=payloads, seconds=seconds)
                ) as checked:
                    for report in _shown(checked, choice, quiet=as_json):
                        found.add(report)
            if not len(found):
                raise Problem("nothing to check: there is no history in what was named", NOT_FOUND)
            if report_file is not None:
                report_file.writelines(found.junit())
        tell(found.text())
        code = found.exit_code
    if code:
        raise SystemExit(code)


@contextmanager
def _workers_explained() -> Iterator[None]:
    try:
        yield
    except WorkersEnd:
        what = "the processes that check end by themselves: the handler ends its process, or memory runs out"
        raise Problem(what, USAGE) from None


def _shown(reports: Iterator[tuple[Report, int]], choice: HistoryChoice, *, quiet: bool) -> Iterator[Report]:
    """The reports, and how far they are on a terminal: in bytes of these files, since nobody has counted histories."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        for report, _ in reports:
            yield report
        return
    columns = (TextColumn("replaying"), BarColumn(), TextColumn("{task.fields[histories]:,} histories"))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("replaying", total=choice.size_bytes(), histories=0)
        shown, done = 0.0, 0
        for number, (report, size_bytes) in enumerate(reports, 1):
            done += size_bytes
            if (now := time.monotonic()) - shown >= _SHOW_EVERY_SECONDS:
                bar.update(task, completed=done, histories=number)
                shown = now
            yield report
