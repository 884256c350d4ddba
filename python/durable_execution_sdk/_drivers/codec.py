"""How the values of one operation are written and read."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any

from durable_execution_sdk import _core
from durable_execution_sdk._drivers.bodies import settle
from durable_execution_sdk._drivers.state import ExecutionState
from durable_execution_sdk._model.errors import RetryableSerDesError, SerDesError
from durable_execution_sdk._model.serdes import SerDesContext
from durable_execution_sdk._model.updates import OperationIdentifier
from durable_execution_sdk._operations.identity import describe
from durable_execution_sdk._operations.outcomes import PAYLOAD_WARN_BYTES, require_sendable, size_bytes

_logger = logging.getLogger("durable_execution_sdk")


@dataclass(frozen=True, slots=True)
class Codec:
    """How the values of one operation are written and read."""

    serdes: Any
    state: ExecutionState
    identity: OperationIdentifier

    def encode(self, value: Any) -> str | None:
        """Write a value, or raise a serdes error."""
        try:
            text: str | None = settle(self.serdes.serialize(value, self._context()))
        except (SerDesError, RetryableSerDesError):
            raise
        except Exception as error:
            raise SerDesError(f"The value of {describe(self.identity)} cannot be written: {error}") from error
        return text

    def encode_to_send(self, value: Any) -> str | None:
        """Write a value that goes to the service as it is, or raise a serdes error."""
        text = self.encode(value)
        self.require_sendable(text)
        return text

    def require_sendable(self, text: str | None) -> None:
        """Refuse what is too long for the service, warn of what may be."""
        require_sendable(self.identity, text)
        if text is not None and len(text) > PAYLOAD_WARN_BYTES:
            _logger.warning(
                "The payload of %s has %d bytes; the service may refuse more than %d.",
                describe(self.identity),
                size_bytes(text),
                PAYLOAD_WARN_BYTES,
            )

    def decode(self, text: str | None) -> Any:
        """Read a value, or raise a serdes error; no text is the value None."""
        if text is None:
            return None
        try:
            return settle(self.serdes.deserialize(text, self._context()))
        except (SerDesError, RetryableSerDesError):
            raise
        except Exception as error:
            raise SerDesError(f"The value of {describe(self.identity)} cannot be read: {error}") from error

    def _context(self) -> SerDesContext:
        return SerDesContext(self.identity.operation_id, self.state.durable_execution_arn)


class _Extended:
    def serialize(self, value: Any, serdes_context: SerDesContext) -> str:
        return _core.encode(value)

    def deserialize(self, data: str, serdes_context: SerDesContext) -> Any:
        return _core.decode(data)


class _PlainJson:
    def serialize(self, value: Any, serdes_context: SerDesContext) -> str:
        return json.dumps(value)

    def deserialize(self, data: str, serdes_context: SerDesContext) -> Any:
        return json.loads(data)


class _AsItIs:
    def deserialize(self, data: str, serdes_context: SerDesContext) -> str:
        return data


EXTENDED = _Extended()
PLAIN_JSON = _PlainJson()
AS_IT_IS = _AsItIs()
