"""The pytest fixture `durable_replay`: recorded histories against a handler, as a test.

Installed as a plugin (entry point `pytest11`); what it needs is imported when a test asks for the fixture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

if TYPE_CHECKING:
    from durable_execution_sdk.replay import History, Report, Unreadable

Histories: TypeAlias = "str | PathLike[str] | History"


class DurableReplay:
    """What the fixture `durable_replay` is."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def check(
        self, handler: Callable[..., Any], *histories: Histories, allow: Iterable[str] = (), payloads: bool = False
    ) -> list[Report]:
        """Check a handler against histories; fail the test if one diverges, is ambiguous, not checkable or unreadable.

        Args:
            handler: The result of `@durable_execution`.
            histories: Files and folders as `durable replay` takes them, relative to pytest's root directory, or
                histories themselves.
            allow: Further verdicts that are all right, such as `"ambiguous"` or `"unreadable"`.
            payloads: Whether failures show recorded results.

        Returns:
            The reports, in the order of the histories.

        Raises:
            FileNotFoundError: A path is not there, or holds nothing that could be a history.
            TypeError: The handler is not decorated.

        Example:
            >>> def test_executions_in_flight_go_on(durable_replay):
            ...     durable_replay.check(handler, "histories/")
        """
        from durable_execution_sdk.replay import check

        __tracebackhide__ = True
        allowed = set(allow)
        reports = [
            check(handler, history, payloads=payloads) for where in histories for history in self._histories(where)
        ]
        if not reports:
            raise FileNotFoundError("There is no history to check: name a file or a folder that holds some.")
        wrong = [report for report in reports if not report.ok and report.verdict not in allowed]
        if wrong:
            head = f"{len(wrong)} of {len(reports)} recorded histories do not replay:"
            pytest.fail("\n".join([head, *map(str, wrong)]), pytrace=False)
        return reports

    def _histories(self, where: Histories) -> Iterator[History | Unreadable]:
        from durable_execution_sdk.replay import History, read

        if isinstance(where, History):
            yield where
            return
        path = self._root / where
        if not path.exists():
            raise FileNotFoundError(f"There is no {path}: paths are relative to pytest's root directory.")
        yield from read(path)


@pytest.fixture(scope="session")
def durable_replay(pytestconfig: pytest.Config) -> DurableReplay:
    """Checks handlers against recorded histories: `durable_replay.check(handler, "histories/")`."""
    return DurableReplay(pytestconfig.rootpath)


__all__ = ["DurableReplay", "durable_replay"]
