"""The engine's transitions under attack, on two stores at once: the SQLite store must equal the obvious one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from durable_execution_sdk.engine import checkpoints, names, transitions
from durable_execution_sdk.engine.commits import StoredView
from durable_execution_sdk.engine.errors import ServiceFault
from durable_execution_sdk.engine.records import (
    Abandoned,
    Answered,
    Change,
    Crashed,
    Ended,
    ExecutionRecord,
    Malformed,
    OperationRecord,
    Target,
)
from durable_execution_sdk.engine.sqlite import SqliteStore
from durable_execution_sdk.engine.store import Store
from durable_execution_sdk.engine.updates import read_updates
from tests.support.memory_store import MemoryStore

ID = "e" * 8
CONTEXTS = ["CONTEXT-1", "CONTEXT-2", "CONTEXT-3"]
IDS = ["STEP-1", "STEP-2", "STEP-3", *CONTEXTS, "WAIT-1", "WAIT-2", "CALLBACK-1", "CHAINED_INVOKE-1"]
TYPES = ["STEP", "CONTEXT", "WAIT", "CALLBACK", "CHAINED_INVOKE"]
ACTIONS = ["START", "SUCCEED", "FAIL", "RETRY", "CANCEL"]
ERROR = json.dumps({"ErrorType": "E", "ErrorMessage": "m"})
TEXTS = st.sampled_from(["", "{}", "\ud800", "é" * 3, '"x"'])

PARENTS = {"STEP-2": "CONTEXT-1", "CONTEXT-2": "CONTEXT-1", "STEP-3": "CONTEXT-2", "WAIT-2": "CONTEXT-3"}

# (type, action) -> the states in which the service takes it; None is "does not exist".
ALLOWED: dict[tuple[str, str], set[str | None]] = {
    ("STEP", "START"): {None, "READY"},
    ("STEP", "SUCCEED"): {None, "STARTED", "READY"},
    ("STEP", "FAIL"): {None, "STARTED", "READY"},
    ("STEP", "RETRY"): {None, "STARTED", "READY"},
    ("CONTEXT", "START"): {None},
    ("CONTEXT", "SUCCEED"): {None, "STARTED"},
    ("CONTEXT", "FAIL"): {None, "STARTED"},
    ("WAIT", "START"): {None},
    ("WAIT", "CANCEL"): {"STARTED"},
    ("CALLBACK", "START"): {None},
    ("CHAINED_INVOKE", "START"): {None},
}


@st.composite
def entries(draw: st.DrawFn) -> dict[str, Any]:
    operation_id = draw(st.sampled_from(IDS))
    # Mostly what an SDK would send, now and then another type, action or parent.
    kind = draw(st.sampled_from(TYPES)) if draw(st.integers(0, 19)) == 0 else operation_id.split("-")[0]
    usual = [action for key, action in ALLOWED if key == kind]
    action = draw(st.sampled_from(ACTIONS if draw(st.integers(0, 9)) == 0 else usual))
    entry: dict[str, Any] = {"Id": operation_id, "Type": kind, "Action": action, "SubType": kind.title()}
    parent = f"CONTEXT-{draw(st.integers(1, 3))}" if draw(st.integers(0, 9)) == 0 else PARENTS.get(operation_id)
    if parent is not None:
        entry["ParentId"] = parent
    if action == "SUCCEED" or (action == "RETRY" and draw(st.booleans())):
        entry["Payload"] = draw(TEXTS)
    elif action in {"FAIL", "RETRY"}:
        entry["Error"] = json.loads(ERROR)
    if action == "RETRY":
        entry["StepOptions"] = {"NextAttemptDelaySeconds": draw(st.integers(1, 5))}
    if kind == "WAIT":
        entry["WaitOptions"] = {"WaitSeconds": draw(st.integers(1, 5))}
    if kind == "CONTEXT":
        entry["ContextOptions"] = {"ReplayChildren": draw(st.booleans())}
    if kind == "CALLBACK":
        seconds = st.integers(0, 5)
        entry["CallbackOptions"] = {"TimeoutSeconds": draw(seconds), "HeartbeatTimeoutSeconds": draw(seconds)}
    if kind == "CHAINED_INVOKE":
        entry["ChainedInvokeOptions"] = {"FunctionName": draw(st.sampled_from(["known", "unknown"]))}
    return entry


def resolve(function_name: str) -> Target | None:
    return Target("known", "durable", "c" * 8, "arn") if function_name == "known" else None


Transition = Callable[[ExecutionRecord, StoredView], Change | None]


class EngineStates(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stores: list[Store] = [MemoryStore(), SqliteStore(None)]
        self.now_ms = 1_000_000
        self.ended: dict[str, OperationRecord] = {}
        self.stamps: list[int] = []

    def teardown(self) -> None:
        for store in self.stores:
            store.close()

    @property
    def execution(self) -> ExecutionRecord:
        with self.stores[0].read() as transaction:
            execution = transaction.execution(ID)
        assert execution is not None
        return execution

    def records(self, store: Store, *, hidden: bool = True) -> list[OperationRecord]:
        with store.read() as transaction:
            return list(transaction.operations(ID, -1, hidden=hidden))

    def status(self, operation_id: str) -> str | None:
        with self.stores[0].read() as transaction:
            record = transaction.operation(ID, operation_id)
        return None if record is None else record.status

    def apply(self, transition: Transition) -> bool:
        """Run a transition on both stores; whether it was accepted."""
        results: list[Change | str | None] = []
        for store in self.stores:
            try:
                with store.write() as transaction:
                    execution = transaction.execution(ID)
                    assert execution is not None
                    change = transition(execution, StoredView(transaction, ID))
                    if change is not None:
                        transaction.apply(change)
                    results.append(change)
            except ServiceFault as fault:
                results.append(str(fault))
        assert results[0] == results[1]
        change = results[0]
        if isinstance(change, Change):
            # A change lists operations in the order in which it touches them first, not in that of their ends.
            for record in sorted(change.operations, key=lambda record: record.end_ms or 0):
                if record.end_ms is not None and record.operation_id not in self.ended:
                    self.ended[record.operation_id] = record
                    self.stamps.append(record.end_ms)
        return not isinstance(change, str)

    @initialize(timeout=st.sampled_from([None, 30_000]))
    def start(self, timeout: int | None) -> None:
        record = ExecutionRecord(
            execution_id=ID,
            arn=names.execution_arn("f", "n", ID),
            function_name="f",
            name="n",
            start_ms=self.now_ms,
            timeout_ms=timeout,
        )
        for store in self.stores:
            with store.write() as transaction:
                transaction.apply(transitions.create(record, "{}"))

    @rule(milliseconds=st.integers(0, 4_000))
    def time_passes(self, milliseconds: int) -> None:
        self.now_ms += milliseconds
        assert self.apply(lambda execution, view: transitions.fire_timers(execution, view, self.now_ms))

    @rule(several=st.lists(entries(), min_size=1, max_size=8))
    def single_updates(self, several: list[dict[str, Any]]) -> None:
        for entry in several:
            self.one_update(entry)

    def one_update(self, entry: dict[str, Any]) -> None:
        before = [self.records(store) for store in self.stores]
        status = self.status(entry["Id"])
        legal = status in ALLOWED.get((entry["Type"], entry["Action"]), set())
        accepted = self.apply(
            lambda execution, view: checkpoints.checkpoint(
                execution, view, read_updates([entry]), "t", resolve, self.now_ms
            )
        )
        assert not (accepted and not legal)
        if not accepted:
            assert [self.records(store) for store in self.stores] == before
        elif not legal:
            raise AssertionError(entry)

    @rule(batch=st.lists(entries(), max_size=6))
    def many_updates(self, batch: list[dict[str, Any]]) -> None:
        before = [self.records(store) for store in self.stores]
        if not self.apply(
            lambda execution, view: checkpoints.checkpoint(
                execution, view, read_updates(batch), None, resolve, self.now_ms
            )
        ):
            assert [self.records(store) for store in self.stores] == before

    @rule(operation_id=st.sampled_from(IDS), result=TEXTS)
    def callback_succeeds(self, operation_id: str, result: str) -> None:
        outcome = Ended("SUCCEEDED", result=result)
        self.apply(
            lambda execution, view: transitions.end_callback(execution, view, operation_id, outcome, self.now_ms)
        )

    @rule(operation_id=st.sampled_from(IDS))
    def heartbeat(self, operation_id: str) -> None:
        self.apply(lambda execution, view: transitions.heartbeat(execution, view, operation_id, self.now_ms))

    @rule(operation_id=st.sampled_from(IDS), status=st.sampled_from(["SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED"]))
    def child_ends(self, operation_id: str, status: str) -> None:
        with self.stores[0].read() as transaction:
            record = transaction.operation(ID, operation_id)
        if record is not None and record.operation_type == "CHAINED_INVOKE":
            outcome = Ended(status, *(("{}", None) if status == "SUCCEEDED" else (None, ERROR)))
            self.apply(
                lambda execution, view: transitions.end_invoke(execution, view, operation_id, outcome, self.now_ms)
            )

    @rule()
    def begin(self) -> None:
        possible = not (self.execution.is_terminal or self.execution.in_flight or self.execution.is_paused)
        accepted = self.apply(lambda execution, view: transitions.begin_invocation(execution, view, "r", self.now_ms))
        assert accepted == possible

    @precondition(lambda self: self.execution.in_flight)
    @rule(
        outcome=st.sampled_from(
            [Answered("PENDING"), Answered("PENDING"), Crashed(ERROR), Abandoned(ERROR), Answered("SUCCEEDED", "1")]
        )
        | st.sampled_from([Malformed(ERROR), Answered("FAILED", error=ERROR), Answered("SUCCEEDED", error=ERROR)])
    )
    def end(self, outcome: Any) -> None:
        before = self.execution
        assert self.apply(lambda execution, view: transitions.end_invocation(execution, view, outcome, self.now_ms))
        execution = self.execution
        if outcome == Answered("PENDING") and before.served_version > before.seen and not before.is_terminal:
            assert execution.invoke_at_ms == self.now_ms, "a change that the handler has not seen"
        if not execution.is_terminal:
            # Whatever happened, something will go on with it: an invocation is asked for, or the service owes an event.
            assert execution.invoke_at_ms is not None or execution.pending

    @rule()
    def pause(self) -> None:
        self.apply(lambda execution, view: transitions.pause(execution, view, None, self.now_ms))

    @rule()
    def resume(self) -> None:
        self.apply(lambda execution, view: transitions.resume(execution, view, "go", self.now_ms))

    @precondition(lambda self: self.execution.events > 12)
    @rule()
    def stop(self) -> None:
        running = not self.execution.is_terminal
        assert self.apply(lambda execution, view: transitions.stop(execution, view, None, self.now_ms)) == running

    @invariant()
    def stores_agree(self) -> None:
        seen = []
        for store in self.stores:
            with store.read() as transaction:
                seen.append(
                    (
                        transaction.execution(ID),
                        list(transaction.operations(ID, -1, hidden=True)),
                        list(transaction.operations(ID, 1, hidden=False)),
                        list(transaction.changes(ID, 3)),
                        list(transaction.served(ID, 2)),
                        transaction.due(ID, self.now_ms + 2_000),
                        transaction.next_due_ms(ID),
                        list(transaction.events(ID, 0)),
                        list(transaction.events(ID, 4, newest_first=True)),
                        store.latest_ms(),
                    )
                )
        assert seen[0] == seen[1]

    @invariant()
    def counters_are_true(self) -> None:
        execution, records = self.execution, self.records(self.stores[1])
        operations = [record for record in records if record.operation_type != "EXECUTION"]
        assert execution.operations == len(operations)
        assert execution.pending == sum(record.is_pending for record in operations)
        assert execution.finished == sum(record.is_terminal for record in operations)
        assert [record.position for record in records] == list(range(len(records)))
        assert len({record.changed for record in records}) == len(records)

    @invariant()
    def history_is_dense_and_stamps_rise(self) -> None:
        with self.stores[1].read() as transaction:
            events = [logged.event for logged in transaction.events(ID, 0)]
        assert [event.event_id for event in events] == list(range(1, len(events) + 1))
        assert events[0].event_type == "ExecutionStarted"
        assert self.stamps == sorted(set(self.stamps))

    @invariant()
    def what_ended_stays(self) -> None:
        for record in self.records(self.stores[1]):
            if (before := self.ended.get(record.operation_id)) is not None:
                assert (record.status, record.end_ms, record.result) == (before.status, before.end_ms, before.result)

    @invariant()
    def parents_come_first_and_hide_their_children(self) -> None:
        records = {record.operation_id: record for record in self.records(self.stores[1])}
        for record in records.values():
            if record.parent_id is None:
                assert not record.hidden
                continue
            parent = records[record.parent_id]
            assert parent.position < record.position
            inline = parent.status == "SUCCEEDED" and not parent.replay_children
            assert record.hidden == (parent.hidden or inline)


TestEngineStates = EngineStates.TestCase
TestEngineStates.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
