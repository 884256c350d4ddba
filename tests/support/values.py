"""Strategies for what the default serdes stores, and for texts near what it writes."""

from __future__ import annotations

import json
from datetime import UTC, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=12)
ZONES = st.one_of(
    st.none(),
    st.just(UTC),
    st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes))),
    # Not below a second: Python itself reads an offset of microseconds alone as UTC.
    st.integers(1_000_000, 86_399_999_999).map(lambda us: timezone(timedelta(microseconds=us))),
    st.integers(1_000_000, 86_399_999_999).map(lambda us: timezone(-timedelta(microseconds=us))),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    ANY_TEXT,
)
RICH = st.one_of(
    st.binary(max_size=20),
    st.uuids(),
    st.decimals(),
    st.datetimes(timezones=ZONES),
    st.dates(),
)
KEYS = st.one_of(
    ANY_TEXT, ANY_TEXT, st.sampled_from(["t", "v", "id"]), st.integers(), st.floats(), st.booleans(), st.none()
)
VALUES = st.recursive(
    SCALARS | RICH,
    lambda inner: st.one_of(
        st.lists(inner, max_size=6),
        st.lists(inner, max_size=6).map(tuple),
        st.dictionaries(KEYS, inner, max_size=6),
    ),
    max_leaves=25,
)
PLAIN = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=5), max_leaves=25)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(ANY_TEXT, inner, max_size=5)),
    max_leaves=25,
)

TAGS = st.sampled_from([*"nsifbBudDtlm", "dt", "br", "zz", "", "é"])
PAYLOADS = st.recursive(
    st.one_of(
        SCALARS,
        st.sampled_from(
            ["12", " 1.5 ", "-0", "NaN", "1e5", "AP8=", "AP8", "A-P*8=x", "{" + "0" * 32 + "}", "urn:uuid:" + "a" * 32]
        ),
        st.sampled_from(
            ["2024-01-02", "2024-01-02T03:04:05Z", "2024-01-02T03:04:05.5+01:00", "2024-02-30", "20240102"]
        ),
        st.uuids().map(str),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(ANY_TEXT, st.sampled_from(["t", "v"])), inner, max_size=4),
        st.fixed_dictionaries({"t": TAGS, "v": inner}),
        st.fixed_dictionaries({"v": inner, "t": TAGS}),
        st.fixed_dictionaries({"t": st.sampled_from("tl"), "v": st.lists(inner, max_size=4)}),
        st.fixed_dictionaries({"t": st.just("m"), "v": st.dictionaries(ANY_TEXT, inner, max_size=4)}),
    ),
    max_leaves=12,
)
ENVELOPES = st.one_of(PAYLOADS, st.fixed_dictionaries({"t": TAGS, "v": PAYLOADS}))


@st.composite
def spelled(draw: st.DrawFn, values: st.SearchStrategy[Any] = ENVELOPES) -> str:
    """JSON of a value, in one of the ways that JSON can be written."""
    indent, ascii_only = draw(st.sampled_from([None, None, 1])), draw(st.booleans())
    separators = draw(st.sampled_from([(",", ":"), (",", ":"), (", ", " : "), ("\t,", ":\r\n")]))
    return json.dumps(draw(values), ensure_ascii=ascii_only, indent=indent, separators=separators)


@st.composite
def damaged(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> str:
    """A text with a few characters removed, doubled, exchanged or put in."""
    text = draw(texts)
    for _ in range(draw(st.integers(1, 3))):
        at, size = draw(st.integers(0, len(text))), draw(st.integers(0, 8))
        piece = draw(
            st.one_of(st.just(text[at : at + size]), st.text('{}[]",:tvnsifbBudDlmr0123456789.eE+-\\ \n', max_size=3))
        )
        to = draw(st.integers(0, len(text)))
        text = text[:to] + piece + text[to + draw(st.integers(0, 3)) :]
    return text
