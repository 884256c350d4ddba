"""Where the reports of a check go: each when it comes, and none is kept, however many there are."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from tempfile import SpooledTemporaryFile
from textwrap import indent
from typing import IO, Any, Final
from xml.etree import ElementTree

from durable_execution_sdk.cli.problems import STORE
from durable_execution_sdk.replay import Report
from durable_execution_sdk.replay.checking import FAILED as NOT_CHECKED
from durable_execution_sdk.replay.checking import UNREADABLE, group_of

FORMAT: Final = "durable-replay-1"
DIVERGENCE: Final = 1
NOT_CHECKABLE: Final = 6

_ERRORS: Final = frozenset({NOT_CHECKED, UNREADABLE})
_NOT_IN_XML: Final = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
_IN_MEMORY_BYTES: Final = 1 << 20
_PIECE: Final = 1 << 16


class Spool:
    """Text until it is wanted: in memory while it is short, then in a file without a name, for its owner only."""

    def __init__(self) -> None:
        self._file: IO[str] = SpooledTemporaryFile(  # noqa: SIM115  # closed with the spool
            _IN_MEMORY_BYTES, "w+", encoding="utf-8", errors="surrogatepass", newline=""
        )

    def add(self, text: str) -> None:
        """Put it at the end."""
        self._file.write(text)

    def pieces(self) -> Iterator[str]:
        """All of it; nothing can be added then."""
        self._file.seek(0)
        while piece := self._file.read(_PIECE):
            yield piece

    def close(self) -> None:
        """Forget it."""
        self._file.close()


class Findings(ExitStack):
    """What a check has found, as it is shown."""

    def __init__(self, handler: str, *, as_json: bool, junit: bool, verbose: bool = False) -> None:
        super().__init__()
        self._handler = handler
        self._as_json = as_json
        self._verbose = verbose
        self._groups: Counter[str] = Counter()
        self._verdicts: Counter[str] = Counter()
        self._failures = 0
        self._shown = self.enter_context(closing(Spool()))
        self._cases = self.enter_context(closing(Spool())) if junit else None

    def __len__(self) -> int:
        return self._verdicts.total()

    @property
    def summary(self) -> dict[str, int]:
        """How many histories there are of each verdict and cause."""
        return dict(sorted(self._groups.items()))

    @property
    def exit_code(self) -> int:
        """What was found comes first, then what was not looked at at all, then what cannot be told."""
        errors = sum(self._verdicts[verdict] for verdict in _ERRORS)
        if self._failures > errors:
            return DIVERGENCE
        if self._verdicts[UNREADABLE]:
            return STORE
        return NOT_CHECKABLE if errors else 0

    def add(self, report: Report) -> None:
        """Take note of a report."""
        if self._as_json:
            mark = ",\n" if len(self) else "\n"
            self._shown.add(mark + indent(json.dumps(report.to_dict(), indent=2), "    "))
        elif self._verbose or not report.ok:
            self._shown.add(f"{report}\n")
        if self._cases is not None:
            self._cases.add(_case(self._handler, report))
        self._groups[group_of(report)] += 1
        self._verdicts[report.verdict] += 1
        self._failures += not report.ok

    def text(self) -> Iterator[str]:
        """What is printed: what is wrong and a summary, or all of it as JSON."""
        if not self._as_json:
            yield from self._shown.pieces()
            yield "".join(f"{count:6} {group}\n" for group, count in self.summary.items())
            return
        yield f'{{\n  "format": {json.dumps(FORMAT)},\n  "handler": {json.dumps(self._handler)},\n  "reports": ['
        yield from self._shown.pieces()
        summary = indent(json.dumps(self.summary, indent=2), "  ").lstrip()
        yield f'\n  ],\n  "summary": {summary}\n}}\n'

    def junit(self) -> Iterator[str]:
        """A JUnit test suite, one case per history; what was not checked is an error, no failure."""
        errors = sum(self._verdicts[verdict] for verdict in _ERRORS)
        suite = ElementTree.Element(
            "testsuite",
            name=f"durable replay {self._handler}",
            tests=str(len(self)),
            failures=str(self._failures - errors),
            errors=str(errors),
        )
        suite.text = "\n"
        head, end = ElementTree.tostring(suite, encoding="us-ascii", xml_declaration=True).decode().split("</")
        yield head
        if self._cases is not None:
            yield from self._cases.pieces()
        yield f"</{end}\n"


def _case(handler: str, report: Report) -> str:
    case = ElementTree.Element("testcase", classname=handler, name=_xml_text(report.history))
    case.tail = "\n"
    if not report.ok:
        kind = "error" if report.verdict in _ERRORS else "failure"
        found = ElementTree.SubElement(case, kind, message=report.cause or report.verdict)
        found.text = _xml_text(str(report))
    text: Any = ElementTree.tostring(case, encoding="us-ascii")
    return str(text, "ascii")


def _xml_text(text: str) -> str:
    """The text with what no XML document may hold, which a name or a result of a user's may, as an escape."""
    return _NOT_IN_XML.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


__all__ = ["FORMAT", "Findings"]
