"""Does a replay check name what changed, and where? Seeded changes of eleven handlers, each against its history."""

from __future__ import annotations

import linecache
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from durable_execution_sdk.engine import Engine
from durable_execution_sdk.replay import History, Report, check, read_store
from tests.support import replay_changes as changes
from tests.support import replay_corpus as corpus

SEED = 20
PER_KIND = 6
HARMLESS_EACH = 19


def loaded(source: str, name: str) -> Callable[..., Any]:
    """The handler of a source text."""
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    module: dict[str, Any] = {"__name__": "corpus"}
    exec(compile(source, name, "exec"), module)
    handler: Callable[..., Any] = module["handler"]
    return handler


def recorded(handler: Callable[..., Any], store: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    """The history of one execution."""
    with Engine(store, functions={"other": lambda event, _: event}, time_scale=0) as engine:
        monkeypatch.setattr(corpus, "_answering", [lambda key: engine.send_callback_success(key, '"ok"')])
        engine.run(handler, {}, name="one")
    [history, *_] = [history for history in read_store(store) if history.name == "one"]
    return history


def said(report: Report) -> str:
    """The cause, or the verdict if there is none to name."""
    return report.cause or "?" if report.verdict == "diverged" else report.verdict


def test_changes_are_named_and_placed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table: Counter[tuple[str, str]] = Counter()
    wrong: list[str] = []
    total = 0
    for name in corpus.HANDLERS:
        history = recorded(loaded(corpus.original(name), f"{name}.py"), tmp_path / f"{name}.db", monkeypatch)
        for kind in changes.KINDS:
            for mutation in changes.mutations(name, kind, PER_KIND, SEED):
                total += 1
                report = check(loaded(mutation.source, f"{name}.py"), history)
                table[mutation.cause, said(report)] += 1
                line = None if report.line is None else int(report.line.rpartition(":")[2])
                if (said(report), line) != (mutation.cause, mutation.line):
                    wrong.append(
                        f"{name}/{kind} {mutation.what}: {mutation.cause} at {mutation.line}, said {said(report)} at"
                        f" {line}: {report.recorded} -> {report.attempted}; {report.note}"
                    )
    shown = "\n".join(f"{expected:16} {got:16} {count}" for (expected, got), count in sorted(table.items()))
    assert total >= 400
    assert len(wrong) <= 0.05 * total, "\n".join([f"{len(wrong)} of {total}", *wrong, shown])


def test_harmless_changes_are_not_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    total = 0
    for name in corpus.HANDLERS:
        history = recorded(loaded(corpus.original(name), f"{name}.py"), tmp_path / f"{name}.db", monkeypatch)
        assert check(loaded(corpus.original(name), f"{name}.py"), history).verdict == "clean"
        for source in corpus.harmless(name, HARMLESS_EACH, SEED):
            total += 1
            report = check(loaded(source, f"{name}.py"), history)
            assert report.verdict == "clean", f"{report}\n{source}"
    assert total >= 200
