"""What a changed handler asks for in all, found in one run in which nothing diverges.

Theory of operation. A divergence ends a replay, so it shows the first difference and no other. Here the handler starts
over an empty history, and each operation is recorded at the moment it is asked for, with what history holds for the
operation it resembles most: the next of that shape in its scope; else one that was passed over; else one of that shape
anywhere; else the one that stands in its place, if that is of the same type; else nothing at all. Contexts are entered
again. So user code gets the results it got, as far as possible, and the tree of what it asks for can be compared with
the tree of what is recorded.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from durable_execution_sdk._core import Journal, operation_id
from durable_execution_sdk._drivers.hooks import InvocationFacts
from durable_execution_sdk._model.completion import CompletionReason
from durable_execution_sdk._model.signals import Withheld
from durable_execution_sdk._model.updates import OperationIdentifier
from durable_execution_sdk._operations.batch import BatchOperation
from durable_execution_sdk.replay.comparing import BATCHES, Record, Shape, batch_end, entered_again
from durable_execution_sdk.replay.histories import History
from durable_execution_sdk.replay.offline import Watch, calling_line, run_offline
from durable_execution_sdk.replay.trees import HANDLER, VIRTUAL, Node, RecordedTree, task_shape

_OPEN = frozenset({"STARTED", "PENDING", "READY"})
_MORE_THAN_RECORDED = 200
_BEYOND_THE_END = 0.3
_AHEAD = 16
"""How many operations more than are recorded a scope that has not ended may ask for, before the trace of it ends."""
_NOT_REACHED = 0.2
_RESULT_OF: Mapping[str, str] = {
    "STEP": "StepDetails",
    "CHAINED_INVOKE": "ChainedInvokeDetails",
    "CALLBACK": "CallbackDetails",
    "CONTEXT": "ContextDetails",
}


@dataclass(slots=True)
class _Scope:
    """A scope of the code, and the recorded one that it goes on from."""

    node: Node
    twin: Node | None
    is_open: bool
    """Whether the recorded scope has not ended, so that there is nothing wrong with asking for more."""
    waits: bool = True
    """Whether code that asks for more may wait here; not if more is recorded after this scope."""
    next: int = 0
    asked: int = 0
    ended: bool = False
    _places: dict[Shape, deque[int]] | None = None
    _operations: list[Node] | None = None

    def take(self, label: Shape) -> Node | None:
        """The next recorded operation of this shape; else one that was passed over."""
        if self.twin is None:
            return None
        children = self.twin.children
        if self._places is None:
            self._places = {}
            for index, child in enumerate(children):
                self._places.setdefault(child.label, deque()).append(index)
        places = self._places.get(label) or deque()
        passed_over: deque[int] = deque()
        while places and (places[0] < self.next or children[places[0]].used):
            index = places.popleft()
            if not children[index].used:
                passed_over.append(index)
        chosen = places.popleft() if places else passed_over.popleft() if passed_over else None
        places.extendleft(reversed(passed_over))
        if chosen is None:
            return None
        children[chosen].used = True
        self.next = max(self.next, chosen + 1)
        return children[chosen]

    def has_nothing_left(self) -> bool:
        """Whether everything that is recorded has been asked for, or that will not happen any more."""
        if self.twin is None:
            return False
        return self.beyond > _AHEAD or all(child.used for child in self._recorded())

    @property
    def beyond(self) -> int:
        """By how many operations more has been asked for than is recorded."""
        return self.asked - len(self._recorded())

    def _recorded(self) -> list[Node]:
        if self._operations is None:
            children = [] if self.twin is None else self.twin.children
            self._operations = [child for child in children if child.is_operation]
        return self._operations

    def following(self) -> Node | None:
        """The recorded operation that stands next, if it has not been asked for."""
        children = [] if self.twin is None else self.twin.children
        return next((children[i] for i in range(self.next, len(children)) if not children[i].used), None)


@dataclass(slots=True)
class Trace:
    """Both sides of a comparison."""

    recorded: Node
    attempted: Node
    frontier: list[Node] = field(default_factory=list)


def trace(handler: Callable[..., Any], history: History, failed: Collection[str] = (), *, again: bool = True) -> Trace:
    """Run the handler and see what it asks for, with what is recorded beside it.

    Args:
        handler: The result of `@durable_execution`.
        history: What is recorded.
        failed: Ids of contexts that failed and are entered again all the same; the others raise what is recorded.
        again: Whether contexts that succeeded are entered again. If not, what is in them is on neither side.
    """
    tree = RecordedTree(history.operations)
    guides: list[_Guide] = []

    def open_hooks(facts: InvocationFacts) -> _Guide:
        guides.append(_Guide(facts.journal, tree, history, failed, again=again))
        return guides[0]

    earlier = {"Id": "0", "Type": "WAIT", "Status": "SUCCEEDED"}  # so that the handler sees that it is replayed
    seen = run_offline(handler, history.arn, [history.operations[0], earlier], open_hooks)
    guide = guides[0]
    ended = seen.status == "SUCCEEDED" or (seen.status == "FAILED" and history.failed)
    for scope in guide.scopes.values():
        scope.ended = scope.ended or (ended and not scope.node.is_operation)
    tree.attach_the_rest()
    guide.discount()
    return Trace(tree.root.arranged(), guide.root.arranged(), guide.frontier)


class _Guide(Watch):
    """Hooks that record each operation when it is asked for."""

    def __init__(
        self, journal: Journal, tree: RecordedTree, history: History, failed: Collection[str], *, again: bool
    ) -> None:
        self.root = Node(Shape(HANDLER, "", ""), None)
        self.scopes: dict[str | None, _Scope] = {None: _Scope(self.root, tree.root, not history.complete)}
        self.frontier: list[Node] = []
        self._journal = journal
        self._tree = tree
        self._failed = failed
        self._again = again
        self._raised: set[str] = set()
        """What was entered again of those."""
        self._expected: dict[str, tuple[_Scope, int]] = {operation_id(None, 1): (self.scopes[None], 1)}
        self._nodes: dict[str, Node] = {}
        self._answered: set[str] = set()
        self._batches: dict[str, Record] = {}
        self._by_label: dict[Shape, deque[Node]] = {}
        for node in tree.root.walk():
            self._by_label.setdefault(node.label, deque()).append(node)
        self._left = 2 * len(history.operations) + _MORE_THAN_RECORDED
        self._lock = threading.Lock()

    # --- hooks ---

    def operation_attempted(self, identity: OperationIdentifier, is_virtual: bool) -> None:
        with self._lock:
            if identity.operation_id in self._answered:
                return
            node = self._note(identity, is_virtual)
            if node is None:
                raise Withheld("the check has seen enough")
            if not is_virtual:
                self._journal.load_operations([self._answer(node, identity)])
            self._answered.add(identity.operation_id)

    def batch_entered(self, batch: BatchOperation) -> None:
        with self._lock:
            top = self.scopes.get(batch.identity.operation_id)
            if top is None:
                return
            asked: Sequence[int] = range(batch.total)
            if top.twin is not None and not _runs_all(top.twin):
                asked = [child.position for child in top.twin.children if child.position < batch.total]
            for index in range(batch.total):
                self._expected[batch.branch_id(index)] = (top, index)
            for index in asked:
                identity = batch.branch(index)
                if identity.operation_id not in self._nodes:
                    self._note(identity, batch.is_flat)
            record = self._batches.get(batch.identity.operation_id)
            if record is not None:
                self._journal.load_operations([_with_branches(record, len(asked))])

    def task_scope_opened(self, prefix: str, creator: str | None, qualname: str, ordinal: int) -> None:
        with self._lock:
            around = self.scopes.get(creator)
            if around is None:
                return
            node = Node(task_shape(qualname), prefix, ordinal, around.node)
            around.node.children.append(node)
            twin = None
            if around.twin is not None:
                twin = self._tree.open_task(around.twin, around.twin.operation_id, qualname, ordinal)
                for child in twin.children:
                    for inner in child.walk():
                        self._by_label.setdefault(inner.label, deque()).append(inner)
            # What the creator has done after it says that the task has ended, as a rule.
            self._open(node, twin, is_open=around.is_open and around.has_nothing_left())

    def scope_ended(self, identity: OperationIdentifier, error: Exception | None, replayed: bool) -> None:
        scope = self.scopes.get(identity.operation_id)
        if scope is not None and (error is None or identity.operation_id in self._raised):
            scope.ended = True

    # --- the tree ---

    def _note(self, identity: OperationIdentifier, is_virtual: bool) -> Node | None:
        known = self._nodes.get(identity.operation_id)
        if known is not None:
            return known
        if self._left <= 0 or identity.operation_id not in self._expected:
            return None
        self._left -= 1
        scope, position = self._expected[identity.operation_id]
        shape = Shape(identity.operation_type.value, str(identity.sub_type or ""), identity.name or "")
        if is_virtual:
            shape = Shape(VIRTUAL, "", "")
        node = Node(shape, identity.operation_id, position, scope.node, line=calling_line())
        if scope.node.shape.sub_type in BATCHES:
            node.line = scope.node.line
        scope.node.children.append(node)
        scope.asked += 1
        self._nodes[identity.operation_id] = node
        self._expected.setdefault(operation_id(scope.node.operation_id, position + 1), (scope, position + 1))
        if is_virtual:
            self._open(node, self._virtual_twin(scope, position), is_open=scope.is_open)
        return node

    def _open(self, node: Node, twin: Node | None, *, is_open: bool, waits: bool = True) -> None:
        scope = self.scopes[node.operation_id] = _Scope(node, twin, is_open, waits)
        self._expected[operation_id(node.operation_id, 1)] = (scope, 1)

    def _virtual_twin(self, scope: _Scope, position: int) -> Node | None:
        children = [] if scope.twin is None else scope.twin.children
        return next((child for child in children if child.shape.kind == VIRTUAL and child.position == position), None)

    # --- what is recorded for an operation that is asked for ---

    def _answer(self, node: Node, identity: OperationIdentifier) -> Record:
        scope, _ = self._expected[identity.operation_id]
        twin, likeness = self._match(scope, node)
        if twin is None and scope.is_open and (scope.beyond > 0 or scope.has_nothing_left()):
            node.weight = _BEYOND_THE_END
            if likeness is None and scope.waits and scope.has_nothing_left():
                if node not in self.frontier:
                    self.frontier.append(node)
                raise Withheld("the history ends here")
        like = twin or likeness
        record = _recorded_as(node.shape, identity, None if like is None else like.record)
        if twin is None and record["Status"] != "SUCCEEDED":
            # Something new that fails, or never ends, would hide what comes after it.
            record = _recorded_as(node.shape, identity, None)
        if node.shape.kind != "CONTEXT" and record["Status"] in _OPEN and not scope.has_nothing_left():
            # More is recorded, so it is not here that the execution waits.
            record = _recorded_as(node.shape, identity, None)
        if node.shape.kind == "CONTEXT":
            status = record.get("Status")
            raises = twin is not None and twin.operation_id in self._failed
            # Code that failed here may go on in another way now: executions in the middle of it are not harmed by more.
            self._open(
                node,
                like,
                is_open=raises or (scope.is_open and status in _OPEN),
                waits=raises or scope.has_nothing_left(),
            )
            if raises:
                self._raised.add(identity.operation_id)
            if raises or (status == "SUCCEEDED" and (self._again or _replays_children(record))):
                record = entered_again(record)
                if node.shape.sub_type in BATCHES:
                    self._batches[identity.operation_id] = record
        return record

    def _match(self, scope: _Scope, node: Node) -> tuple[Node | None, Node | None]:
        """The recorded operation that this one is; else one that it is like, which stays to be asked for."""
        label = node.label
        children = [] if scope.twin is None else scope.twin.children
        if scope.node.shape.sub_type in BATCHES:
            same = next((child for child in children if child.position == node.position), None)
            if same is not None and same.label == label and not same.used:
                same.used = True
                return same, None
            if not label.name:
                return None, None  # those without a name are what stands at their index
        twin = scope.take(label)
        if twin is not None:
            return twin, None
        if scope.is_open and scope.has_nothing_left():
            return None, None
        same_shape = self._by_label.get(label)
        if same_shape:
            while len(same_shape) > 1 and same_shape[0].used:
                same_shape.popleft()
            return None, same_shape[0]
        here = scope.following()
        if here is not None and here.shape.kind == node.shape.kind:
            return None, here
        return None, None

    # --- what differences say little ---

    def discount(self) -> None:
        """What code that was cut short did not ask for says little; nor does what stands in contexts not entered."""
        for scope in self.scopes.values():
            if scope.twin is None:
                continue
            if not scope.ended and scope.node.shape.sub_type not in BATCHES:
                for child in scope.twin.children[scope.next :]:
                    for node in child.walk():
                        node.weight = min(node.weight, _NOT_REACHED)
        for node in self._tree.root.walk():
            record = node.record
            if record is None or node.shape.kind != "CONTEXT" or node.operation_id in self._failed:
                continue
            status = record.get("Status")
            if status == "SUCCEEDED" and (self._again or _replays_children(record)):
                continue
            if status not in _OPEN:
                node.children.clear()


def _replays_children(record: Record) -> bool:
    return bool((record.get("ContextDetails") or {}).get("ReplayChildren"))


def _runs_all(batch: Node) -> bool:
    """Whether a recorded batch has run every branch that it had."""
    if batch.record is None or batch.record.get("Status") in _OPEN:
        return False
    end = batch_end(batch.record)
    if end is not None:
        return end.completion_reason is CompletionReason.ALL_COMPLETED
    return all((child.record or {}).get("Status") not in _OPEN for child in batch.children)


def _with_branches(batch: Record, total: int) -> Record:
    """The record of a batch that goes through so many branches again, but for those that had not ended."""
    end = batch_end(batch)
    if end is None:
        return batch
    return entered_again(batch, replace(end, started_total=total))


def _recorded_as(shape: Shape, identity: OperationIdentifier, like: Record | None) -> dict[str, Any]:
    """The record of an operation of this identity, with the outcome of another."""
    record: dict[str, Any] = {} if like is None else dict(like)
    if like is None or like["Type"] != shape.kind:
        result = None if like is None else (like.get(_RESULT_OF.get(like["Type"], "")) or {}).get("Result")
        record = {"Status": "SUCCEEDED"}
        if shape.kind in _RESULT_OF and shape.kind != "CONTEXT":
            record[_RESULT_OF[shape.kind]] = {"Result": result}
        if shape.kind == "CALLBACK":
            record["CallbackDetails"] = {"CallbackId": "replayed", "Result": result}
    record.update(Id=identity.operation_id, ParentId=identity.parent_id, Type=shape.kind)
    record.update(SubType=shape.sub_type or None, Name=identity.name or None)
    return record
