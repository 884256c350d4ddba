"""What a step decides.

| record                                | at least once per retry     | at most once per retry                  |
|---------------------------------------|-----------------------------|-----------------------------------------|
| absent, READY                         | queue START, run            | START acknowledged, then run            |
| STARTED                               | run, no second START        | interrupted: the retry strategy decides |
| PENDING                               | park until the next attempt | the same                                |
| SUCCEEDED                             | deliver                     | deliver                                 |
| FAILED, CANCELLED, TIMED_OUT, STOPPED | throw `StepError`           | throw `StepError`                       |
"""

from __future__ import annotations

from durable_execution_sdk._core import Record
from durable_execution_sdk._model.config import StepSemantics
from durable_execution_sdk._model.errors import (
    ErrorObject,
    ExecutionError,
    InvalidStateError,
    RetryableSerDesError,
    SerDesError,
    StepError,
    StepInterruptedError,
)
from durable_execution_sdk._model.updates import OperationIdentifier, OperationUpdate
from durable_execution_sdk._model.values import Value, value
from durable_execution_sdk._operations.identity import describe
from durable_execution_sdk._operations.outcomes import ended_otherwise, failure
from durable_execution_sdk._operations.verdicts import (
    Attempt,
    Condemn,
    Consult,
    Deliver,
    Escape,
    Interrupted,
    Judgement,
    Park,
    Settled,
    Throw,
)


@value
class StepOperation(Value):
    """One step: its identity and its guarantee per attempt."""

    identity: OperationIdentifier
    semantics: StepSemantics

    def begin(self, record: Record | None) -> Deliver | Throw | Park | Attempt | Interrupted:
        """The table above."""
        once = self.semantics is StepSemantics.AT_MOST_ONCE_PER_RETRY
        if record is None:
            return Attempt(1, OperationUpdate.create_step_start(self.identity), confirm=once)
        match record.status:
            case "SUCCEEDED":
                return Deliver(record.result)
            case "READY":
                start = OperationUpdate.create_step_start(self.identity)
                return Attempt(record.attempt + 1, start, confirm=once)
            case "STARTED" if once:
                return Interrupted(record.attempt + 1, _interrupted(self.identity, record.attempt + 1))
            case "STARTED":
                return Attempt(record.attempt + 1, None)
            case "PENDING":
                return Park(record.next_attempt_ms)
            case _:
                return Throw(ended_otherwise(self.identity, record, StepError))

    def confirmed(self, record: Record | None) -> None:
        """After the acknowledged START of an at-most-once attempt: it must stand there as started.

        Raises:
            InvalidStateError: It does not, so the body must not run.
        """
        if record is None or record.status != "STARTED":
            found = "nothing" if record is None else record.status
            raise InvalidStateError(
                f"The service acknowledged the START of {describe(self.identity)} but reports {found} instead of"
                " STARTED; an at-most-once body does not run on that."
            )

    def judge(self, error: Exception) -> Judgement:
        """What becomes of an exception of the body or the serdes."""
        if isinstance(error, RetryableSerDesError | ExecutionError):
            return Escape()
        return Condemn() if isinstance(error, SerDesError) else Consult()

    def succeed(self, payload: str | None) -> Settled:
        """The body returned and its result is written as `payload`."""
        return Settled(OperationUpdate.create_step_succeed(self.identity, payload), Deliver(payload))

    def fail(self, error: Exception) -> Settled:
        """No further attempt."""
        recorded = ErrorObject.from_exception(error)
        update = OperationUpdate.create_step_fail(self.identity, recorded)
        return Settled(update, Throw(failure(recorded, StepError, "")))

    def retry(self, error: Exception, delay_seconds: int, now_ms: int) -> Settled:
        """Another attempt after `delay_seconds`."""
        recorded = ErrorObject.from_exception(error)
        update = OperationUpdate.create_step_retry(self.identity, recorded, delay_seconds)
        return Settled(update, Park(now_ms + delay_seconds * 1000))


def _interrupted(identity: OperationIdentifier, attempt: int) -> StepInterruptedError:
    return StepInterruptedError(
        f"Attempt {attempt} of {describe(identity)} was started in an earlier invocation and its end is not recorded;"
        " it does not run again because the step runs at most once per retry.",
        step_id=identity.operation_id,
    )
