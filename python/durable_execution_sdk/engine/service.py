"""The service side of the Lambda API, over a store: one short transaction per call.

What a handler's SDK calls (`checkpoint`, `state`) takes and gives the bytes of the wire. All decisions are made in
`transitions` and `checkpoints`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Final

from durable_execution_sdk.engine import checkpoints, names, transitions, wire
from durable_execution_sdk.engine.commits import Commits, StoredView
from durable_execution_sdk.engine.errors import (
    ExecutionAlreadyStarted,
    ExecutionNotFound,
    InvalidParameterValue,
)
from durable_execution_sdk.engine.records import (
    Change,
    Ended,
    ExecutionRecord,
    OperationRecord,
    Target,
)
from durable_execution_sdk.engine.store import Selection, Store
from durable_execution_sdk.engine.updates import read_updates

PAGE_BYTES: Final = 5 * 1024 * 1024
PAGE_ITEMS: Final = 1000
_RECORD_BYTES: Final = 400
"""What the members of a record other than its payloads come to, roughly."""


class Service:
    """Answers what handlers, callers and the outside world ask of the executions in a store."""

    def __init__(self, commits: Commits) -> None:
        self._commits = commits

    @property
    def store(self) -> Store:
        """Where the executions are kept."""
        return self._commits.store

    # --- starting and looking -------------------------------------------------------------------------------------

    def start(
        self,
        function_name: str,
        payload: str,
        *,
        name: str | None = None,
        target: str | None = None,
        timeout_ms: int | None = None,
    ) -> ExecutionRecord:
        """Record a new execution, or find the one that has this name already and the same input.

        Raises:
            InvalidParameterValue: The name is malformed.
            ExecutionAlreadyStarted: The name is taken by an execution with other input.
        """
        execution_id = uuid.uuid4().hex
        name = execution_id if name is None else name
        if not names.is_execution_name(name):
            raise InvalidParameterValue(f"Execution name {name!r}: expected 1 to 64 letters, digits, '-' or '_'.")
        with self._commits.store.write() as transaction:
            found = transaction.executions(Selection(function_name=function_name, name=name, limit=1))
            if found:
                first = transaction.operation(found[0].execution_id, found[0].execution_id)
                if first is None or first.payload != payload:
                    raise ExecutionAlreadyStarted(
                        f"The name {name!r} is taken: execution {found[0].arn} has other input. "
                        "Give the same input to go on with it, or another name to start anew."
                    )
                return found[0]
            change = transitions.create(
                ExecutionRecord(
                    execution_id=execution_id,
                    arn=names.execution_arn(function_name, name, execution_id),
                    function_name=function_name,
                    name=name,
                    start_ms=self._commits.clock.now_ms(),
                    target=target,
                    timeout_ms=timeout_ms,
                ),
                payload,
            )
            transaction.apply(change)
        self._commits.on_change(frozenset({execution_id}), frozenset())
        return change.execution

    def find(self, execution: str) -> ExecutionRecord:
        """The execution of that ARN, id or name.

        Raises:
            ExecutionNotFound: There is none, or several functions have an execution of that name.
        """
        with self._commits.store.read() as transaction:
            execution_id = names.execution_id_of(execution) or execution
            record = transaction.execution(execution_id)
            if record is not None:
                return record
            found = transaction.executions(Selection(name=execution, limit=2))
        if len(found) == 1:
            return found[0]
        if found:
            raise ExecutionNotFound(f"Several executions are named {execution!r}; give the ARN of the one you mean.")
        raise ExecutionNotFound(f"There is no execution {execution!r} in this store.")

    def executions(self, selection: Selection) -> list[ExecutionRecord]:
        """The executions of a selection."""
        with self._commits.store.read() as transaction:
            return transaction.executions(selection)

    def outcome(self, execution_id: str) -> Ended:
        """How an execution ended, or what it is doing."""
        with self._commits.store.read() as transaction:
            record = self._commits.existing(transaction, execution_id)
            first = transaction.operation(execution_id, execution_id)
            return Ended(record.status, first.result if first else None, first.error if first else None)

    def input_of(self, execution_id: str) -> str | None:
        """The input of an execution, as JSON text."""
        with self._commits.store.read() as transaction:
            first = transaction.operation(execution_id, execution_id)
            return first.payload if first else None

    # --- what the SDK in a handler calls --------------------------------------------------------------------------

    def checkpoint(self, arn: str, body: bytes) -> bytes:
        """CheckpointDurableExecution: apply a batch and answer with what changed.

        Raises:
            InvalidParameterValue: The body, the token or an update is not valid; nothing was changed.
        """
        request = _parse(body)
        client_token = request.get("ClientToken")
        if client_token is not None and not isinstance(client_token, str):
            raise InvalidParameterValue("ClientToken must be a string.")
        token = _token(arn, request.get("CheckpointToken"))
        updates = read_updates(request.get("Updates"))
        now_ms = self._commits.clock.now_ms()
        with self._commits.writing() as transaction:
            execution = self._commits.fire(transaction, token.execution_id, now_ms)
            if token.invocation == execution.invocation and token.sequence == execution.sequence - 1:
                if client_token is not None and client_token == execution.client_token:
                    changed = transaction.changes(execution.execution_id, execution.seen_before)
                    return self._answer(execution, changed)
                raise _invalid_token("it was used already")
            self._check_current(execution, token)
            change = checkpoints.checkpoint(
                execution,
                StoredView(transaction, execution.execution_id),
                updates,
                client_token,
                self._resolve,
                now_ms,
            )
            self._commits.apply(transaction, change)
            execution = change.execution
            # Usually nothing but the batch itself has changed; only then is a query saved.
            changed = iter(sorted(change.operations, key=lambda record: record.changed))
            if execution.served_version > execution.seen_before:
                changed = transaction.changes(execution.execution_id, execution.seen_before)
            return self._answer(execution, changed)

    def state(self, arn: str, token_text: str | None, marker: str | None, max_items: int) -> bytes:
        """GetDurableExecutionState: one page of operations.

        Raises:
            InvalidParameterValue: The token or the marker is not valid.
        """
        token = _token(arn, token_text)
        kind, after = _read_marker(marker)
        with self._commits.store.read() as transaction:
            execution = self._commits.existing(transaction, token.execution_id)
            self._check_current(execution, token, also_used=True)
            if kind == "c":
                records = transaction.changes(execution.execution_id, after)
            else:
                records = transaction.operations(execution.execution_id, after, hidden=False)
            page, marker = cut_page(records, kind, max_items or PAGE_ITEMS)
            return wire.state_answer(map(wire.operation_json, page), marker)

    def _answer(self, execution: ExecutionRecord, changed: Iterator[OperationRecord]) -> bytes:
        visible = (record for record in changed if not record.hidden)
        page, marker = cut_page(visible, "c", None)
        token = None if execution.is_terminal or execution.is_paused else token_of(execution)
        return wire.checkpoint_answer(token, map(wire.operation_json, page), marker)

    def _check_current(self, execution: ExecutionRecord, token: names.Token, *, also_used: bool = False) -> None:
        if execution.is_terminal:
            raise _invalid_token(f"the execution has ended ({execution.status})")
        if not execution.in_flight or token.invocation != execution.invocation:
            raise _invalid_token("its invocation is over")
        if token.sequence > execution.sequence or (token.sequence < execution.sequence and not also_used):
            raise _invalid_token("it was used already")

    def _resolve(self, function_name: str) -> Target | None:
        found = self._commits.find_function(function_name)
        if found is None:
            return None
        registered, kind, _ = found
        execution_id = uuid.uuid4().hex
        return Target(registered, kind, execution_id, names.execution_arn(registered, execution_id, execution_id))

    # --- what the outside world calls -----------------------------------------------------------------------------

    def end_callback(self, callback_id: str, outcome: Ended) -> None:
        """Complete a callback.

        Raises:
            ExecutionNotFound: No callback has this id.
            ResourceConflict: It was completed before, or its execution has ended.
        """
        self._on_callback(
            callback_id,
            lambda execution, view, operation_id, now_ms: transitions.end_callback(
                execution, view, operation_id, outcome, now_ms
            ),
        )

    def heartbeat(self, callback_id: str) -> None:
        """Restart the heartbeat timer of a callback; raises like `end_callback`."""
        self._on_callback(callback_id, transitions.heartbeat)

    def _on_callback(
        self, callback_id: str, transition: Callable[[ExecutionRecord, StoredView, str, int], Change]
    ) -> None:
        parts = names.read_callback_id(callback_id)
        unknown = ExecutionNotFound(f"No callback has the id {callback_id!r} in this store.")
        if parts is None:
            raise unknown
        execution_id, operation_id = parts
        now_ms = self._commits.clock.now_ms()
        with self._commits.writing() as transaction:
            if transaction.operation(execution_id, operation_id) is None:
                raise unknown
            execution = self._commits.fire(transaction, execution_id, now_ms)
            self._commits.apply(
                transaction, transition(execution, StoredView(transaction, execution_id), operation_id, now_ms)
            )

    def stop(self, execution_id: str, error: str | None = None) -> None:
        """End an execution STOPPED; ResourceConflict if it has ended."""
        self._on_execution(
            execution_id, lambda execution, view, now_ms: transitions.stop(execution, view, error, now_ms)
        )

    def pause(self, execution_id: str, reason: str | None = None) -> None:
        """Withhold tokens and start no invocation; ResourceConflict if it has ended or is paused."""
        self._on_execution(
            execution_id, lambda execution, view, now_ms: transitions.pause(execution, view, reason, now_ms)
        )

    def unpause(self, execution_id: str, reason: str | None = None) -> None:
        """Lift a pause; ResourceConflict if there is none."""
        self._on_execution(
            execution_id, lambda execution, view, now_ms: transitions.resume(execution, view, reason, now_ms)
        )

    def _on_execution(
        self, execution_id: str, transition: Callable[[ExecutionRecord, StoredView, int], Change]
    ) -> None:
        now_ms = self._commits.clock.now_ms()
        with self._commits.writing() as transaction:
            execution = self._commits.fire(transaction, execution_id, now_ms)
            self._commits.apply(transaction, transition(execution, StoredView(transaction, execution_id), now_ms))


def cut_page(
    records: Iterator[OperationRecord], kind: str, max_items: int | None
) -> tuple[list[OperationRecord], str | None]:
    """The next page, one record at least, and the marker of what follows it."""
    page: list[OperationRecord] = []
    size = 0
    for record in records:
        size += _RECORD_BYTES + sum(len(text) for text in (record.payload, record.result, record.error) if text)
        if page and (size > PAGE_BYTES or (max_items is not None and len(page) >= max_items)):
            last = page[-1]
            return page, f"{kind}{last.position if kind == 'o' else last.changed}"
        page.append(record)
    return page, None


def _read_marker(marker: str | None) -> tuple[str, int]:
    if not marker:
        return "o", -1
    kind, digits = marker[:1], marker[1:]
    if kind not in {"o", "c"} or not (digits.isascii() and digits.isdecimal()):
        raise InvalidParameterValue(f"Invalid marker {marker!r}.")
    return kind, int(digits)


def token_of(execution: ExecutionRecord) -> str:
    return names.write_token(names.Token(execution.execution_id, execution.invocation, execution.sequence))


def _token(arn: str, text: object) -> names.Token:
    token = names.read_token(text) if isinstance(text, str) else None
    if token is None:
        raise _invalid_token("it has not the form of one")
    if names.execution_id_of(arn) != token.execution_id:
        raise _invalid_token("it belongs to another execution")
    return token


def _invalid_token(reason: str) -> InvalidParameterValue:
    # SDKs recognize the first words: the invocation is tried again with a fresh token.
    return InvalidParameterValue(f"Invalid checkpoint token: {reason}.")


def _parse(body: bytes) -> dict[str, Any]:
    import orjson

    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError:
        # orjson refuses lone surrogates, which payloads may hold.
        try:
            request = json.loads(body)
        except ValueError as error:
            raise InvalidParameterValue(f"The request body is no JSON: {error}.") from None
    if not isinstance(request, dict):
        raise InvalidParameterValue("The request body must be a JSON object.")
    return request
