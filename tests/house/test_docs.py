"""Documentation that runs: every code block of the pages, and every command they tell people to type."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.house.sources import ROOT, tracked_files

FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    return [path for path in tracked_files() if path.suffix == ".md" and path.parts[0] in PLACES]


PLACES = {"README.md", "CONTRIBUTING.md", "docs"}


def blocks(page: Path) -> list[Block]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return [Block(page, text.count("\n", 0, match.start()) + 1, match[1], match[2]) for match in FENCE.finditer(text)]


ALL = [block for page in pages() for block in blocks(page)]


@pytest.mark.parametrize("block", [block for block in ALL if block.language == "python"], ids=str)
def test_python_blocks_run(block: Block, tmp_path: Path) -> None:
    """Each block is a program of its own: what a reader copies must run as it stands."""
    script = tmp_path / "block.py"
    # Blank lines in front keep the page's line numbers in tracebacks.
    script.write_text("\n" * block.line + block.text, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path,
        env=environment | {"AWS_DEFAULT_REGION": "eu-central-1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{block} does not run:\n{done.stdout}{done.stderr}"


def test_commands_in_pages_exist() -> None:
    """What the pages tell people to type: targets of make, and files of this repository."""
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    wrong = []
    for block in ALL:
        for line in block.text.splitlines() if block.language == "console" else ():
            words = line.partition("#")[0].split()
            if not words:
                continue
            if words[0] == "make":
                wrong += [f"{block}: make {name}" for name in words[1:] if "=" not in name and name not in targets]
            elif words[0].startswith((".", "tools/")) and not (ROOT / words[0]).is_file():
                wrong.append(f"{block}: {words[0]}")
    assert not wrong, f"commands that do not exist: {wrong}"


@pytest.mark.parametrize("page", pages(), ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", (ROOT / page).read_text(encoding="utf-8"))
    broken = [
        target
        for target in targets
        if not re.match(r"[a-z]+:", target) and not (ROOT / page).parent.joinpath(target).exists()
    ]
    assert not broken, f"{page} links to what is not there: {broken}"
