"""Previews: a few fields of a large value, to be shown where the value itself is stored elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from durable_execution_sdk._model.checks import check_whole, refusal
from durable_execution_sdk._model.homes import public


@public("preview")
class PreviewMode(StrEnum):
    """Whether a field shows that no list names."""

    INCLUDE_ALL = "INCLUDE_ALL"
    EXCLUDE_ALL = "EXCLUDE_ALL"


@public("preview")
class FieldMatchMode(StrEnum):
    """How a `PreviewField` is looked for."""

    ANYWHERE = "ANYWHERE"
    """A name, at any depth; what lies below it is meant too."""

    PATH = "PATH"
    """The whole path from the root, its parts joined by dots."""


@public("preview")
@dataclass(frozen=True)
class PreviewField:
    """Selects fields by name or path. Keys that contain a dot cannot be selected, and never show."""

    name: str
    match: FieldMatchMode = FieldMatchMode.ANYWHERE

    def matches(self, path: str) -> bool:
        """Whether the field at this path is meant."""
        if self.match is FieldMatchMode.PATH:
            return path == self.name
        return self.name in path.split(".")


@public("preview")
@dataclass(frozen=True)
class PreviewConfig:
    """What `build_preview` shows.

    Args:
        mode: Whether fields show that no list names.
        include: Fields that show.
        exclude: Fields that do not, whatever the other lists say.
        mask: Fields that show as `mask_string`.
        mask_string: Stands for the value of a masked field.
        max_preview_bytes: Fields are taken in order until the next one would exceed this, as JSON.

    Raises:
        ValidationError: A value is of the wrong kind or out of range.
    """

    mode: PreviewMode
    include: list[PreviewField] = field(default_factory=list)
    exclude: list[PreviewField] = field(default_factory=list)
    mask: list[PreviewField] = field(default_factory=list)
    mask_string: str = "***"
    max_preview_bytes: int = 4096

    def __post_init__(self) -> None:
        if not isinstance(self.mode, PreviewMode):
            raise refusal("mode", self.mode, "a PreviewMode")
        for argument, fields in (("include", self.include), ("exclude", self.exclude), ("mask", self.mask)):
            if not all(isinstance(entry, PreviewField) for entry in fields):
                raise refusal(argument, fields, "a list of PreviewField")
        check_whole("max_preview_bytes", self.max_preview_bytes, 0, "a whole number, 0 or more")


@public("preview")
def build_preview(value: Any, config: PreviewConfig) -> dict[str, Any] | None:
    """Cut a dict down to the fields that show.

    The elements of a list are laid over one another at the list's path, so a later element's value replaces an
    earlier one's.

    Returns:
        The nested dict, or None if the value is no dict or nothing shows.

    Example:
        >>> from durable_execution_sdk.preview import PreviewConfig, PreviewField, PreviewMode, build_preview
        >>> build_preview(
        ...     {"order": {"id": 7, "card": "4242"}},
        ...     PreviewConfig(PreviewMode.INCLUDE_ALL, mask=[PreviewField("card")]),
        ... )
        {'order': {'id': 7, 'card': '***'}}
    """
    if not isinstance(value, dict):
        return None
    preview: dict[str, Any] = {}
    size = len("{}")
    for path, shown in _visible(value, "", config):
        size += len(f'"{path}":{json.dumps(shown)},'.encode("utf-8", "surrogatepass"))
        if size > config.max_preview_bytes:
            break
        *parents, leaf = path.split(".")
        node = preview
        for part in parents:
            inner = node.get(part)
            if not isinstance(inner, dict):
                inner = node[part] = {}
            node = inner
        node[leaf] = shown
    return preview or None


def _visible(value: Any, prefix: str, config: PreviewConfig) -> Iterator[tuple[str, Any]]:
    """Paths and values of the leaves that show, in order."""
    if isinstance(value, list):
        for element in value:
            yield from _visible(element, prefix, config)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if "." in str(key):
                continue
            path = f"{prefix}.{key}" if prefix else str(key)
            if _any_matches(config.exclude, path):
                continue
            if _any_matches(config.mask, path):
                yield path, config.mask_string
            elif isinstance(inner, dict | list):
                yield from _visible(inner, path, config)
            elif config.mode is PreviewMode.INCLUDE_ALL or _any_matches(config.include, path):
                yield path, inner


def _any_matches(fields: list[PreviewField], path: str) -> bool:
    return any(entry.matches(path) for entry in fields)
