"""How the values of one operation are written and read."""

from __future__ import annotations

import logging
from typing import Any, Literal, NoReturn

from durable_execution_sdk import _core
from durable_execution_sdk._drivers.bodies import settle
from durable_execution_sdk._drivers.state import ExecutionState
from durable_execution_sdk._model.absent import AbsentRead, AbsentText
from durable_execution_sdk._model.errors import SerDesError
from durable_execution_sdk._model.serdes import SerDesContext
from durable_execution_sdk._model.updates import OperationIdentifier
from durable_execution_sdk._model.values import Value, value
from durable_execution_sdk._operations.identity import describe
from durable_execution_sdk._serdes.text import (
    EXTENDED_TYPES_SERDES,
    PAYLOAD_WARNING_BYTES,
    check_payload,
    checked_text,
    serdes_failure,
)

_logger = logging.getLogger("durable_execution_sdk")


@value
class Codec(Value):
    """A serdes, applied for one operation. Its methods may be `async def`."""

    serdes: Any
    state: ExecutionState
    identity: OperationIdentifier

    def encode(self, value: Any) -> str | None:
        """Write a value, or raise a serdes error."""
        try:
            if self.serdes is EXTENDED_TYPES_SERDES:
                return _core.encode(value)  # what it does itself, but for the error
            text = settle(self.serdes.serialize(value, self.context()))
        except AbsentRead as read:
            return read.written_back()
        except Exception as error:
            self._fail("serialize", error)
        return checked_text(text, self.identity.operation_id)

    def encode_to_send(self, value: Any) -> str | None:
        """Write a value that goes to the service as it is, or raise a serdes error."""
        text = self.encode(value)
        self.require_sendable(text)
        return text

    def require_sendable(self, text: str | None) -> None:
        """Refuse what is too long for the service, warn of what may be."""
        if text is None or len(text) * 4 <= PAYLOAD_WARNING_BYTES:
            return
        size = check_payload(text, describe(self.identity))
        if size > PAYLOAD_WARNING_BYTES:
            _logger.warning(
                "The payload of %s has %d bytes; the service may refuse more than %d.",
                describe(self.identity),
                size,
                PAYLOAD_WARNING_BYTES,
            )

    def decode(self, text: str | None) -> Any:
        """Read a value, or raise a serdes error; no text is the value None."""
        if text is None:
            return None
        if type(text) is AbsentText:
            return text.stand_in()
        try:
            if self.serdes is EXTENDED_TYPES_SERDES:
                return _core.decode(text)
            return settle(self.serdes.deserialize(text, self.context()))
        except Exception as error:
            self._fail("deserialize", error)

    def _fail(self, action: Literal["serialize", "deserialize"], error: Exception) -> NoReturn:
        if self.serdes is EXTENDED_TYPES_SERDES and isinstance(error, _core.CodecError):
            raise SerDesError(str(error)) from error
        failure = serdes_failure(action, self.identity.operation_id, error)
        if failure is error:
            raise failure
        raise failure from error

    def context(self) -> SerDesContext:
        return SerDesContext(self.identity.operation_id, self.state.durable_execution_arn)
