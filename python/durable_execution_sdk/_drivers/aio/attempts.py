"""Steps and conditions for the asyncio driver: operations whose attempts run user code."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from durable_execution_sdk._drivers.aio.run import Run
from durable_execution_sdk._drivers.aio.started import Started, around, decode, encode
from durable_execution_sdk._drivers.codec import Codec
from durable_execution_sdk._drivers.threads import whole_delay
from durable_execution_sdk._operations.condition import ConditionOperation
from durable_execution_sdk._operations.identity import describe
from durable_execution_sdk._operations.step import StepOperation
from durable_execution_sdk._operations.verdicts import Attempt, Condemn, Escape, Interrupted, Settled

T = TypeVar("T")

_logger = logging.getLogger("durable_execution_sdk")


class StartedStep(Started[T]):
    """A step."""

    def __init__(
        self,
        run: Run,
        op: StepOperation,
        position: int,
        codec: Codec,
        body: Callable[[int], Any],
        strategy: Callable[[Exception, int], Any],
    ) -> None:
        super().__init__(run, op.identity, position, codec)
        self.op = op
        self._body = body
        self._strategy = strategy
        self._attempt: Attempt | Interrupted | None = None

    def advance(self) -> None:
        record = self.recall()
        verdict = self.op.begin(record)
        if isinstance(verdict, Attempt | Interrupted):
            self._attempt = verdict
            self.run.want_body(self)
        else:
            self.follow(verdict, record)

    def start_body(self) -> None:
        attempt = self._attempt
        assert attempt is not None  # want_body is called with one only
        self.promise.body = self.run.spawn_body(self.guarded(lambda: self._run(attempt)), self, user=False)

    async def _run(self, attempt: Attempt | Interrupted) -> None:
        if isinstance(attempt, Interrupted):
            await self.settle(self._consult(attempt.error, attempt.number))
            return
        await _announce(self, attempt)
        if attempt.confirm:
            self.op.confirmed(self.run.journal.find(self.identity.operation_id))
        failed: Exception | None = None
        try:
            with around(self, attempt.number):
                value = await self._body(attempt.number)
            payload = await encode(self.codec, value)
            self.codec.require_sendable(payload)
            self._value = await decode(self.codec, payload)
        except Exception as error:
            failed = error
        if failed is None:
            await self.settle(self.op.succeed(payload))
            return
        judgement = self.op.judge(failed)
        if isinstance(judgement, Escape):
            self.fail(failed)
        elif isinstance(judgement, Condemn):
            await self.settle(self.op.fail(failed))
        else:
            _logger.debug("attempt %d of %s failed", attempt.number, describe(self.identity), exc_info=failed)
            await self.settle(self._consult(failed, attempt.number))

    def _consult(self, error: Exception, attempt: int) -> Settled:
        decision = self._strategy(error, attempt)
        if not decision.should_retry:
            return self.op.fail(error)
        delay = whole_delay(decision.delay_seconds, self.identity)
        return self.op.retry(error, delay, self.run.state.clock.now_ms())


class StartedCondition(Started[T]):
    """A polled condition."""

    def __init__(
        self,
        run: Run,
        op: ConditionOperation,
        position: int,
        codec: Codec,
        check: Callable[[Any, int], Any],
        initial_state: Any,
        strategy: Callable[[Any, int], Any],
    ) -> None:
        super().__init__(run, op.identity, position, codec)
        self.op = op
        self._check = check
        self._initial_state = initial_state
        self._strategy = strategy
        self._attempt: Attempt | None = None

    def advance(self) -> None:
        record = self.recall()
        verdict = self.op.begin(record)
        if isinstance(verdict, Attempt):
            self._attempt = verdict
            self.run.want_body(self)
        else:
            self.follow(verdict, record)

    def start_body(self) -> None:
        attempt = self._attempt
        assert attempt is not None  # want_body is called with one only
        self.promise.body = self.run.spawn_body(self.guarded(lambda: self._run(attempt)), self, user=False)

    async def _run(self, attempt: Attempt) -> None:
        await _announce(self, attempt)
        failed: Exception | None = None
        try:
            text = attempt.state if attempt.state is not None else await encode(self.codec, self._initial_state)
            before = await decode(self.codec, text)
            with around(self, attempt.number):
                after = await self._check(before, attempt.number)
            payload = await encode(self.codec, after)
            self.codec.require_sendable(payload)
            decision = self._strategy(await decode(self.codec, payload), attempt.number)
            value = None if decision.should_continue else await decode(self.codec, payload)
        except Exception as error:
            failed = error
        if failed is not None:
            if isinstance(self.op.judge(failed), Escape):
                self.fail(failed)
            else:
                await self.settle(self.op.fail(failed))
        elif decision.should_continue:
            delay = whole_delay(decision.delay_seconds, self.identity)
            await self.settle(self.op.retry(payload, delay, self.run.state.clock.now_ms()))
        else:
            self._value = value
            await self.settle(self.op.succeed(payload))


async def _announce(started: Started[Any], attempt: Attempt) -> None:
    if attempt.announce is None:
        return
    if started.run.state.hooks is not None:
        started.run.state.hooks.operation_starting(attempt.announce)
    ticket = started.run.submit(attempt.announce)
    if attempt.confirm:
        await started.run.acknowledged(ticket)
