"""Serializers: how values become the text that history keeps."""

from durable_execution_sdk._model.config import SerDesConfig
from durable_execution_sdk._model.serdes import AnySerDes, SerDes, SerDesContext, SerDesDeserializer
from durable_execution_sdk._serdes.text import (
    DEFAULT_JSON_SERDES,
    EXTENDED_TYPES_SERDES,
    PASS_THROUGH_SERDES,
    ExtendedTypeSerDes,
    JsonSerDes,
    PassThroughSerDes,
    default_serdes,
    deserialize,
    json_serdes,
    serialize,
)
from durable_execution_sdk._serdes.typed import (
    create_class_serdes,
    create_class_serdes_with_dates,
    create_return_serdes,
    create_type_serdes,
)

Serdes = SerDes
SerdesContext = SerDesContext

__all__ = [
    "DEFAULT_JSON_SERDES",
    "EXTENDED_TYPES_SERDES",
    "PASS_THROUGH_SERDES",
    "AnySerDes",
    "ExtendedTypeSerDes",
    "JsonSerDes",
    "PassThroughSerDes",
    "SerDes",
    "SerDesConfig",
    "SerDesContext",
    "SerDesDeserializer",
    "Serdes",
    "SerdesContext",
    "create_class_serdes",
    "create_class_serdes_with_dates",
    "create_return_serdes",
    "create_type_serdes",
    "default_serdes",
    "deserialize",
    "json_serdes",
    "serialize",
]
