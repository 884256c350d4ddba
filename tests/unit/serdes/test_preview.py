"""Previews: which fields show, in which shape, and how many."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from durable_execution_sdk.exceptions import ValidationError
from durable_execution_sdk.preview import FieldMatchMode, PreviewConfig, PreviewField, PreviewMode, build_preview

ALL, NONE = PreviewMode.INCLUDE_ALL, PreviewMode.EXCLUDE_ALL
ORDER = {"id": 7, "card": {"number": "4242", "name": "Ada"}, "lines": [{"sku": "a", "n": 1}, {"sku": "b"}], "x.y": 1}


def anywhere(*names: str) -> list[PreviewField]:
    return [PreviewField(name) for name in names]


def at(*paths: str) -> list[PreviewField]:
    return [PreviewField(path, FieldMatchMode.PATH) for path in paths]


@pytest.mark.parametrize(
    ("config", "shown"),
    [
        (
            PreviewConfig(ALL),
            {"id": 7, "card": {"number": "4242", "name": "Ada"}, "lines": {"sku": "b", "n": 1}},
        ),
        (PreviewConfig(NONE), None),
        (PreviewConfig(NONE, include=anywhere("id", "sku")), {"id": 7, "lines": {"sku": "b"}}),
        (PreviewConfig(NONE, include=anywhere("card")), {"card": {"number": "4242", "name": "Ada"}}),
        (PreviewConfig(NONE, include=at("card.name")), {"card": {"name": "Ada"}}),
        (PreviewConfig(NONE, include=at("card")), None),
        (PreviewConfig(ALL, exclude=anywhere("card", "lines")), {"id": 7}),
        (PreviewConfig(NONE, include=anywhere("id"), mask=anywhere("number")), {"id": 7, "card": {"number": "***"}}),
        (PreviewConfig(NONE, mask=anywhere("card"), mask_string="-"), {"card": "-"}),
        (PreviewConfig(NONE, mask=anywhere("number"), exclude=anywhere("card")), None),
        (PreviewConfig(ALL, exclude=at("id"), include=at("id"), max_preview_bytes=2), None),
    ],
)
def test_what_shows(config: PreviewConfig, shown: dict[str, Any] | None) -> None:
    assert build_preview(ORDER, config) == shown


@pytest.mark.parametrize("value", [None, [], [{"a": 1}], "text", 5])
def test_only_dicts_have_previews(value: Any) -> None:
    assert build_preview(value, PreviewConfig(ALL)) is None


def test_the_first_field_that_does_not_fit_ends_it() -> None:
    value = {"a": 1, "long": "x" * 50, "b": 2}
    size = len("{}") + len('"a":1,')
    assert build_preview(value, PreviewConfig(ALL, max_preview_bytes=size)) == {"a": 1}
    assert build_preview(value, PreviewConfig(ALL, max_preview_bytes=size - 1)) is None
    assert build_preview(value, PreviewConfig(ALL, max_preview_bytes=1000)) == value


scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
nested = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab.", max_size=3), inner, max_size=3),
    max_leaves=12,
)


def leaves(preview: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in preview.items():
        path = f"{prefix}.{key}" if prefix else key
        if isinstance(value, dict):
            yield from leaves(value, path)
        else:
            yield path, value


# Generating values is slow on a busy machine, which says nothing about them.
patient = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)


@patient
@given(st.dictionaries(st.text("ab.", max_size=3), nested, max_size=4), st.integers(0, 60))
def test_a_preview_stays_within_its_bytes(value: dict[str, Any], most: int) -> None:
    preview = build_preview(value, PreviewConfig(ALL, max_preview_bytes=most))
    if preview is not None:
        assert len("{}") + sum(len(f'"{path}":{json.dumps(leaf)},') for path, leaf in leaves(preview)) <= most


@patient
@given(nested)
def test_what_is_excluded_never_shows(value: Any) -> None:
    config = PreviewConfig(ALL, mask=[PreviewField("a")], exclude=[PreviewField("b")])
    preview = build_preview({"top": value}, config)
    assert '"b"' not in json.dumps(preview).replace('": "b"', "")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"mode": "INCLUDE_ALL"}, "mode must be a PreviewMode"),
        ({"mode": ALL, "mask": ["card"]}, "mask must be a list of PreviewField"),
        ({"mode": ALL, "max_preview_bytes": -1}, "max_preview_bytes must be a whole number"),
    ],
)
def test_bad_options(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        PreviewConfig(**arguments)
