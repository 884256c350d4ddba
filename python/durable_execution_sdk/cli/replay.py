"""`durable replay`: recorded histories against the handler as it is now."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from durable_execution_sdk.cli import tables
from durable_execution_sdk.cli.handlers import load_durable
from durable_execution_sdk.cli.histories import HistoryChoice, history_choice, history_options
from durable_execution_sdk.cli.problems import NOT_FOUND, STORE, USAGE, Problem, explained
from durable_execution_sdk.replay import Report, summary
from durable_execution_sdk.replay.checking import FAILED as NOT_CHECKED
from durable_execution_sdk.replay.checking import UNREADABLE
from durable_execution_sdk.replay.workers import check_many, default_jobs

DIVERGENCE = 1
NOT_CHECKABLE = 6
_ERRORS = frozenset({NOT_CHECKED, UNREADABLE})
_SHOW_EVERY_SECONDS = 0.1
_NOT_IN_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")


@click.command()
@click.argument("handler", metavar="MODULE:HANDLER")
@click.option("--json", "as_json", is_flag=True, help="Print JSON to standard output, and no progress.")
@click.option(
    "--junit", type=click.Path(path_type=Path, dir_okay=False), default=None, help="Write a JUnit XML report too."
)
@click.option("--jobs", type=click.IntRange(min=1), default=None, help="Processes to use. Default: one per core.")
@click.option(
    "--payloads", is_flag=True, help="Show the recorded result of what diverged. It may be nobody's business."
)
@history_options
def replay(
    handler: str,
    as_json: bool,
    junit: Path | None,
    jobs: int | None,
    payloads: bool,
    **histories: Any,
) -> None:
    """Check a handler against recorded histories, offline: no step runs, nothing is sent.

    A HISTORY is a file of `durable record`, or a .jsonl file with one history a line. Exit code 1: a history diverges,
    or cannot tell; 5: none does, but a file or a line is no history; 6: neither, but a history is not checkable.
    """
    choice = history_choice(**histories)
    if not choice:
        what = (
            "name a history file, a folder, a store with --store, or executions on AWS with --function or --execution"
        )
        raise Problem(f"nothing to check: {what}", USAGE)
    with explained(), _workers_explained(), redirect_stdout(sys.stderr):  # standard output is left to the report
        load_durable(handler)
        checked = check_many(handler, choice.items(), jobs or default_jobs(), payloads=payloads)
        reports = list(_shown(checked, choice, quiet=as_json))
    if not reports:
        raise Problem("nothing to check: there is no history in what was named", NOT_FOUND)
    if junit is not None:
        with explained():
            junit.write_bytes(junit_xml(handler, reports))
    if as_json:
        shown = {"summary": summary(reports), "reports": [report.to_dict() for report in reports]}
        click.echo(tables.show_json(shown))
    else:
        for report in reports:
            if not report.ok:
                click.echo(str(report))
        for key, count in summary(reports).items():
            click.echo(f"{count:6} {key}")
    code = exit_code(reports)
    if code:
        raise SystemExit(code)


def exit_code(reports: Sequence[Report]) -> int:
    """What was found comes first, then what was not looked at at all, then what cannot be told."""
    wrong = {report.verdict for report in reports if not report.ok}
    if wrong - {NOT_CHECKED, UNREADABLE}:
        return DIVERGENCE
    if UNREADABLE in wrong:
        return STORE
    return NOT_CHECKABLE if wrong else 0


def junit_xml(handler: str, reports: list[Report]) -> bytes:
    """The reports as a JUnit test suite, one case per history; what was not checked is an error, no failure."""
    errors = sum(report.verdict in _ERRORS for report in reports)
    failures = sum(not report.ok for report in reports) - errors
    suite = ElementTree.Element(
        "testsuite",
        name=f"durable replay {handler}",
        tests=str(len(reports)),
        failures=str(failures),
        errors=str(errors),
    )
    for report in reports:
        case = ElementTree.SubElement(suite, "testcase", classname=handler, name=_xml_text(report.history))
        if not report.ok:
            kind = "error" if report.verdict in _ERRORS else "failure"
            found = ElementTree.SubElement(case, kind, message=report.cause or report.verdict)
            found.text = _xml_text(str(report))
    text: bytes = ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)
    return text


def _xml_text(text: str) -> str:
    """The text with what no XML document may hold, which a name or a result of a user's may, as an escape."""
    return _NOT_IN_XML.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


@contextmanager
def _workers_explained() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool:
        what = "a worker process ended by itself: memory ran out, or the handler ends its process. Try --jobs 1"
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
