"""What makes one tree of operations of another."""

from __future__ import annotations

import pytest

from durable_execution_sdk.replay.aligning import WINDOW, changes, explaining
from durable_execution_sdk.replay.comparing import Shape
from durable_execution_sdk.replay.explaining import differences
from durable_execution_sdk.replay.trees import HANDLER, Node


def tree(text: str) -> Node:
    """A handler from words: `a` is a step, `w:WAIT` a wait, `c( x y )` a context."""
    root = Node(Shape(HANDLER, "", ""), None)
    inside = root
    for word in text.split():
        if word == ")":
            assert inside.parent is not None
            inside = inside.parent
            continue
        name, _, kind = word.rstrip("(").partition(":")
        kind = "CONTEXT" if word.endswith("(") else kind or "STEP"
        position = len(inside.children) + 1
        node = Node(Shape(kind, "", name), f"{inside.operation_id}/{position}", position, inside)
        inside.children.append(node)
        if word.endswith("("):
            inside = node
    return root


def cause(before: str, now: str) -> str | None:
    """The cause of the first difference."""
    recorded, attempted = tree(before), tree(now)
    first = next(differences(recorded, attempted), None)
    if first is None:
        return None
    found = explaining(changes(recorded, attempted), *first)
    return None if found is None else found.cause.value


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ("a b c", "a b c", None),
        ("a b c", "a x c", "renamed"),
        ("a b c", "a b:WAIT c", "type changed"),
        ("a b c", "a x:WAIT c", "type changed"),
        ("a b c", "a x b c", "inserted"),
        ("a b c", "a c", "removed"),
        ("a b c", "a b", "removed"),
        ("a b c d", "a c b d", "reordered"),
        ("a b c d", "c b a d", "reordered"),
        ("a b c d e", "b c d a e", "reordered"),
        ("a b c", "a w( b ) c", "moved"),
        ("a w( b c ) d", "a b c d", "moved"),
        ("a b w( c ) d", "a w( b c ) d", "moved"),
        ("a w( b c ) d", "a w( b ) c d", "moved"),
        ("l l l end", "l l end", "removed"),
        ("l l l end", "l l l l end", "inserted"),
        ("p( x( a ) y( b ) ) end", "p( y( b ) x( a ) ) end", "reordered"),
    ],
)
def test_the_cause_of_a_difference(before: str, now: str, expected: str | None) -> None:
    assert cause(before, now) == expected


def test_only_a_window_of_what_differs_is_compared() -> None:
    many = 50 * WINDOW
    before = tree(" ".join(["first", *(f"s{n}" for n in range(many))]))
    now = tree(" ".join(["other", *(f"t{n}" for n in range(many))]))
    assert len(changes(before, now)) <= 2 * WINDOW
    assert cause("a " * many + "z", "b " + "a " * (many - 1) + "z") == "renamed"
