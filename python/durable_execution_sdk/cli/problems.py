"""Exit codes, and errors as one line each.

0 done; 1 what was asked about is not well: an execution ended without a result, a replay diverged, a bench is slower;
2 the command line is wrong; 3 not found; 4 in conflict; 5 the store, a history, AWS or a file cannot be used; 6 one
history is not checkable; 130 interrupted with Ctrl-C. The guide of the command line says it in full.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Iterable, Iterator
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


def tell(pieces: Iterable[str]) -> None:
    """Print to standard output. Whoever reads only the beginning of it, as `head` does, has read enough."""
    try:
        for piece in pieces:
            click.echo(piece, nl=False)
    except OSError as error:
        # What is left in the buffer would complain once more at the end of the process.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise Problem(f"standard output: {error.strerror or error}", STORE) from None


class Stopped(KeyboardInterrupt):
    """Another signal than that of Ctrl-C ends the command."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def stoppable() -> Iterator[None]:
    """Let the signals that end a job end the block as Ctrl-C does, so that it leaves no half file and no process.

    Not where a handler runs for real: that may be killed at any moment, and must not see an exception for it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _: object) -> None:
        raise Stopped(number)

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler == signal.SIG_DFL:  # nohup has others ignored
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def explained() -> Iterator[None]:
    """Turn the engine's errors, and Ctrl-C, into one line and an exit code."""
    try:
        yield
    except Stopped as error:
        raise Problem(f"ended by {signal.Signals(error.number).name}", 128 + error.number) from None
    except KeyboardInterrupt:
        raise Problem("interrupted", INTERRUPTED) from None
    except EngineError as error:
        code = next((code for kind, code in _CODES if isinstance(error, kind)), USAGE)
        raise Problem(str(error), code) from error
    except sqlite3.Error as error:
        raise Problem(f"the store cannot be read: {error}", STORE) from error
    except HistorySourceError as error:
        raise Problem(str(error), NOT_FOUND if error.not_found else STORE) from error
    except ValueError as error:
        raise Problem(str(error), USAGE) from error
    except OSError as error:
        raise Problem(f"{error.filename or 'a file'}: {error.strerror or error}", STORE) from error
