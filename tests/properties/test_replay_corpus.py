"""Does a replay check name what changed, and where? Seeded changes of many handlers, each against its history."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from durable_execution_sdk.replay import check, history_from
from tests.support import replay_changes as changes
from tests.support import replay_corpus as corpus
from tests.support import replay_cuts as cuts
from tests.support.replay_recorded import line_of, loaded, recorded, said

SEED = 20
PER_KIND = 6
HARMLESS_EACH = 19
CUT_PER_KIND = 2
CUTS_OF_HARMLESS = 12


def test_changes_are_named_and_placed(tmp_path: Path) -> None:
    table: Counter[tuple[str, str]] = Counter()
    wrong: list[str] = []
    total = 0
    for name in corpus.HANDLERS:
        history = history_from(recorded(name, tmp_path))
        for kind in changes.KINDS:
            for mutation in changes.mutations(name, kind, PER_KIND, SEED):
                total += 1
                report = check(loaded(mutation.source, f"{name}.py"), history)
                table[mutation.cause, said(report)] += 1
                if (said(report), line_of(report)) != (mutation.cause, mutation.line):
                    wrong.append(f"{name}/{kind} {mutation.what}: {mutation.cause} at {mutation.line}, said {report}")
    assert total >= 400
    assert len(wrong) <= 0.05 * total, "\n".join([f"{len(wrong)} of {total}", *wrong, *map(str, table.items())])


def test_harmless_changes_are_not_reported(tmp_path: Path) -> None:
    total = 0
    for name in corpus.HANDLERS:
        history = history_from(recorded(name, tmp_path))
        assert check(loaded(corpus.original(name), f"{name}.py"), history).verdict == "clean"
        for source in corpus.harmless(name, HARMLESS_EACH, SEED):
            total += 1
            report = check(loaded(source, f"{name}.py"), history)
            assert report.verdict == "clean", f"{report}\n{source}"
    assert total >= 200


def test_changes_are_named_where_executions_still_run(tmp_path: Path) -> None:
    """Each is checked against the history as it was at two moments: any, and one of the second half."""
    wrong: list[str] = []
    total = 0
    for name in corpus.HANDLERS:
        recording = recorded(name, tmp_path)
        end = len(recording.events)
        for kind in changes.KINDS:
            for mutation in changes.mutations(name, kind, CUT_PER_KIND, SEED):
                chance = random.Random(f"{name} {kind} {mutation.what}")
                for moment in (chance.randrange(1, end), chance.randrange(end // 2, end)):
                    history = cuts.cut(recording, moment)
                    part = cuts.recorded_part(name, history.operations)
                    causes, lines = cuts.may_be_said(mutation, part)
                    report = check(loaded(mutation.source, f"{name}.py"), history)
                    where = f"{name}/{kind} {mutation.what} after {moment} events: {causes} at {lines}, said {report}"
                    if causes == cuts.UNHARMED:
                        assert report.ok, where
                        continue
                    total += 1
                    if said(report) not in causes or line_of(report) not in lines:
                        wrong.append(where)
    assert total >= 300
    assert len(wrong) <= 0.05 * total, "\n".join([f"{len(wrong)} of {total}", *wrong])


def test_nothing_is_said_of_executions_that_still_run(tmp_path: Path) -> None:
    """At every moment of the handler as it is, and at some of one that is written differently."""
    for name in corpus.HANDLERS:
        recording = recorded(name, tmp_path)
        end = len(recording.events)
        original = loaded(corpus.original(name), f"{name}.py")
        chance = random.Random(name)
        rewritten = [loaded(source, f"{name}.py") for source in corpus.harmless(name, CUTS_OF_HARMLESS, SEED)]
        moments = [(original, moment) for moment in range(1, end)]
        for handler, moment in [*moments, *((handler, chance.randrange(1, end)) for handler in rewritten)]:
            report = check(handler, cuts.cut(recording, moment))
            assert report.ok, f"{name} after {moment} events: {report}"
