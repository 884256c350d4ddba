"""Fault points: the process kills itself at a chosen commit, so that tests can show what survives.

The environment variable `DURABLE_ENGINE_FAULT` holds `<moment>:<commit>[:<microseconds>]`: the moment is `before`,
`during` or `after`, commits of the process's stores are counted from 1, and `during` kills that many microseconds after
the commit has begun, in the middle of its disk writes (default 100). Unset, a commit costs one comparison more.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import dataclass
from typing import Final

VARIABLE: Final = "DURABLE_ENGINE_FAULT"
MOMENTS: Final = ("before", "during", "after")


@dataclass(frozen=True, slots=True)
class Fault:
    """Where the process is to die."""

    moment: str
    commit: int
    after_us: int = 100

    def reached(self, moment: str, commit: int) -> None:
        """Die here, or soon, if this is the place."""
        if commit != self.commit or moment != self.moment:
            return
        if moment == "during":
            threading.Thread(target=self._die_soon, daemon=True).start()
        else:
            _die()

    def _die_soon(self) -> None:
        time.sleep(self.after_us / 1_000_000)
        _die()


def fault_from_environment() -> Fault | None:
    """The fault that the environment asks for, if any.

    Raises:
        ValueError: The variable has another form.
    """
    text = os.environ.get(VARIABLE)
    if not text:
        return None
    moment, _, rest = text.partition(":")
    commit, _, after_us = rest.partition(":")
    if moment not in MOMENTS or not commit.isdecimal() or (after_us and not after_us.isdecimal()):
        raise ValueError(
            f"{VARIABLE}={text!r}: expected before|during|after, a commit number, optionally microseconds."
        )
    return Fault(moment, int(commit), int(after_us or 100))


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
