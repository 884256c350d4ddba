"""What must have changed, if this is recorded and that asked for: the cheapest edit of one tree into the other. Pure.

Theory of operation. Both sides are ordered trees of operations. The edit distance of Zhang and Shasha pairs nodes so
that taking nodes out (removed), putting nodes in (inserted) and changing what they are called (renamed, type changed)
costs least. It lets a node that goes leave its children where they are, so that a context put around operations costs
one. What goes in one place and comes in another with the same shape has been reordered, or moved if the scope differs.

Only what lies between the common beginning and the common end of the two is compared, and no more than a window of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from durable_execution_sdk.replay.comparing import Shape
from durable_execution_sdk.replay.trees import Node

WINDOW = 120
"""Most operations of each side that are compared."""

_OTHER_NAME = 1.1  # more than taking one of them out or putting it in, less than both
_OTHER_KIND = 0.95
_OTHER_EVERYTHING = 1.6


class Cause(Enum):
    """What kind of change explains a divergence."""

    RENAMED = "renamed"
    INSERTED = "inserted"
    REMOVED = "removed"
    REORDERED = "reordered"
    TYPE = "type changed"
    SUBTYPE = "subtype changed"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Change:
    """One change: what it made of what. Either side may be missing."""

    cause: Cause
    recorded: Node | None
    attempted: Node | None


Pairing: TypeAlias = list[tuple[Node | None, Node | None]]


def changes(recorded: Node, attempted: Node) -> list[Change]:
    """The changes that make of the one tree the other."""
    signatures: dict[int, int] = {}
    table: dict[object, int] = {}
    for tree in (recorded, attempted):
        _sign(tree, signatures, table)
    before, now = _trimmed(recorded.children, attempted.children, signatures)
    if not before and not now:
        return []
    if shuffled := _shuffled(before, now, signatures):
        return shuffled
    return _classified(_paired(before, now))


def _sign(tree: Node, signatures: dict[int, int], table: dict[object, int]) -> None:
    for node in reversed(list(tree.walk())):
        key = (node.label, tuple(signatures[id(child)] for child in node.children))
        signatures[id(node)] = table.setdefault(key, len(table))


def _trimmed(
    before: Sequence[Node], now: Sequence[Node], signatures: dict[int, int]
) -> tuple[Sequence[Node], Sequence[Node]]:
    """Without what both begin and end with, as deep as there is one pair left."""
    while True:
        start = 0
        while start < min(len(before), len(now)) and signatures[id(before[start])] == signatures[id(now[start])]:
            start += 1
        end = 0
        most = min(len(before), len(now)) - start
        while end < most and signatures[id(before[-1 - end])] == signatures[id(now[-1 - end])]:
            end += 1
        before, now = before[start : len(before) - end], now[start : len(now) - end]
        if len(before) == len(now) == 1 and before[0].label == now[0].label:
            before, now = before[0].children, now[0].children
        else:
            return before, now


def _shuffled(before: Sequence[Node], now: Sequence[Node], signatures: dict[int, int]) -> list[Change]:
    """The same operations with the same things in them, in another order."""
    if len(before) < 2 or Counter(signatures[id(n)] for n in before) != Counter(signatures[id(n)] for n in now):
        return []
    pairs = zip(before, now, strict=True)
    return [Change(Cause.REORDERED, old, new) for old, new in pairs if signatures[id(old)] != signatures[id(new)]]


# --- the distance -----------------------------------------------------------------------------------------------------


class _Flat:
    """The beginning of a tree, in the order in which a node comes after what is in it."""

    def __init__(self, top: Node) -> None:
        self.nodes: list[Node] = []
        self.leftmost: list[int] = []
        self._left = WINDOW
        self._add(top)
        self.keyroots = sorted({leaf: index for index, leaf in enumerate(self.leftmost)}.values())

    def _add(self, tree: Node) -> int:
        self._left -= 1
        first = -1
        for child in tree.children:
            if self._left <= 0:
                break  # what comes later in the handler explains less
            leaf = self._add(child)
            first = leaf if first < 0 else first
        self.nodes.append(tree)
        first = len(self.nodes) - 1 if first < 0 else first
        self.leftmost.append(first)
        return first


def _change_cost(old: Shape, new: Shape) -> float:
    if (old.kind, old.sub_type) == (new.kind, new.sub_type):
        return _OTHER_NAME
    return _OTHER_KIND if old.name == new.name else _OTHER_EVERYTHING


def _paired(before: Sequence[Node], now: Sequence[Node]) -> Pairing:
    """Zhang and Shasha's tree edit distance over forests, and the pairing behind it."""
    top = Shape("", "", "")
    a, b = _Flat(Node(top, None, children=list(before))), _Flat(Node(top, None, children=list(now)))
    old_labels, new_labels = [node.label for node in a.nodes], [node.label for node in b.nodes]
    distance = [[0.0] * len(b.nodes) for _ in a.nodes]

    def cost(at: int, to: int) -> float:
        if old_labels[at] == new_labels[to]:
            return 0.0
        if b.nodes[to].weight < 1:
            # What is asked for after the end of what is recorded has not taken the place of anything.
            return a.nodes[at].weight + b.nodes[to].weight + 0.01
        return _change_cost(old_labels[at], new_labels[to])

    def forest(i: int, j: int) -> list[list[float]]:
        li, lj = a.leftmost[i], b.leftmost[j]
        rows, columns = i - li + 2, j - lj + 2
        table = [[0.0] * columns for _ in range(rows)]
        for x in range(1, rows):
            table[x][0] = table[x - 1][0] + a.nodes[li + x - 1].weight
        for y in range(1, columns):
            table[0][y] = table[0][y - 1] + b.nodes[lj + y - 1].weight
        for x in range(1, rows):
            at = li + x - 1
            for y in range(1, columns):
                to = lj + y - 1
                least = min(table[x - 1][y] + a.nodes[at].weight, table[x][y - 1] + b.nodes[to].weight)
                if a.leftmost[at] == li and b.leftmost[to] == lj:
                    least = min(least, table[x - 1][y - 1] + cost(at, to))
                    distance[at][to] = least
                else:
                    p, q = a.leftmost[at] - li, b.leftmost[to] - lj
                    least = min(least, table[p][q] + distance[at][to])
                table[x][y] = least
        return table

    for i in a.keyroots:
        for j in b.keyroots:
            forest(i, j)
    pairing: Pairing = []
    waiting = [(len(a.nodes) - 1, len(b.nodes) - 1)]
    while waiting:
        i, j = waiting.pop()
        table = forest(i, j)
        li, lj = a.leftmost[i], b.leftmost[j]
        x, y = i - li + 1, j - lj + 1
        while x or y:
            at, to = li + x - 1, lj + y - 1
            if x and y and a.leftmost[at] == li and b.leftmost[to] == lj:
                if _same(table[x][y], table[x - 1][y - 1] + cost(at, to)):
                    pairing.append((a.nodes[at], b.nodes[to]))
                    x, y = x - 1, y - 1
                    continue
            elif x and y:
                p, q = a.leftmost[at] - li, b.leftmost[to] - lj
                if _same(table[x][y], table[p][q] + distance[at][to]):
                    waiting.append((at, to))
                    x, y = p, q
                    continue
            if x and _same(table[x][y], table[x - 1][y] + a.nodes[at].weight):
                pairing.append((a.nodes[at], None))
                x -= 1
            else:
                pairing.append((None, b.nodes[to]))
                y -= 1
    return [pair for pair in reversed(pairing) if not any(node is not None and node.shape is top for node in pair)]


