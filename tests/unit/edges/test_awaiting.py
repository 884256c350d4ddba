"""Async service clients under a driver that sends from plain threads."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import threading
from typing import Any

import pytest

from durable_execution_sdk._core import Journal
from durable_execution_sdk._edges.awaiting import OwnLoop
from durable_execution_sdk._edges.clients import ClientTransport
from durable_execution_sdk._model.api_errors import CheckpointError, DurableExecutionClientError
from durable_execution_sdk._model.enums import OperationAction, OperationType
from durable_execution_sdk._model.updates import OperationUpdate
from durable_execution_sdk._model.wire import CheckpointOutput, CheckpointUpdatedExecutionState, StateOutput

tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="none")


class AsyncClient:
    """Keeps something that is bound to its loop, as HTTP sessions are."""

    def __init__(self) -> None:
        self.loops: list[asyncio.AbstractEventLoop] = []
        self.tenants: list[str] = []
        self.session: asyncio.Event | None = None
        self.failure: Exception | None = None

    async def _touch(self) -> None:
        self.loops.append(asyncio.get_running_loop())
        self.tenants.append(tenant.get())
        if self.session is None:
            self.session = asyncio.Event()
            asyncio.get_running_loop().call_soon(self.session.set)
        await self.session.wait()
        if self.failure is not None:
            raise self.failure

    async def checkpoint(
        self,
        durable_execution_arn: str,
        checkpoint_token: str,
        updates: list[OperationUpdate],
        client_token: str | None,
    ) -> CheckpointOutput:
        await self._touch()
        return CheckpointOutput("token-2", CheckpointUpdatedExecutionState())

    async def get_execution_state(
        self, durable_execution_arn: str, checkpoint_token: str, next_marker: str, max_items: int = 1000
    ) -> StateOutput:
        await self._touch()
        return StateOutput()


def request() -> Any:
    journal = Journal("token-1")
    journal.push(OperationUpdate(operation_id="s", operation_type=OperationType.STEP, action=OperationAction.START))
    return journal.next_request("c")


def test_answers_are_awaited_on_one_loop_from_any_thread() -> None:
    client = AsyncClient()
    transport = ClientTransport(client)
    assert transport.checkpoint("arn", request())["CheckpointToken"] == "token-2"
    threads = [threading.Thread(target=transport.fetch_state, args=("arn", "t", "", 10)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(client.loops) == 5
    assert len(set(map(id, client.loops))) == 1
    assert not client.loops[0].is_running()


def test_a_thread_that_runs_a_loop_already_is_served_too() -> None:
    client = AsyncClient()
    transport = ClientTransport(client)

    async def notebook_cell() -> Any:
        tenant.set("blue")
        return transport.fetch_state("arn", "t", "", 10)

    before = threading.active_count()
    assert asyncio.run(notebook_cell()) == {"Operations": []}
    transport.fetch_state("arn", "t", "", 10)
    assert client.tenants == ["blue", "none"], "context variables travel"
    assert len(set(map(id, client.loops))) == 1
    assert threading.active_count() == before


@pytest.mark.parametrize("under_a_loop", [False, True])
def test_failures_are_those_of_the_client(under_a_loop: bool) -> None:
    client = AsyncClient()
    transport = ClientTransport(client)

    def call() -> Any:
        async def cell() -> Any:
            return transport.checkpoint("arn", request())

        return asyncio.run(cell()) if under_a_loop else transport.checkpoint("arn", request())

    client.failure = DurableExecutionClientError("no key")
    with pytest.raises(CheckpointError, match="no key"):
        call()
    client.failure = OSError("disk full")
    with pytest.raises(OSError, match="disk full"):
        call()


def test_the_loop_is_closed_with_its_owner() -> None:
    client = AsyncClient()
    transport = ClientTransport(client)
    transport.fetch_state("arn", "t", "", 10)
    del transport
    gc.collect()
    assert client.loops[0].is_closed()


def test_a_forked_process_gets_a_loop_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    own = OwnLoop()

    async def running() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    first = own.value(running())
    monkeypatch.setattr(os, "getpid", lambda: -1)
    second = own.value(running())
    assert first is not second
    first.close()
    second.close()
