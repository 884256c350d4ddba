"""How many threads a handler may have."""

from __future__ import annotations

import threading

import pytest

from durable_execution_sdk._edges.entry import THREADS_VARIABLE, DurableExecutionConfig, durable_execution
from durable_execution_sdk._model.errors import ValidationError
from tests.support.fake_service import FakeService


def peak(**options):
    """The most branches that a map of items which meet pairwise ran at once."""
    lock = threading.Lock()
    now = [0, 0]

    def item(branch, value, index, items):
        with lock:
            now[0] += 1
            now[1] = max(now)
        branch.step(lambda step: value)
        with lock:
            now[0] -= 1

    @durable_execution(transport=FakeService(), **options)
    def handler(event, ctx):
        return ctx.map(range(40), item).success_count

    output = FakeService().run(handler.__durable__)
    assert output["Result"] == "40"
    return now[1]


@pytest.mark.parametrize(("threads", "most"), [(1, 1), (2, 1), (4, 2), (64, 62)])
def test_the_keyword_bounds_the_branches(threads, most):
    assert peak(max_threads=threads) <= most
    assert peak(config=DurableExecutionConfig(max_threads=threads)) <= most


def test_the_environment_bounds_them_too(monkeypatch):
    monkeypatch.setenv(THREADS_VARIABLE, " 3 ")
    assert peak() == 1
    monkeypatch.setenv(THREADS_VARIABLE, "")
    assert peak() <= 62


def test_the_keyword_beats_the_environment(monkeypatch):
    monkeypatch.setenv(THREADS_VARIABLE, "none of your business")
    assert peak(max_threads=2) == 1


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "8"])
def test_other_numbers_are_refused(value):
    with pytest.raises(ValidationError, match="max_threads must be a whole number, at least 1"):
        durable_execution(max_threads=value)
    with pytest.raises(ValidationError, match="max_threads must be a whole number, at least 1"):
        DurableExecutionConfig(max_threads=value)


@pytest.mark.parametrize("value", ["0", "many", "-3", "1.5"])
def test_other_environments_are_refused(value, monkeypatch):
    monkeypatch.setenv(THREADS_VARIABLE, value)
    with pytest.raises(ValidationError, match=f"variable {THREADS_VARIABLE} must be a whole number"):
        durable_execution()
