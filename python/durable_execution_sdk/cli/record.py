"""`durable record`: histories from a store or from AWS into files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from durable_execution_sdk.cli.problems import NOT_FOUND, USAGE, Problem, explained
from durable_execution_sdk.cli.sources import AwsChoice, aws_choice, aws_options, require_store, store_option
from durable_execution_sdk.replay import Recording, lines_file, record_store, write_folder, write_recording


@click.command()
@click.argument("words", nargs=-1, metavar="[EXECUTION] OUT")
@store_option
@click.option("--all", "everything", is_flag=True, help="All executions of the store.")
@aws_options
@click.option("--no-payloads", is_flag=True, help="Leave inputs, results and error texts out.")
def record(words: tuple[str, ...], store: Path, *, everything: bool, no_payloads: bool, **aws: Any) -> None:
    """Write histories to files that only you can read, for `durable replay` and `durable bench`.

    EXECUTION is one of the store, by name, id or ARN. Without it: all of the store (--all), or those of AWS that
    --function or --execution choose.

    OUT is a file for one execution, a folder for many, or a .jsonl file with one history a line. Files appear when they
    are complete.
    """
    choice = aws_choice(**aws)
    execution, out = _targets(words, choice, everything=everything)
    with explained():
        if choice:
            recordings = choice.recordings(payloads=not no_payloads)
        else:
            require_store(store)
            recordings = record_store(store, execution, payloads=not no_payloads)
        single = execution is not None or (choice.function is None and len(choice.executions) == 1)
        written = _write(out, _shown(recordings), single=single and not out.is_dir())
    if not written:
        raise Problem("there is no execution to record", NOT_FOUND)
    if not single:
        click.echo(f"{written} recorded in {out}", err=True)


def _targets(words: tuple[str, ...], choice: AwsChoice, *, everything: bool) -> tuple[str | None, Path]:
    many = everything or bool(choice)
    if everything and choice:
        raise Problem("--all means the executions of a store: name it, or --function and --execution, not both", USAGE)
    if len(words) != (1 if many else 2):
        wanted = "OUT alone" if many else "EXECUTION and OUT (or --all, --function or --execution, and OUT alone)"
        raise Problem(f"name {wanted}; given were {len(words)} words", USAGE)
    return (None if many else words[0]), Path(words[-1])


def _write(out: Path, recordings: Iterator[Recording], *, single: bool) -> int:
    if out.suffix == ".jsonl":
        with lines_file(out) as add:
            count = 0
            for recording in recordings:
                add(recording)
                count += 1
            if not count:
                raise Problem("there is no execution to record", NOT_FOUND)  # and no file appears
        return count
    if single:
        for recording in recordings:
            write_recording(out, recording)
        return 1
    if out.exists() and not out.is_dir():
        raise Problem(f"{out} is a file: many executions go to a folder, or to a .jsonl file", USAGE)
    return sum(1 for _ in write_folder(out, recordings))


def _shown(recordings: Iterator[Recording]) -> Iterator[Recording]:
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("recorded {task.completed}"), TextColumn("{task.description}"))
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=None)
        for recording in recordings:
            yield recording
            bar.update(task, advance=1, description=recording.name)
