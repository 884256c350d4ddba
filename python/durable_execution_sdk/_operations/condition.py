"""What a condition decides: a step that keeps its state between checks.

| record                                | decision                      |
|---------------------------------------|-------------------------------|
| absent, READY                         | queue START, check            |
| STARTED                               | check, no second START        |
| PENDING                               | park until the next check     |
| SUCCEEDED                             | deliver the final state       |
| FAILED, CANCELLED, TIMED_OUT, STOPPED | throw `WaitForConditionError` |

The state is taken from the record before START is queued, since a service may clear it when the attempt starts.
"""

from __future__ import annotations

from durable_execution_sdk._core import Record
from durable_execution_sdk._model.errors import ErrorObject, InvocationError, WaitForConditionError
from durable_execution_sdk._model.updates import OperationIdentifier, OperationUpdate
from durable_execution_sdk._model.values import Value, value
from durable_execution_sdk._operations.outcomes import ended_otherwise, failure
from durable_execution_sdk._operations.verdicts import (
    Attempt,
    Condemn,
    Deliver,
    Escape,
    Park,
    Settled,
    Throw,
)


@value
class ConditionOperation(Value):
    """One polled condition."""

    identity: OperationIdentifier

    def begin(self, record: Record | None) -> Deliver | Throw | Park | Attempt:
        """The table above."""
        if record is None:
            return Attempt(1, OperationUpdate.create_wait_for_condition_start(self.identity))
        match record.status:
            case "SUCCEEDED":
                return Deliver(record.result)
            case "READY":
                start = OperationUpdate.create_wait_for_condition_start(self.identity)
                return Attempt(record.attempt + 1, start, state=record.result or None)
            case "STARTED":
                return Attempt(record.attempt + 1, None, state=record.result or None)
            case "PENDING":
                return Park(record.next_attempt_ms)
            case _:
                return Throw(ended_otherwise(self.identity, record, WaitForConditionError))

    def judge(self, error: Exception) -> Escape | Condemn:
        """What becomes of an exception of the check, the serdes or the strategy."""
        return Escape() if isinstance(error, InvocationError) and error.is_retryable() else Condemn()

    def succeed(self, payload: str | None) -> Settled:
        """The strategy is content with the state written as `payload`."""
        return Settled(OperationUpdate.create_wait_for_condition_succeed(self.identity, payload), Deliver(payload))

    def fail(self, error: Exception) -> Settled:
        """No further check."""
        recorded = ErrorObject.from_exception(error)
        update = OperationUpdate.create_wait_for_condition_fail(self.identity, recorded)
        return Settled(update, Throw(failure(recorded, WaitForConditionError, "")))

    def retry(self, payload: str | None, delay_seconds: int, now_ms: int) -> Settled:
        """Check again after `delay_seconds`, from the state written as `payload`."""
        update = OperationUpdate.create_wait_for_condition_retry(self.identity, payload, delay_seconds)
        return Settled(update, Park(now_ms + delay_seconds * 1000))
