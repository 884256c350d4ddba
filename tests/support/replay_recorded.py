"""The handlers of the corpus as functions, and what one execution of each leaves behind."""

from __future__ import annotations

import linecache
from collections.abc import Callable
from pathlib import Path
from typing import Any

from durable_execution_sdk.engine import Engine
from durable_execution_sdk.replay import Recording, Report, record_store
from tests.support import replay_corpus as corpus


def loaded(source: str, name: str) -> Callable[..., Any]:
    """The handler of a source text."""
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    module: dict[str, Any] = {"__name__": "corpus"}
    exec(compile(source, name, "exec"), module)
    handler: Callable[..., Any] = module["handler"]
    return handler


def recorded(name: str, folder: Path, source: str | None = None) -> Recording:
    """One execution of a handler of the corpus."""
    handler = loaded(corpus.original(name) if source is None else source, f"{name}.py")
    store = folder / f"{name}.db"
    with (
        Engine(store, functions={"other": lambda event, _: event}, time_scale=0) as engine,
        corpus.answered_by(lambda key: engine.send_callback_success(key, '"ok"')),
    ):
        engine.run(handler, {}, name="one")
    [recording] = record_store(store, "one")
    return recording


def said(report: Report) -> str:
    """The cause, or the verdict if there is none to name."""
    return report.cause or "?" if report.verdict == "diverged" else report.verdict


def line_of(report: Report) -> int | None:
    """The line that a report names."""
    return None if report.line is None else int(report.line.rpartition(":")[2])
