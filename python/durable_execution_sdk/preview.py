"""Previews: a few fields of a large value, to be shown where the value itself is stored elsewhere."""

from durable_execution_sdk._serdes.preview import (
    FieldMatchMode,
    PreviewConfig,
    PreviewField,
    PreviewMode,
    build_preview,
)

__all__ = ["FieldMatchMode", "PreviewConfig", "PreviewField", "PreviewMode", "build_preview"]
