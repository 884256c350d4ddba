"""`durable record`: histories from a store or from AWS into files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from durable_execution_sdk.cli.problems import NOT_FOUND, USAGE, Problem, explained, stoppable
from durable_execution_sdk.cli.sources import AwsChoice, aws_choice, aws_options, require_store, store_option
from durable_execution_sdk.replay import Recording, lines_file, masked, record_store, write_folder
from durable_execution_sdk.replay.masking import matches
from durable_execution_sdk.replay.recordings import history_file


@click.command()
@click.argument("words", nargs=-1, metavar="[EXECUTION] OUT")
@store_option
@click.option("--all", "everything", is_flag=True, help="All executions of the store.")
@aws_options
@click.option(
    "--mask",
    "patterns",
    multiple=True,
    metavar="PATTERN",
    help="Leave out what operations of such names (* and ? are known) have got and given; '*': of all, and the input.",
)
@click.option("--keep-input", is_flag=True, help="With --mask '*': keep the input of the execution.")
@click.option("--no-payloads", is_flag=True, help="As --mask '*'; AWS is not even asked for payloads.")
def record(
    words: tuple[str, ...],
    store: Path,
    *,
    everything: bool,
    patterns: tuple[str, ...],
    keep_input: bool,
    no_payloads: bool,
    **aws: Any,
) -> None:
    """Write histories to files that only you can read, for `durable replay` and `durable bench`.

    EXECUTION is one of the store, by name, id or ARN. Without it: all of the store (--all), or those of AWS that
    --function or --execution choose.

    OUT is a file for one execution, a folder for many, or a .jsonl file with one history a line. Files appear when they
    are complete.
    """
    choice = aws_choice(**aws)
    execution, out = _targets(words, choice, everything=everything)
    _refuse_what_hides_nothing(patterns, keep_input=keep_input, no_payloads=no_payloads)
    with explained(), stoppable():
        if choice:
            recordings = choice.recordings(payloads=not no_payloads)
        else:
            require_store(store)
            recordings = record_store(store, execution)
            if no_payloads:
                recordings = (replace(masked(one, ["*"]), payloads=False) for one in recordings)
        unused = set(patterns)
        recordings = _masked(recordings, patterns, unused, keep_input=keep_input)
        single = execution is not None or (choice.function is None and len(choice.executions) == 1)
        written = _write(out, _shown(recordings), single=single and not out.is_dir())
    if not written:
        raise Problem("there is no execution to record", NOT_FOUND)
    for pattern in sorted(unused):
        click.echo(f"--mask {pattern!r} has matched nothing: the payloads are as recorded", err=True)
    if not single:
        click.echo(f"{written} recorded in {out}", err=True)


def _targets(words: tuple[str, ...], choice: AwsChoice, *, everything: bool) -> tuple[str | None, Path]:
    many = everything or bool(choice)
    if everything and choice:
        raise Problem("--all means the executions of a store: name it, or --function and --execution, not both", USAGE)
    if len(words) != (1 if many else 2):
        wanted = "OUT alone" if many else "EXECUTION and OUT (or --all, --function or --execution, and OUT alone)"
        raise Problem(f"name {wanted}; given: {' '.join(words) or 'nothing'}", USAGE)
    return (None if many else words[0]), Path(words[-1])


def _refuse_what_hides_nothing(patterns: tuple[str, ...], *, keep_input: bool, no_payloads: bool) -> None:
    """Whoever masks wants that something is hidden, and what is written by mistake cannot be taken back."""
    if "" in patterns:
        raise Problem("--mask '' matches nothing: name operations, or '*' for all of them and the input", USAGE)
    if keep_input and no_payloads:
        raise Problem("--no-payloads leaves the input out: use --mask '*' --keep-input to have it", USAGE)
    if keep_input and "*" not in patterns:
        raise Problem("--keep-input belongs to --mask '*': without that, the input is kept anyway", USAGE)


def _masked(
    recordings: Iterator[Recording], patterns: tuple[str, ...], unused: set[str], *, keep_input: bool
) -> Iterator[Recording]:
    """The recordings without what is to be masked; takes from `unused` the patterns that match."""
    for recording in recordings:
        unused -= {pattern for pattern in unused if matches(recording, pattern)}
        yield masked(recording, patterns, keep_input=keep_input) if patterns else recording


def _write(out: Path, recordings: Iterator[Recording], *, single: bool) -> int:
    if out.suffix == ".jsonl" or single:
        with lines_file(out) if out.suffix == ".jsonl" else history_file(out) as add:
            count = 0
            for recording in recordings:
                add(recording)
                count += 1
            if not count:
                raise Problem("there is no execution to record", NOT_FOUND)  # and no file appears
        return count
    if not out.is_dir() and (out.exists() or out.suffix == ".json"):
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
