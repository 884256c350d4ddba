"""The serializers for everyday use, and the one place that turns their failures into `SerDesError`."""

from __future__ import annotations

import json
from typing import Any, Final, Literal, TypeVar

from durable_execution_sdk import _core
from durable_execution_sdk._model.batch import BatchResult
from durable_execution_sdk._model.errors import RetryableSerDesError, SerDesError
from durable_execution_sdk._model.homes import public
from durable_execution_sdk._model.serdes import SerDes, SerDesContext

T = TypeVar("T")

PAYLOAD_LIMIT_BYTES: Final = 6_291_456
"""Longest payload that the Lambda API takes; above it nothing is sent."""

PAYLOAD_WARNING_BYTES: Final = 1_048_576
"""Above it the documentation of the service promises nothing; worth a warning."""

_core.register_batch_result(BatchResult, BatchResult.to_dict, BatchResult.from_dict)


@public("serdes")
class ExtendedTypeSerDes(SerDes[Any]):
    """Keeps Python's types: what operations use when given no serializer.

    None, text, numbers, booleans and lists of them are written as plain JSON; everything else in an envelope that says
    what it was: bytes, `UUID`, `Decimal`, `datetime`, `date`, tuples, lists, dicts and `BatchResult`, in one another as
    you like. Dict keys become text, as in JSON. For other classes see `create_class_serdes`.

    Example:
        >>> from datetime import date
        >>> from durable_execution_sdk.serdes import EXTENDED_TYPES_SERDES
        >>> EXTENDED_TYPES_SERDES.deserialize(EXTENDED_TYPES_SERDES.serialize((date(2026, 1, 2), b"x")))
        (datetime.date(2026, 1, 2), b'x')
    """

    def serialize(self, value: Any, context: SerDesContext | None = None) -> str:
        """Text for a value.

        Raises:
            SerDesError: The value holds something that has no form here.
        """
        try:
            return _core.encode(value)
        except _core.CodecError as error:
            raise SerDesError(str(error)) from error

    def deserialize(self, data: str, context: SerDesContext | None = None) -> Any:
        """The value of a text.

        Raises:
            SerDesError: The text is not what `serialize` writes.
        """
        try:
            return _core.decode(data)
        except _core.CodecError as error:
            raise SerDesError(str(error)) from error


@public("serdes")
class JsonSerDes(SerDes[Any]):
    """Plain JSON, with the separators of `json.dumps`: readable by functions in any language."""

    def serialize(self, value: Any, serdes_context: SerDesContext) -> str:
        """Text for a value; what `json` refuses raises its `TypeError`."""
        return json.dumps(value)

    def deserialize(self, data: str, serdes_context: SerDesContext) -> Any:
        """The value of a text; what `json` refuses raises its `JSONDecodeError`."""
        return json.loads(data)


@public("serdes")
class PassThroughSerDes(SerDes[Any]):
    """Leaves texts as they are: what callbacks use when given no serializer."""

    def serialize(self, value: Any, serdes_context: SerDesContext) -> str:
        """The value itself, which must be text or None."""
        text: str = value
        return text

    def deserialize(self, data: str, serdes_context: SerDesContext) -> Any:
        """The text itself."""
        return data


EXTENDED_TYPES_SERDES: Final = ExtendedTypeSerDes()
DEFAULT_JSON_SERDES: Final = JsonSerDes()
PASS_THROUGH_SERDES: Final = PassThroughSerDes()

default_serdes: Final = EXTENDED_TYPES_SERDES
"""What operations use when given no serializer. (In the official JavaScript SDK this name means plain JSON.)"""

json_serdes: Final = DEFAULT_JSON_SERDES
"""Plain JSON, the default of the official JavaScript SDK."""


@public("serdes")
def serialize(serdes: SerDes[T] | None, value: T, operation_id: str, durable_execution_arn: str) -> str:
    """Write a value with the serializer, or the default one.

    Raises:
        SerDesError: It failed for good.
        RetryableSerDesError: It says that it may work next time.
    """
    try:
        text = (serdes or EXTENDED_TYPES_SERDES).serialize(value, SerDesContext(operation_id, durable_execution_arn))
    except Exception as error:
        raise serdes_failure("serialize", operation_id, error) from error
    return checked_text(text, operation_id)


@public("serdes")
def deserialize(serdes: SerDes[T] | None, data: str, operation_id: str, durable_execution_arn: str) -> T:
    """Read a text with the serializer, or the default one.

    Raises:
        SerDesError: It failed for good.
        RetryableSerDesError: It says that it may work next time.
    """
    context = SerDesContext(operation_id, durable_execution_arn)
    try:
        value: T = (serdes or EXTENDED_TYPES_SERDES).deserialize(data, context)
    except Exception as error:
        raise serdes_failure("deserialize", operation_id, error) from error
    return value


def serdes_failure(
    action: Literal["serialize", "deserialize"], operation_id: str, error: Exception
) -> SerDesError | RetryableSerDesError:
    """What to raise for a serializer's exception. Its own kinds pass as they are, everything else is permanent."""
    if isinstance(error, SerDesError | RetryableSerDesError):
        return error
    what = "result or payload" if action == "serialize" else "recorded text"
    return SerDesError(f"cannot {action} the {what} of operation {operation_id!r}: {type(error).__name__}: {error}")


def checked_text(text: object, operation_id: str) -> str:
    """What a serializer returned, if it is text. None passes too: the pass-through serializer returns it for None.

    Raises:
        SerDesError: It is something else.
    """
    if text is None or isinstance(text, str):
        return text  # type: ignore[return-value]  # a payload of None is sent as no payload at all
    raise SerDesError(
        f"the serializer of operation {operation_id!r} returned {type(text).__name__} where text is needed"
    )


def payload_bytes(text: str) -> int:
    """Size of a payload: its own UTF-8, before it is quoted into a request."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def check_payload(text: str | None, operation: str) -> int:
    """The size of a payload, which the service would take. The caller warns above `PAYLOAD_WARNING_BYTES`.

    Args:
        text: The payload.
        operation: Says which, in the error: name or id.

    Raises:
        SerDesError: It is longer than `PAYLOAD_LIMIT_BYTES`.
    """
    size = 0 if text is None else payload_bytes(text)
    if size > PAYLOAD_LIMIT_BYTES:
        raise SerDesError(
            f"the payload of {operation} is {size} bytes; the service takes at most {PAYLOAD_LIMIT_BYTES}. "
            "Return less, or use a FileSystemSerDes or one of your own that stores the value elsewhere"
        )
    return size
