"""What a serializer is. The ones that the SDK ships are in `_serdes/`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from durable_execution_sdk._model.homes import public
from durable_execution_sdk._model.values import Value

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@public("serdes")
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SerDesContext(Value):
    """For which operation of which execution a value is written or read."""

    operation_id: str = ""
    durable_execution_arn: str = ""


@public("serdes")
class SerDes(ABC, Generic[T]):
    """Turns values into the text that history keeps, and back.

    What `serialize` returns is recorded once and must stay readable as long as the execution lives. Both methods may
    also be `async def`.

    Raise `SerDesError` for a failure that stays, `RetryableSerDesError` for one that may pass; any other exception
    counts as one that stays.
    """

    @abstractmethod
    def serialize(self, value: T, serdes_context: SerDesContext) -> str:
        """Text for a value."""

    @abstractmethod
    def deserialize(self, data: str, serdes_context: SerDesContext) -> T:
        """The value of a text."""

    @staticmethod
    def is_primitive(obj: Any) -> bool:
        """Whether plain JSON gives this back unchanged: None, text, numbers, booleans, and lists of such."""
        if isinstance(obj, list):
            return all(SerDes.is_primitive(item) for item in obj)
        return obj is None or isinstance(obj, str | int | float)


@public("serdes")
class SerDesDeserializer(Protocol[T_co]):
    """The reading half of a serializer: all that a callback needs."""

    def deserialize(self, data: str, serdes_context: SerDesContext, /) -> T_co:
        """The value of a text."""


AnySerDes: TypeAlias = SerDes[Any]
