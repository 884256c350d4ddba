"""What the house tests look at: the files under version control, and the package's modules as `ast` sees them."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "durable_execution_sdk"
PACKAGE_DIR = ROOT / "python" / PACKAGE


@cache
def tracked_files() -> tuple[Path, ...]:
    """Every file of the repository, committed or about to be, relative to its root."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return tuple(Path(line) for line in sorted(set(listing.splitlines())) if (ROOT / line).is_file())


@cache
def modules() -> dict[str, Path]:
    """Dotted name -> file, for every module of the package."""
    found = {}
    for path in sorted(PACKAGE_DIR.rglob("*.py")):
        parts = path.relative_to(PACKAGE_DIR.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def tree(path: Path) -> ast.Module:
    """The parsed file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(module: str) -> Iterator[tuple[int, str]]:
    """(line, absolute dotted name) of everything a module imports anywhere: in functions and for type checkers too.

    `from a import b` yields `a.b`, whether `b` is a module or a name in it.
    """
    path = modules()[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                base = package.split(".")
                base = base[: len(base) - node.level + 1]
                source = ".".join([*base, *([source] if source else [])])
            yield from ((node.lineno, f"{source}.{alias.name}") for alias in node.names)
