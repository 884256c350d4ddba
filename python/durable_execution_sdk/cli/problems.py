"""Exit codes, and errors as one line each.

| code | meaning |
|---|---|
| 0 | done |
| 1 | the execution ended without a result: it failed, timed out or was stopped; or a replay diverged |
| 2 | the command line is wrong: an unknown option, input that is no JSON, a handler that cannot be imported |
| 3 | not found: no such execution, callback, function or store |
| 4 | in conflict: the name is taken with other input, another process drives the execution, it has ended already |
| 5 | the store, a history file or AWS cannot be used; nothing diverges in a replay, but a history is unreadable |
| 6 | nothing diverges or is unreadable in a replay, but a history is not checkable |
| 130 | interrupted with Ctrl-C; everything acknowledged is kept |
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from durable_execution_sdk.engine import (
    EngineError,
    ExecutionAlreadyStarted,
    ExecutionBusy,
    ExecutionEnded,
    ExecutionNotFound,
    FunctionNotFound,
    HistoryFileError,
    ResourceConflict,
    StoreError,
)
from durable_execution_sdk.replay import HistorySourceError

ENDED = 1
USAGE = 2
NOT_FOUND = 3
CONFLICT = 4
STORE = 5
INTERRUPTED = 130

_CODES: tuple[tuple[type[EngineError], int], ...] = (
    (ExecutionEnded, ENDED),
    (FunctionNotFound, USAGE),
    (ExecutionNotFound, NOT_FOUND),
    (ExecutionAlreadyStarted, CONFLICT),
    (ExecutionBusy, CONFLICT),
    (ResourceConflict, CONFLICT),
    (HistoryFileError, STORE),
    (StoreError, STORE),
)


class Problem(click.ClickException):
    """An error as the user sees it: one line, and an exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(" ".join(message.split()))
        self.exit_code = code  # type: ignore[misc]  # click reads it from the instance, and declares it on the class

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line."""
        click.echo(f"durable: {self.format_message()}", file=file, err=file is None)


@contextmanager
def explained() -> Iterator[None]:
    """Turn the engine's errors, and Ctrl-C, into one line and an exit code."""
    try:
        yield
    except KeyboardInterrupt:
        raise Problem("interrupted", INTERRUPTED) from None
    except EngineError as error:
        code = next((code for kind, code in _CODES if isinstance(error, kind)), USAGE)
        raise Problem(str(error), code) from error
    except HistorySourceError as error:
        raise Problem(str(error), NOT_FOUND if error.not_found else STORE) from error
    except ValueError as error:
        raise Problem(str(error), USAGE) from error
    except OSError as error:
        raise Problem(f"{error.filename or 'a file'}: {error.strerror or error}", STORE) from error
