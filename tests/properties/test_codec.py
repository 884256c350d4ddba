"""The default serdes format: what holds for every value and every text."""

import json
import math
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from durable_execution_sdk import _core
from tests.support.values import ANY_TEXT, JSON, PLAIN, VALUES, damaged, spelled


def shown_key(key: Any) -> str:
    return key if isinstance(key, str) else json.loads(f'"{json.dumps(key)}"')


def joined(text: str) -> str:
    """Surrogates that meet come back as one character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def as_stored(value: Any) -> Any:
    """What reading gives back: everything, except that keys become strings."""
    if isinstance(value, dict):
        return {joined(shown_key(key)): as_stored(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(as_stored(member) for member in value)
    return joined(value) if isinstance(value, str) else value


def shape(value: Any) -> Any:
    """A value in a form in which equal means the same: types, signs, not-a-numbers and zones included."""
    if isinstance(value, dict):
        return ("dict", [(shape(key), shape(member)) for key, member in value.items()])
    if isinstance(value, list | tuple):
        return (type(value).__name__, [shape(member) for member in value])
    if isinstance(value, datetime):
        return ("datetime", value.replace(tzinfo=None, fold=0), value.utcoffset())
    return (type(value).__name__, repr(value))


@given(VALUES)
def test_what_is_written_is_read_again(value: Any) -> None:
    text = _core.encode(value)
    assert text.isascii()
    assert shape(_core.decode(text)) == shape(as_stored(value))


@given(VALUES)
def test_writing_what_was_read_changes_nothing(value: Any) -> None:
    once = _core.encode(_core.decode(_core.encode(value)))
    assert _core.encode(_core.decode(once)) == once


@given(VALUES)
def test_both_readers_agree(value: Any) -> None:
    """Blanks and a different order of members keep the fast reader out; what comes back is the same."""
    text = _core.encode(value)
    loose = json.dumps(json.loads(text), indent=1, sort_keys=False)
    backwards = json.dumps(swapped(json.loads(text)))
    want = shape(_core.decode(text))
    # `json` keeps one of two equal keys, as reading does.
    assert shape(_core.decode(loose)) == want
    assert shape(_core.decode(backwards)) == want


def swapped(raw: Any) -> Any:
    """`v` before `t` in every envelope."""
    if not (isinstance(raw, dict) and raw.keys() == {"t", "v"}):
        return raw
    payload = raw["v"]
    if raw["t"] in ("l", "t"):
        payload = [swapped(member) for member in payload]
    elif raw["t"] == "m":
        payload = {key: swapped(member) for key, member in payload.items()}
    return {"v": payload, "t": raw["t"]}


@given(PLAIN)
def test_plain_values_are_plain_json(value: Any) -> None:
    text = json.dumps(value, separators=(",", ":"))
    assert _core.encode(value) == text
    assert shape(_core.decode(text)) == shape(json.loads(text))


@given(spelled(JSON))
def test_an_envelope_of_nothing_holds_any_json(text: str) -> None:
    assert _core.decode(f'{{"t":"n","v":{text}}}') is None
    assert shape(_core.decode(f'{{"t":"l","v":[[{text}]]}}')) == shape([[json.loads(text)]])


@given(damaged(spelled() | VALUES.map(_core.encode)))
def test_any_text_is_read_or_refused(text: str) -> None:
    refused = None
    try:
        value = _core.decode(text)
    except _core.CodecError as error:
        refused = error
    if refused is None:
        json.loads(text)
        _core.encode(value)
    else:
        assert refused.offset is None or 0 <= refused.offset <= len(text.encode("utf-8", "surrogatepass"))


@given(ANY_TEXT, st.floats(allow_nan=False), st.decimals(allow_nan=False), st.dates(), st.datetimes())
def test_scalars_keep_value_and_type(text: str, number: float, exact: Decimal, day: date, moment: datetime) -> None:
    again = _core.decode(_core.encode((text, number, exact, day, moment)))
    assert again == (joined(text), number, exact, day, moment)
    assert math.copysign(1, again[1]) == math.copysign(1, number)
    assert again[2].as_tuple() == exact.as_tuple()
    assert [type(member) for member in again] == [str, float, Decimal, date, datetime]
