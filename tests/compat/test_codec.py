"""The default serdes format, compared with the official SDK 3.0.0 value by value and text by text."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import durable_execution_sdk.serdes  # noqa: F401 # registers the class of batch results
from durable_execution_sdk import _core
from durable_execution_sdk.concurrency.models import BatchResult
from tests.compat import codec_worker
from tests.compat.codec_worker import packed, revived, shape
from tests.compat.conftest import official_python
from tests.support.values import ENVELOPES, VALUES, damaged, spelled
from tests.unit.test_codec import FLOATS, STRINGS, SUBCLASSES, UNSUPPORTED, WRITTEN
from tests.unit.test_codec_reading import REFUSED, TOLERATED

# A worker answers all examples of a test, one line at a time.
DIFFERENTIAL = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Official:
    """The official codec behind a pipe."""

    def __init__(self, python: str) -> None:
        self._process = subprocess.Popen(
            [python, str(Path(codec_worker.__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.version: list[int] = self._answer()

    def encode(self, value: Any) -> str | None:
        answer: str | None = self._ask(encode=packed(value))
        return answer

    def decode(self, text: str) -> Any:
        return self._ask(decode=text)

    def close(self) -> None:
        self._process.communicate(timeout=20)

    def _ask(self, **question: str) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


@pytest.fixture(scope="module")
def codec() -> Iterator[Official]:
    official = Official(official_python("3.0.0", "DURABLE_OFFICIAL_PYTHON"))
    yield official
    official.close()


def written(value: Any) -> str | None:
    try:
        return _core.encode(revived(value, BatchResult))
    except _core.CodecError:
        return None


def read(text: str) -> Any:
    try:
        return shape(_core.decode(text))
    except _core.CodecError:
        return None


def test_the_tables_are_the_official_ones(codec: Official) -> None:
    """What the unit tests hold to be official is official."""
    for value, text in [*WRITTEN, *FLOATS, *STRINGS.items()]:
        assert codec.encode(value) == text
        assert codec.decode(text) == shape(value) or "\ud83d\ude00" in str(value)
    for text, value in TOLERATED:
        assert codec.decode(text) == shape(value), text
    for text in REFUSED:
        assert codec.decode(text) is None, text


def test_subclasses_and_refusals(codec: Official) -> None:
    """Classes of the tests do not travel, so the official codec sees those of the standard library only."""
    home = test_subclasses_and_refusals.__module__.rpartition(".")[0].partition(".")[0]
    for value, text in SUBCLASSES:
        if not (type(value).__module__.startswith(home) or isinstance(value, memoryview)) and not any(
            type(member).__module__.startswith(home) for member in (value if isinstance(value, list | dict) else [])
        ):
            assert codec.encode(value) == text
    for value, what in UNSUPPORTED:
        if not type(value).__module__.startswith(home) and what != "too long":
            assert codec.encode(value) is None


@DIFFERENTIAL
@given(value=VALUES)
def test_values_are_written_alike(codec: Official, value: Any) -> None:
    assert written(value) == codec.encode(value)


@DIFFERENTIAL
@given(value=VALUES)
def test_official_texts_are_read_alike(codec: Official, value: Any) -> None:
    text = codec.encode(value)
    assume(text is not None)
    assert text is not None
    assert read(text) == codec.decode(text)


@DIFFERENTIAL
@given(text=spelled(ENVELOPES))
def test_envelopes_of_any_kind_are_read_alike(codec: Official, text: str) -> None:
    assert read(text) == codec.decode(text)


@DIFFERENTIAL
@given(text=damaged(spelled(ENVELOPES) | VALUES.map(_core.encode)))
def test_damaged_texts_are_read_alike(codec: Official, text: str) -> None:
    # What counts as a date differs from one Python to the next, in corners.
    assume([*sys.version_info[:2]] == codec.version or not ('"dt"' in text or '"D"' in text))
    assert read(text) == codec.decode(text)


STATUSES = st.sampled_from(["SUCCEEDED", "FAILED", "STARTED"])
ERRORS = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "ErrorMessage": st.text(),
        "ErrorType": st.text(),
        "ErrorData": st.text(),
        "StackTrace": st.lists(st.text(), max_size=2),
    },
)
ITEMS = st.fixed_dictionaries({"index": st.integers(0, 9), "status": STATUSES, "result": VALUES, "error": ERRORS})
REASONS = st.sampled_from(["ALL_COMPLETED", "MIN_SUCCESSFUL_REACHED", "FAILURE_TOLERANCE_EXCEEDED"])
BATCHES = st.fixed_dictionaries({"all": st.lists(ITEMS, max_size=3), "completionReason": REASONS})


@DIFFERENTIAL
@given(batch=BATCHES, inside=st.booleans())
def test_batch_results_are_written_and_read_alike(codec: Official, batch: Any, inside: bool) -> None:
    marked = {"__batch__": batch}
    value = {"k": (marked, 1)} if inside else marked
    text = codec.encode(value)
    assert written(value) == text
    assert text is not None
    assert read(text) == codec.decode(text)


@DIFFERENTIAL
@given(data=st.data(), batch=BATCHES)
def test_damaged_batch_results_are_read_alike(codec: Official, data: st.DataObject, batch: Any) -> None:
    whole = written({"__batch__": batch})
    assert whole is not None
    unwrapped = json.dumps({"t": "br", "v": json.loads(json.dumps(batch, default=str))})
    text = data.draw(damaged(st.sampled_from([whole, unwrapped])) | st.just(unwrapped))
    assume([*sys.version_info[:2]] == codec.version or not ('"dt"' in text or '"D"' in text))
    assert read(text) == codec.decode(text)
