"""Random programs for the scenario `program`: hypothesis makes them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.compat.scenarios.programs import VALUES

Operation = list[Any]


def operation(kind: str, /, **options: st.SearchStrategy[Any]) -> st.SearchStrategy[Operation]:
    """Operations of one kind."""
    return st.fixed_dictionaries(options).map(lambda drawn: [kind, drawn])


def some(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


NAMES = some(None, "a", "b")
ANSWERS = some("yes", "no", "late")
LEAVES = st.one_of(
    operation(
        "step",
        name=NAMES,
        value=st.integers(0, len(VALUES) - 1),
        failures=some(0, 0, 0, 1, 2, 9),
        attempts=some(3, 1, 2),
        semantics=some("AT_LEAST_ONCE_PER_RETRY", "AT_MOST_ONCE_PER_RETRY"),
    ),
    operation("wait", seconds=st.integers(1, 90), name=NAMES),
    operation("condition", name=NAMES, checks=st.integers(1, 3), breaks=some(None, None, 0, 1)),
    operation("wait for callback", answer=ANSWERS, breaks=some(False, False, True)),
    operation("invoke", function=some("double", "fails", "quick"), name=NAMES),
)
OPERATIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        operation(
            "child",
            name=NAMES,
            virtual=st.booleans(),
            large=some(False, False, False, True),
            fails=some(False, False, True),
            body=st.lists(inner, max_size=3),
        ),
        operation("callback", answer=ANSWERS, between=st.lists(inner, max_size=2)),
        operation(
            "retried", name=NAMES, runs=st.integers(1, 3), wrapped=st.booleans(), body=st.lists(inner, max_size=2)
        ),
        operation(
            "batch",
            kind=some("map", "parallel"),
            name=NAMES,
            branches=st.lists(st.lists(inner, max_size=2), max_size=4),
            failing=st.lists(st.integers(0, 3), max_size=2),
            at_once=some(1, 2, None),
            rule=some("all", "fail fast", "first", "one failure"),
            nesting=some("NESTED", "FLAT"),
            large=some(False, False, False, True),
        ),
    ),
    max_leaves=6,
)
PROGRAMS = st.lists(OPERATIONS, min_size=1, max_size=4)
