"""A process that checks histories, as seen by the one that deals them: it can be asked, waited for and ended."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Any, Final, TypeAlias, cast

from durable_execution_sdk.replay.checking import Report
from durable_execution_sdk.replay.portions import Item

HEADER_BYTES: Final = 8
"""The length of a message stands before it."""

_PIECE: Final = 1 << 20
_PROGRAM: Final = (
    "import sys; sys.path[:] = sys.argv[3:]; from durable_execution_sdk.replay.serving import serve; serve()"
)

Answer: TypeAlias = str | tuple[Sequence[Report], float] | None
"""Why the handler cannot be used; None if it can; then, for each portion, its reports and the seconds they took."""


def framed(message: object) -> bytes:
    """A message as it goes through a pipe."""
    body = pickle.dumps(message)
    return len(body).to_bytes(HEADER_BYTES, "little") + body


class Worker:
    """A process of its own session, so that Ctrl-C is for this one, and what a handler has started ends with it.

    Nothing here waits: whoever has many of them waits for all, until one is ready to be read from or written to.

    Attributes:
        answers: The descriptor to read from.
        requests: The descriptor to write to, as long as `has_more_to_send`.
        is_ready: Whether it has imported the handler.
        is_silent: Whether nothing more can come from it.
        waited: For how many seconds it has been at the same history, or at the import.
    """

    def __init__(self, target: str, *, payloads: bool) -> None:
        self._progress, theirs = os.pipe()
        flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # -O and the like
        try:
            self._process = subprocess.Popen(
                [sys.executable, *flags, "-c", _PROGRAM, str(theirs), target, *sys.path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                pass_fds=(theirs,),
                start_new_session=True,
            )
        except BaseException:
            os.close(self._progress)
            raise
        finally:
            os.close(theirs)
        self.answers = cast("IO[bytes]", self._process.stdout).fileno()
        self.requests = cast("IO[bytes]", self._process.stdin).fileno()
        for descriptor in (self.answers, self.requests, self._progress):
            os.set_blocking(descriptor, False)
        self.is_ready = self.is_silent = False
        self.waited = 0.0
        self._has_shown_life = False
        self._begun = 0
        self._sending = memoryview(b"")
        self._received = bytearray()
        self._put((sys.argv, payloads))

    @property
    def has_more_to_send(self) -> bool:
        """Whether some of what was given has not gone through the pipe."""
        return bool(self._sending)

    def give(self, portion: Sequence[Item]) -> None:
        """Let it check these."""
        self._look()
        self._begun, self._has_shown_life = 0, True
        self._put(portion)

    def send(self) -> None:
        """Send as much as goes through."""
        try:
            left = self._sending[os.write(self.requests, self._sending) :]
        except BlockingIOError:
            return
        except OSError:
            left = None  # it has ended, and its other pipe tells so
        self._sending = left or memoryview(b"")  # which holds nothing, unlike the end of what was sent

    def receive(self) -> list[Answer]:
        """What has come from it."""
        with suppress(BlockingIOError):
            while piece := os.read(self.answers, _PIECE):
                self._received += piece
            self.is_silent = True
        found: list[Answer] = []
        while len(self._received) >= HEADER_BYTES:
            end = HEADER_BYTES + int.from_bytes(self._received[:HEADER_BYTES], "little")
            if len(self._received) < end:
                break
            found.append(pickle.loads(self._received[HEADER_BYTES:end]))
            del self._received[:end]
        return found

    def begun(self) -> int:
        """How many histories of its portion it has begun with."""
        self._look()
        return self._begun

    def passed(self, seconds: float) -> None:
        """Take note of time that has passed."""
        self._look()
        self.waited = 0.0 if self._has_shown_life else self.waited + seconds
        self._has_shown_life = False

    def has_ended(self) -> bool:
        """Whether it has; its pipes may be open all the same, in processes that the handler has started."""
        try:
            return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:  # where SIGCHLD is ignored, as a parent may have it, nothing is left of it
            return True

    def end(self) -> int:
        """End it at once, with all that it has started, and return its exit code; below 0 it is that of a signal."""
        self._end_session()
        code = self._process.wait()
        self._close()
        return code

    def dismiss(self) -> None:
        """Ask it to end by itself, as Python does: what users have registered for that moment runs."""
        self._put(None)

    def ends_within(self, seconds: float) -> bool:
        """Wait for its end, but not longer; what a handler has started and left behind ends then."""
        try:
            self._process.wait(max(seconds, 0))
        except subprocess.TimeoutExpired:
            return False
        self._end_session()
        self._close()
        return True

    def _put(self, message: Any) -> None:
        self._sending = memoryview(framed(message))
        self.send()

    def _look(self) -> None:
        with suppress(BlockingIOError):
            while marks := os.read(self._progress, _PIECE):
                self._begun += len(marks)
                self._has_shown_life = True

    def _end_session(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            cast("IO[bytes]", pipe).close()
        os.close(self._progress)


__all__ = ["HEADER_BYTES", "Answer", "Worker", "framed"]
