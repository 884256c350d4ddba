"""Payloads that a recorded history does not hold: masked, truncated or left out. Only checks of histories make them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

from durable_execution_sdk._model.signals import SuspendExecution


@final
class AbsentText(str):
    """Stands for a payload that is not there. No serdes is asked to read it: `stand_in` gives what user code gets.

    Its characters are no JSON, so that no lane reads them either.
    """

    __slots__ = ("stand_in",)

    stand_in: Callable[[], Any]

    def __new__(cls, stand_in: Callable[[], Any]) -> AbsentText:
        text = super().__new__(cls, "\0")
        text.stand_in = stand_in
        return text


class AbsentRead(SuspendExecution):
    """Code looked at a value that is not there, and ends at that line.

    Attributes:
        text: The payload.
        forgive: To be called where looking was no use of the value: it is about to be written back as it is.
    """

    def __init__(self, message: str, text: AbsentText, forgive: Callable[[], None]) -> None:
        super().__init__(message)
        self.text = text
        self.forgive = forgive

    def written_back(self) -> AbsentText:
        """The text of a value that holds the absent one: absent as well."""
        self.forgive()
        return self.text
