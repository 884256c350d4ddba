"""The command `durable`; the extra `cli` installs what it needs."""

from __future__ import annotations

import io
import os
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

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")  # names and results are anybody's text, terminals are not
    try:
        cli(prog_name="durable")
    except OSError as error:
        sys.stderr.write(f"durable: {error.filename or 'standard output'}: {error.strerror or error}\n")
        os._exit(5)  # whoever ends in the ordinary way tries once more to write what is left, and complains


__all__ = ["main"]