def _same(left: float, right: float) -> bool:
    return abs(left - right) < 1e-9


# --- what it means ----------------------------------------------------------------------------------------------------


def _classified(pairing: Pairing) -> list[Change]:
    partner = {id(old): new for old, new in pairing if old is not None and new is not None}
    result: list[Change] = []
    relabelled: list[tuple[Node, Node]] = []
    gone: list[Node] = []
    come: list[Node] = []
    for old, new in pairing:
        if old is None or new is None:
            gone += [old] if old is not None else []
            come += [new] if new is not None else []
        elif old.label != new.label:
            relabelled.append((old, new))
        elif not _same_scope(old, new, partner):
            result.append(Change(Cause.MOVED, old, new))
    for old in gone:
        new = next((node for node in come if node.label == old.label), None)
        if new is None:
            result.append(Change(Cause.REMOVED, old, None))
        else:
            come.remove(new)
            cause = Cause.REORDERED if _same_scope(old, new, partner) else Cause.MOVED
            result.append(Change(cause, old, new))
    result += [Change(Cause.INSERTED, None, new) for new in come]
    exchanged = len(relabelled) > 1 and Counter(old.label for old, _ in relabelled) == Counter(
        new.label for _, new in relabelled
    )
    for old, new in relabelled:
        result.append(Change(Cause.REORDERED if exchanged else relabelling(old.label, new.label), old, new))
    return result


def relabelling(old: Shape, new: Shape) -> Cause:
    """What it is called when an operation of one shape has become one of another."""
    if old.kind != new.kind:
        return Cause.TYPE
    return Cause.SUBTYPE if old.sub_type != new.sub_type else Cause.RENAMED


def _same_scope(old: Node, new: Node, partner: dict[int, Node]) -> bool:
    if old.parent is None or new.parent is None:
        return old.parent is new.parent
    paired = partner.get(id(old.parent))
    if paired is not None:
        return paired is new.parent
    # Scopes outside the window are compared by what they are.
    ids = old.parent.operation_id, new.parent.operation_id
    return ids[0] == ids[1]


_RELABELLED = frozenset({Cause.RENAMED, Cause.TYPE, Cause.SUBTYPE})
_RANK = {Cause.MOVED: 0, Cause.REORDERED: 1, Cause.REMOVED: 3, Cause.INSERTED: 4}


def explaining(found: Sequence[Change], recorded: Node | None, attempted: Node | None) -> Change | None:
    """Which of the changes explains that one operation is recorded where another is attempted."""
    if recorded is not None and attempted is not None and recorded.label.name == attempted.label.name != "":
        return Change(relabelling(recorded.label, attempted.label), recorded, attempted)
    about = [
        _seen_from(change, recorded, attempted)
        for change in found
        if (recorded is not None and change.recorded is recorded)
        or (attempted is not None and change.attempted is attempted)
    ]
    if not about:
        # Of several of the same shape, another one is what came or went.
        scopes = [node.parent for node in (recorded, attempted) if node is not None]
        about = [
            change
            for change in found
            if any(node is not None and node.parent in scopes for node in (change.recorded, change.attempted))
        ]
    return min(about or found, key=lambda change: _RANK.get(change.cause, 2), default=None)


def _seen_from(change: Change, recorded: Node | None, attempted: Node | None) -> Change:
    """What has become something else, or has been something else, is gone, or has come."""
    if change.cause not in _RELABELLED or (change.recorded is recorded and change.attempted is attempted):
        return change
    if change.recorded is recorded:
        return Change(Cause.REMOVED, recorded, None)
    return Change(Cause.INSERTED, None, attempted)
