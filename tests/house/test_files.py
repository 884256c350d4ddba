"""Size, wording and unfinished business, over every file of the repository."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from tests.house.sources import ROOT, tracked_files

LIMIT = 500
# Longer files, each with a reason that a reader would accept.
LONG: dict[str, str] = {
    "tests/unit/drivers/test_operations.py": "a test per row of the operations' tables, in their order",
}

# Tests that need a real timer, each with the reason.
TIMERS_UNDER_TEST = {
    "tests/support/timed_programs/running.py": "what is compared is what real durations, of microseconds, come to",
    "tests/unit/aio/test_parking.py": "the event loop's own timers are what is parked and what goes on",
}

TEXT = {".py", ".pyi", ".rs", ".md", ".toml", ".yaml", ".yml", ".txt", ".js", ".html", ".css", ".sh", ""}


def word(*parts: str) -> str:
    """A forbidden word, spelled so that this file does not contain it."""
    return "".join(parts)


@cache
def texts() -> tuple[tuple[Path, str], ...]:
    return tuple(
        (path, (ROOT / path).read_text(encoding="utf-8"))
        for path in tracked_files()
        if path.suffix in TEXT and path.name not in {"LICENSE", "Cargo.lock"}
    )


def lines_matching(pattern: str, suffixes: set[str] | None = None) -> list[str]:
    wanted = re.compile(pattern)
    return [
        f"{path}:{number}: {line.strip()[:120]}"
        for path, text in texts()
        if suffixes is None or path.suffix in suffixes
        for number, line in enumerate(text.splitlines(), 1)
        if wanted.search(line)
    ]


def test_files_are_short() -> None:
    """Lines of code: a Rust file's own unit tests, which stand at its end, do not count."""
    long = {
        str(path): lines
        for path, text in texts()
        if path.suffix in {".py", ".rs"}
        if (lines := text.partition("#[cfg(test)]\nmod tests")[0].count("\n")) > LIMIT
    }
    unexplained = {name: lines for name, lines in long.items() if name not in LONG}
    assert not unexplained, f"over {LIMIT} lines: split by reason to change, or list with a reason: {unexplained}"
    assert not (gone := sorted(set(LONG) - set(long))), f"no longer over {LIMIT} lines, take off the list: {gone}"


def test_nothing_is_unfinished() -> None:
    markers = "|".join([word("TO", "DO"), word("FIX", "ME"), word("XX", "X"), word("HA", "CK")])
    macros = "|".join([word(r"\bto", r"do!\("), word("unimpl", r"emented!\("), word("raise NotImpl", "ementedError")])
    found = lines_matching(rf"\b({markers})\b|{macros}", {".py", ".rs"})
    assert not found, "\n".join(found)


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    """Only the conformance data may be absent: it is not ours to ship."""
    ways = "|".join([word("sk", "ip"), word("xf", "ail"), word("importor", "skip")])
    pattern = rf"pytest\.(mark\.)?({ways})|" + word("#", r"\[ig", "nore")
    found = [hit for hit in lines_matching(pattern, {".py", ".rs"}) if not hit.startswith("tests/conformance/")]
    assert not found, "\n".join(found)


def test_tests_do_not_sleep() -> None:
    """Time is a virtual clock, or an event that is waited for."""
    pattern = "|".join([word(r"\btime\.sl", r"eep\("), word(r"asyncio\.sl", r"eep\((?!0\))")])
    found = [
        hit
        for hit in lines_matching(pattern, {".py"})
        if hit.startswith("tests/") and hit.partition(":")[0] not in TIMERS_UNDER_TEST
    ]
    assert not found, "\n".join(found)


def test_silenced_checks_carry_their_reason() -> None:
    pattern = "|".join(
        [
            word("# type: ig", r"nore(?!\[[^\]]+\]\s+#)"),
            word("# no", r"qa(?!: [A-Z0-9, ]+\s+#)"),
        ]
    )
    found = lines_matching(pattern, {".py"})
    for path, text in texts():
        if path.suffix == ".rs":
            for match in re.finditer(word(r"#!?\[al", r"low\([^\]]*\]"), text):
                around = text[text.rfind("\n", 0, text.rfind("\n", 0, match.start())) : text.find("\n", match.end())]
                if "reason" not in match[0] and "// " not in around:
                    found.append(f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]}")
    assert not found, "\n".join([*found, "name the code and give the reason beside it"])


def test_unsafe_code_is_proven() -> None:
    wrong = []
    for path, text in texts():
        if path.suffix != ".rs":
            continue
        lines = text.splitlines()
        for index, line in enumerate(lines):
            above = "\n".join(lines[max(0, index - 6) : index + 1]).lower()
            if re.search(r"\bunsafe\s*(\{|fn \w|impl)", line) and "safety" not in above:
                wrong.append(f"{path}:{index + 1}: {line.strip()}")
    assert not wrong, "\n".join([*wrong, "say in a SAFETY comment (or a Safety section) just above why this is sound"])


def test_the_project_speaks_of_itself_alone() -> None:
    """No path of somebody's machine, and no paper that readers do not have."""
    words = [
        word("/ro", "ot/"),
        word("/ho", "me/"),
        word(r"(?<![\w$])/wo", "rk/"),
        word(r"\bPROTO", r"COL\b"),
        *(word(rf"\b{name}", r"\.md") for name in ("DESIGN", "STYLE", "ASYNC", "API")),
    ]
    found = lines_matching("|".join(words))
    assert not found, "\n".join(found)
