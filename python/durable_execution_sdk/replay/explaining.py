"""Why a handler diverged: the first difference of the two trees, and the change that explains it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from durable_execution_sdk.replay.aligning import Cause, Change, changes, explaining
from durable_execution_sdk.replay.comparing import BATCHES
from durable_execution_sdk.replay.histories import History
from durable_execution_sdk.replay.tracing import Trace, trace
from durable_execution_sdk.replay.trees import TASK, Node

HINTS: Final = {
    Cause.RENAMED: "It has another name now: keep the old one, for it is what history is compared with.",
    Cause.INSERTED: "It was added: executions in flight have gone past its place. Add it after what they have done, or "
    "finish them with the old code.",
    Cause.REMOVED: "It was taken out, and executions in flight have done it: leave it where it was.",
    Cause.REORDERED: "It stands in another order now: executions in flight need the old one.",
    Cause.MOVED: "It stands in another context now, so it has another id, and would run again: leave it where it was.",
    Cause.TYPE: "Another kind of operation stands in its place: executions in flight need the old one.",
    Cause.SUBTYPE: "The same kind of operation with another subtype stands in its place: executions in flight need the "
    "old one.",
}
TAIL: Final = (
    "The code ended without asking for it. If it was taken out, executions that have not come to it are not harmed; if "
    "it lost a race, nothing has changed. History cannot tell."
)
_ELSEWHERE: Final = " The code still asks for both of them, though: perhaps a condition before it has changed."


@dataclass(frozen=True, slots=True)
class Finding:
    """What explains a divergence.

    Attributes:
        cause: In one word or two.
        is_tail: Whether the code asks for nothing that is not recorded, only for less.
    """

    cause: str
    is_tail: bool
    recorded: str | None
    attempted: str | None
    position: int
    last_agreeing: str | None
    line: str | None
    hint: str
    payload: str | None


def explain(
    handler: Callable[..., Any], history: History, failed: Collection[str] = (), *, again: bool = True
) -> Finding | None:
    """Run the handler once more and compare all that it asks for; None if no difference shows.

    Args:
        handler: The result of `@durable_execution`.
        history: What is recorded.
        failed: Ids of contexts that failed and are looked into.
        again: Whether contexts that succeeded are looked into.
    """
    traced = trace(handler, history, failed, again=again)
    found = list(differences(traced.recorded, traced.attempted))
    if not found:
        return None
    hard = next(((old, new) for old, new in found if new is not None), None)
    old, new = hard or found[0]
    everything = changes(traced.recorded, traced.attempted)
    change = explaining(everything, old, new)
    if hard is None and (change is None or change.cause is Cause.REMOVED):
        return _tail(old, traced) if old is not None else None
    if change is None:
        return None
    change = _whole_branch(change, everything)
    return _finding(change, old, new, traced)


def differences(recorded: Node, attempted: Node) -> Iterator[tuple[Node | None, Node | None]]:
    """The first difference of each scope: what is recorded there, and what is asked for."""
    before = [child for child in recorded.children if child.shape.kind != TASK]
    now = [child for child in attempted.children if child.shape.kind != TASK]
    both = min(len(before), len(now))
    for old, new in zip(before, now, strict=False):
        if old.label != new.label:
            yield old, new
            break
        yield from differences(old, new)
    else:
        if len(before) > both and before[both].weight >= 1:
            yield before[both], None
        elif len(now) > both and now[both].weight >= 1:
            yield None, now[both]
    tasks = {_key(child): child for child in attempted.children if child.shape.kind == TASK}
    for child in recorded.children:
        if child.shape.kind == TASK:
            twin = tasks.pop(_key(child), None)
            if twin is not None:
                yield from differences(child, twin)
            elif child.children and child.weight >= 1:
                yield child.children[0], None
    for child in tasks.values():
        if child.children and child.children[0].weight >= 1:
            yield None, child.children[0]


def _key(task: Node) -> tuple[str, int]:
    return task.shape.name, task.position


def _whole_branch(change: Change, everything: list[Change]) -> Change:
    """A branch that came or went, rather than what is in it."""
    while True:
        inside = [node.parent for node in (change.recorded, change.attempted) if node is not None]
        around = next(
            (
                other
                for other in everything
                if other is not change
                and other.cause is change.cause
                and any(node is not None and node in inside for node in (other.recorded, other.attempted))
            ),
            None,
        )
        if around is None or not any(
            node is not None and node.is_branch for node in (around.recorded, around.attempted)
        ):
            return change
        change = around


def _finding(change: Change, old: Node | None, new: Node | None, traced: Trace) -> Finding:
    if any(node is not None and node.is_branch for node in (change.recorded, change.attempted)):
        old, new = change.recorded, change.attempted
        line = _line_of_batch(old, new, traced)
    else:
        line = new.line if new is not None else None
    at = old or new
    assert at is not None  # a difference has a side
    return Finding(
        change.cause.value,
        False,
        None if old is None else str(old.shape),
        None if new is None else str(new.shape),
        at.position,
        _before(at),
        line,
        HINTS[change.cause],
        _payload(old),
    )


def _tail(old: Node, traced: Trace) -> Finding:
    line = _line_of_batch(old, None, traced) if old.is_branch else None
    cause = Cause.REMOVED.value
    return Finding(cause, True, str(old.shape), None, old.position, _before(old), line, TAIL, _payload(old))


def _line_of_batch(old: Node | None, new: Node | None, traced: Trace) -> str | None:
    node = new
    while node is not None:
        if node.shape.sub_type in BATCHES:
            return node.line
        node = node.parent
    lines = {node.operation_id: node.line for node in traced.attempted.walk() if node.shape.sub_type in BATCHES}
    node = old
    while node is not None:
        if node.operation_id in lines:
            return lines[node.operation_id]
        node = node.parent
    return None


def _before(at: Node) -> str | None:
    """The operation before it in its scope, or that scope."""
    if at.parent is None:
        return None
    siblings = [child for child in at.parent.children if child.is_operation and child.position < at.position]
    if siblings:
        return str(max(siblings, key=lambda child: child.position).shape)
    parent: Node | None = at.parent
    while parent is not None and not parent.is_operation:
        parent = parent.parent
    return None if parent is None else str(parent.shape)


def _payload(old: Node | None) -> str | None:
    for key, details in (old.record or {}).items() if old is not None else ():
        if key.endswith("Details") and isinstance(details, dict) and details.get("Result") is not None:
            return str(details["Result"])
    return None
