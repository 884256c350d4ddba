"""Where commands find executions: a store on this machine, or AWS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import click

from durable_execution_sdk.cli.problems import NOT_FOUND, USAGE, Problem
from durable_execution_sdk.replay import (
    RecordedExecutions,
    Recording,
    histories_client,
    record_aws,
    record_function,
)

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_STORE = Path(".durable") / "store.db"
STATUSES = ("RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED", "PAUSING", "PAUSED")


def store_option(command: F) -> F:
    """`--store`, the same for every command."""
    return click.option(
        "--store",
        type=click.Path(path_type=Path, dir_okay=False),
        default=DEFAULT_STORE,
        show_default=True,
        help="The SQLite file that keeps the executions.",
    )(command)


def require_store(store: Path) -> None:
    """Refuse a store that is not there."""
    if not store.exists():
        raise Problem(f"there is no store {store}: run something first, or name one with --store", NOT_FOUND)


def moment(text: str) -> datetime:
    """A date, or a date and time, in ISO 8601; without an offset it is local time."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise click.BadParameter(f"{text!r} is no time such as 2026-01-31 or 2026-01-31T12:00:00+01:00.") from None


@dataclass(frozen=True, slots=True)
class AwsChoice:
    """Which executions of AWS are meant.

    Attributes:
        function: A function's name or ARN; all its executions that the filters let pass.
        executions: ARNs of single executions.
        asked: Filters for `RecordedExecutions.of_function`.
        limit: At most so many of the function's executions.
        client: What `histories_client` takes.
        per_second: Most requests per second.
    """

    function: str | None
    executions: Sequence[str]
    asked: dict[str, Any]
    limit: int | None
    client: dict[str, Any]
    per_second: float

    def __bool__(self) -> bool:
        return self.function is not None or bool(self.executions)

    def recordings(self, *, payloads: bool = True) -> Iterator[Recording]:
        """Read them, one after the other."""
        source = RecordedExecutions(histories_client(**self.client), per_second=self.per_second)
        for arn in self.executions:
            yield record_aws(source, arn, payloads=payloads)
        if self.function is not None:
            summaries = islice(source.of_function(self.function, **self.asked), self.limit)
            yield from record_function(source, summaries, payloads=payloads, gone=_say_gone)


def _say_gone(arn: str) -> None:
    click.echo(f"{arn} was deleted meanwhile and is left out", err=True)


_OPTIONS = (
    click.option("--function", metavar="NAME|ARN", default=None, help="The executions of this AWS Lambda function."),
    click.option(
        "--execution", "executions", metavar="ARN", multiple=True, help="An execution on AWS. May be repeated."
    ),
    click.option("--qualifier", default=None, help="Of --function: only this version or alias."),
    click.option("--named", metavar="NAME", default=None, help="Of --function: only executions of this name."),
    click.option(
        "--status",
        "statuses",
        multiple=True,
        type=click.Choice(STATUSES, case_sensitive=False),
        help="Of --function: only executions in this status. May be repeated.",
    ),
    click.option(
        "--started-after", type=moment, metavar="TIME", default=None, help="Of --function: only younger ones."
    ),
    click.option("--started-before", type=moment, metavar="TIME", default=None, help="Of --function: only older ones."),
    click.option(
        "--limit", type=click.IntRange(min=1), default=None, help="Of --function: at most so many executions."
    ),
    click.option("--region", default=None, help="The region. Default: as configured for boto3."),
    click.option("--profile", default=None, help="The profile with credentials. Default: as configured for boto3."),
    click.option("--endpoint-url", metavar="URL", default=None, help="Where the Lambda API is, if not at AWS."),
    click.option(
        "--requests-per-second",
        "per_second",
        type=click.FloatRange(min=0, min_open=True),
        default=5.0,
        show_default=True,
        help="Most requests to AWS per second.",
    ),
)


def aws_options(command: F) -> F:
    """The options that choose executions on AWS; `aws_choice` takes them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def aws_choice(
    *,
    function: str | None,
    executions: tuple[str, ...],
    qualifier: str | None,
    named: str | None,
    statuses: tuple[str, ...],
    started_after: datetime | None,
    started_before: datetime | None,
    limit: int | None,
    region: str | None,
    profile: str | None,
    endpoint_url: str | None,
    per_second: float,
) -> AwsChoice:
    """What the options mean."""
    filters = {
        "qualifier": qualifier,
        "name": named,
        "statuses": [status.upper() for status in statuses] or None,
        "started_after": started_after,
        "started_before": started_before,
    }
    asked = {key: value for key, value in filters.items() if value is not None}
    if function is None and (asked or limit is not None):
        raise Problem("filters need a function to filter the executions of: name it with --function", USAGE)
    client = {"region": region, "profile": profile, "endpoint_url": endpoint_url}
    return AwsChoice(function, executions, asked, limit, client, per_second)
