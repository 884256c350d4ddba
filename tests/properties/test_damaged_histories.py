"""Whatever happens to a history file, a check of it ends with a report: nothing that it holds makes the check raise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from durable_execution_sdk.replay import History, check, read
from durable_execution_sdk.replay.histories import parse
from tests.house.sources import ROOT
from tests.properties.test_absence import handler_of

FOLDER = ROOT / "tests" / "histories" / "official-3.0.0"
WHOLE = [(handler_of(history), history) for history in read(FOLDER) if isinstance(history, History)]
VALUES = st.sampled_from(
    ("null", "-1", "1.5", "true", "[]", "{}", "[1]", '{"a": 1}', '""', '"x"', '"STEP"', '"CONTEXT"')
)
VERDICTS = {"clean", "frontier", "diverged", "ambiguous", "not checkable", "unreadable"}


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Everything in a JSON value: what holds it, and its key or index there."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in [*members]:
        yield value, key
        yield from places(member)


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(range(len(WHOLE))), st.lists(st.tuples(st.integers(0, 10**6), VALUES, st.booleans()), max_size=3)
)
def test_values_of_other_kinds(number: int, damages: list[tuple[int, str, bool]]) -> None:
    handler, history = WHOLE[number]
    found = {"arn": history.arn, "operations": json.loads(json.dumps(history.operations))}
    for place, value, is_gone in damages:
        everything = [*places(found)] or [(found, "operations")]
        holder, key = everything[place % len(everything)]
        if is_gone:
            holder.pop(key, None) if isinstance(holder, dict) else holder.pop(key)
        else:
            holder[key] = json.loads(value)
    assert check(handler, parse("damaged", json.dumps(found).encode())).verdict in VERDICTS


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(sorted(FOLDER.glob("*.json"))[:20]), st.integers(0, 10**6), st.binary(max_size=3), st.booleans())
def test_bytes_that_are_cut_or_changed(file: Any, place: int, instead: bytes, is_cut: bool) -> None:
    handler, _ = WHOLE[0]
    text = file.read_bytes()
    place %= len(text)
    text = text[:place] if is_cut else text[:place] + instead + text[place + len(instead) :]
    assert check(handler, parse("damaged", text)).verdict in VERDICTS
