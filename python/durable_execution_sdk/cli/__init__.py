"""The command `durable`; the extra `cli` installs what it needs."""

from __future__ import annotations

import sys
from importlib.util import find_spec


def main() -> None:
    """Run the command line, or say what is missing for it."""
    missing = [name for name in ("click", "rich") if find_spec(name) is None]
    if missing:
        sys.stderr.write(
            f"durable: the command line needs {' and '.join(missing)}: pip install 'durable-execution-sdk[cli]'\n"
        )
        raise SystemExit(2)
    from durable_execution_sdk.cli.app import cli

    cli(prog_name="durable")


__all__ = ["main"]
