"""A serializer that keeps values in files, and only their path in history."""

from durable_execution_sdk._serdes.filesystem import (
    FileSystemPathEncoding,
    FileSystemSerDes,
    FileSystemSerDesConfig,
    FileSystemSerDesMode,
    GeneratePreview,
    create_filesystem_serdes,
)

__all__ = [
    "FileSystemPathEncoding",
    "FileSystemSerDes",
    "FileSystemSerDesConfig",
    "FileSystemSerDesMode",
    "GeneratePreview",
    "create_filesystem_serdes",
]
