"""`durable replay`: recorded histories against the handler as it is now."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import redirect_stdout
from itertools import chain, islice
from multiprocessing import get_context
from pathlib import Path
from xml.etree import ElementTree

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from durable_execution_sdk.cli import tables
from durable_execution_sdk.cli.problems import NOT_FOUND, USAGE, Problem, explained
from durable_execution_sdk.engine.functions import is_durable, load
from durable_execution_sdk.replay import History, Report, check, read, read_store, summary

DIVERGENCE = 1
_AT_ONCE = 16
"""Histories that wait for a worker process, per process: memory is bounded by them."""


@click.command()
@click.argument("handler", metavar="MODULE:HANDLER")
@click.argument("paths", nargs=-1, metavar="[HISTORY|FOLDER]...", type=click.Path(path_type=Path))
@click.option(
    "--store", type=click.Path(path_type=Path, dir_okay=False), default=None, help="Check the executions of this store."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON to standard output, and no progress.")
@click.option(
    "--junit", type=click.Path(path_type=Path, dir_okay=False), default=None, help="Write a JUnit XML report too."
)
@click.option("--jobs", type=click.IntRange(min=1), default=None, help="Processes to use. Default: one per core.")
def replay(
    handler: str, paths: tuple[Path, ...], store: Path | None, as_json: bool, junit: Path | None, jobs: int | None
) -> None:
    """Check a handler against recorded histories, offline: no step runs, nothing is sent.

    A HISTORY is a file of `durable record`, or a .jsonl file with one history a line. Exit code 1: a history diverges,
    or cannot tell.
    """
    if not paths and store is None:
        raise Problem("nothing to check: name a history file, a folder, or a store with --store", USAGE)
    for path in [*paths, *([store] if store else [])]:
        if not path.exists():
            raise Problem(f"there is no {path}", NOT_FOUND)
    with explained():
        _load(handler)
        reports = list(_shown(_checked(handler, _histories(paths, store), jobs or os.cpu_count() or 1), quiet=as_json))
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
                click.echo(describe(report))
        for key, count in summary(reports).items():
            click.echo(f"{count:6} {key}")
    if not all(report.ok for report in reports):
        raise SystemExit(DIVERGENCE)


def describe(report: Report) -> str:
    """A report as lines of text."""
    lines = [f"{report.history}: {report.verdict}" + (f" ({report.cause})" if report.cause else "")]
    rows = (
        ("recorded", report.recorded),
        ("attempted", report.attempted),
        ("position", report.position),
        ("agreed until", report.last_agreeing),
        ("at", report.line),
        ("note", report.note),
    )
    lines += [f"    {label}: {value}" for label, value in rows if value is not None]
    return "\n".join(lines)


def junit_xml(handler: str, reports: list[Report]) -> bytes:
    """The reports as a JUnit test suite, one case per history."""
    failures = sum(not report.ok for report in reports)
    suite = ElementTree.Element(
        "testsuite", name=f"durable replay {handler}", tests=str(len(reports)), failures=str(failures)
    )
    for report in reports:
        case = ElementTree.SubElement(suite, "testcase", classname=handler, name=report.history)
        if not report.ok:
            failure = ElementTree.SubElement(case, "failure", message=report.cause or report.verdict)
            failure.text = describe(report)
    text: bytes = ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)
    return text


def _histories(paths: tuple[Path, ...], store: Path | None) -> Iterator[History]:
    for path in paths:
        yield from read(path)
    if store is not None:
        yield from read_store(store)


def _load(target: str) -> object:
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    handler = load(target)
    if not is_durable(handler):
        raise Problem(f"{target} is no durable handler: decorate it with @durable_execution", USAGE)
    return handler


def _check_one(target: str, history: History) -> Report:
    _load(target)
    with redirect_stdout(sys.stderr):  # standard output is left to the report
        return check(load(target), history)


def _checked(target: str, histories: Iterator[History], jobs: int) -> Iterator[Report]:
    ahead = list(islice(histories, 2))
    if jobs == 1 or len(ahead) < 2:
        for history in chain(ahead, histories):
            yield _check_one(target, history)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting: list[Future[Report]] = [pool.submit(_check_one, target, history) for history in ahead]
        for history in histories:
            waiting.append(pool.submit(_check_one, target, history))
            if len(waiting) >= jobs * _AT_ONCE:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()


def _shown(reports: Iterator[Report], *, quiet: bool) -> Iterator[Report]:
    console = Console(stderr=True)
    columns = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True) as bar:
        task = bar.add_task("replaying", total=None)
        for report in reports:
            bar.advance(task)
            yield report
