"""Operations as a tree: what a history holds, and what code asks for. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from durable_execution_sdk._core import operation_id, task_scope_prefix
from durable_execution_sdk._policy.naming import map_item_name, parallel_branch_name
from durable_execution_sdk.replay.comparing import BATCHES, Record, Shape, shape_of

TASK: Final = "task"
"""Kind of a node that stands for a task of an async handler; nothing records it but the ids in it."""
VIRTUAL: Final = "virtual context"
"""Kind of a node that stands for a context which records nothing of its own."""
HANDLER: Final = "handler"

_DEFAULT_NAMES: Final = {"MapIteration": map_item_name, "ParallelBranch": parallel_branch_name}
_LONGEST_GAP: Final = 64


@dataclass(slots=True, eq=False)
class Node:
    """One operation, with those inside it.

    Attributes:
        shape: What identifies it apart from its place.
        operation_id: Its id, which is the prefix of the ids in it; None: the handler.
        position: Its number in its scope.
        parent: The scope it is in.
        record: What is recorded, on that side.
        line: `file:line` of user code that asked for it, on that side.
        weight: What it costs to take it out, or to put it in; less than 1 where that says little.
        used: Whether code has asked for it, on the recorded side.
    """

    shape: Shape
    operation_id: str | None
    position: int = 0
    parent: Node | None = None
    children: list[Node] = field(default_factory=list)
    record: Record | None = None
    line: str | None = None
    weight: float = 1.0
    used: bool = False

    @property
    def label(self) -> Shape:
        """The shape without the name that a branch has by its index only."""
        default = _DEFAULT_NAMES.get(self.shape.sub_type)
        if default is not None and self.shape.name == default(self.position):
            return Shape(self.shape.kind, self.shape.sub_type, "")
        return self.shape

    @property
    def is_operation(self) -> bool:
        """Whether it is one that history can hold."""
        return self.shape.kind not in {TASK, VIRTUAL, HANDLER}

    @property
    def is_branch(self) -> bool:
        """Whether it is a branch of a map or parallel."""
        return self.parent is not None and self.parent.shape.sub_type in BATCHES

    def walk(self) -> Iterator[Node]:
        """It and all in it, those before what is in them."""
        yield self
        for child in self.children:
            yield from child.walk()

    def arranged(self) -> Node:
        """Tasks come after the operations of their creator, by name: in which order they started means nothing."""
        for node in self.walk():
            node.children.sort(key=lambda child: (child.shape.kind == TASK, *_task_key(child)))
        return self


def _task_key(node: Node) -> tuple[str, int]:
    return (node.shape.name, node.position) if node.shape.kind == TASK else ("", 0)


def task_shape(qualname: str) -> Shape:
    """The shape of a task's scope."""
    return Shape(TASK, "", qualname)


class RecordedTree:
    """The operations of a history, found by the ids that they must have."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records: Mapping[str, Record] = {record["Id"]: record for record in records[1:]}
        self._inside: dict[str | None, int] = {}
        for record in records[1:]:
            parent = record.get("ParentId") or None
            self._inside[parent] = self._inside.get(parent, 0) + 1
        self.nodes: dict[str, Node] = {}
        self.root = Node(Shape(HANDLER, "", ""), None)
        self._fill(self.root)

    def open_task(self, creator: Node, prefix_of_creator: str | None, qualname: str, ordinal: int) -> Node:
        """The task of that name that `creator` started, if what it did is recorded; without children if not."""
        prefix = task_scope_prefix(prefix_of_creator, qualname, ordinal)
        task = Node(task_shape(qualname), prefix, ordinal, creator)
        self._fill(task)
        if task.children:
            creator.children.append(task)
        return task

    def attach_the_rest(self) -> None:
        """What no scope accounts for (tasks whose function has another name now) becomes a task without a name."""
        lost: dict[str | None, Node] = {}
        for key, record in self._records.items():
            if key in self.nodes:
                continue
            parent_id = record.get("ParentId") or None
            parent = self.nodes.get(parent_id) if parent_id else self.root
            if parent is None:
                continue  # inside what is lost itself
            if parent_id not in lost:
                lost[parent_id] = Node(task_shape("?"), None, 0, parent)
                parent.children.append(lost[parent_id])
            task = lost[parent_id]
            node = Node(shape_of(record), key, len(task.children) + 1, task, record=record)
            self.nodes[key] = node
            task.children.append(node)
            self._fill(node)

    def _fill(self, top: Node) -> None:
        scopes = [top]
        while scopes:
            scope = scopes.pop()
            prefix = scope.operation_id
            left, gap, position = self._inside.get(prefix, 0), 0, 0  # branches of a batch are counted from 0
            while gap < _LONGEST_GAP:
                here = operation_id(prefix, position)
                record = self._records.get(here)
                inside = here in self._inside or any(operation_id(here, n) in self._records for n in (0, 1))
                if record is not None or inside:
                    shape = shape_of(record) if record is not None else Shape(VIRTUAL, "", "")
                    node = Node(shape, here, position, scope, record=record)
                    scope.children.append(node)
                    self.nodes[here] = node
                    left -= record is not None
                    gap = 0
                    if inside:
                        scopes.append(node)
                elif left <= 0 and position:
                    break
                else:
                    gap += 1
                position += 1
