"""Does a replay check name what changed, and where? Seeded changes of many handlers, each against its history."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from durable_execution_sdk.replay import check, history_from, masked
from tests.support import replay_changes as changes
from tests.support import replay_corpus as corpus
from tests.support import replay_cuts as cuts
from tests.support import replay_looks as looks
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


def test_changes_are_named_before_masked_payloads_are_looked_at(tmp_path: Path) -> None:
    """Handlers that look at some results, over histories without any: what is looked at first ends the check."""
    wrong: list[str] = []
    total = exact = diverged = 0
    for name in corpus.HANDLERS:
        history = history_from(masked(recorded(name, tmp_path), ["*"], keep_input=True))
        for kind in changes.KINDS:
            for mutation in changes.mutations(name, kind, 3, SEED, looks.looking(f"{name} {kind}")):
                right = looks.may_be_said(mutation)
                report = check(loaded(mutation.source, f"{name}.py"), history)
                total += 1
                diverged += report.verdict == "diverged"
                exact += report.verdict == "diverged" and report.cause == mutation.cause
                if (said(report), line_of(report)) not in right:
                    wrong.append(f"{name}/{kind} {mutation.what}: {right}, said {report}")
    assert total >= 400
    assert diverged >= 100
    assert exact >= 0.75 * diverged
    assert len(wrong) <= 0.05 * total, "\n".join([f"{len(wrong)} of {total}", *wrong])


def test_masked_histories_are_clean_or_not_checkable(tmp_path: Path) -> None:
    """Of a handler that is written differently: clean where it looks at nothing, else it says where it looks first."""
    for name in corpus.HANDLERS:
        history = history_from(masked(recorded(name, tmp_path), ["*"], keep_input=True))
        is_async, plan = corpus.HANDLERS[name]
        for number in range(8):
            now = looks.looking(f"{name} {number}")(plan)
            source = corpus.Writer(is_async, random.Random(number)).write(now)
            found = looks.looks_of(now)
            right = {("not checkable", look.laid.line) for look in found if look.may_come_before(found[0])}
            right |= {("not checkable", found[0].laid.line)} if found else {("clean", None)}
            report = check(loaded(source, f"{name}.py"), history)
            assert (said(report), line_of(report)) in right, f"{name}: {right}, said {report}\n{source}"
