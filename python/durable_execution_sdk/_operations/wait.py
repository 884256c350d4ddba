"""What a wait decides: it is announced once, then parked until the service has completed it."""

from __future__ import annotations

from durable_execution_sdk._core import Record
from durable_execution_sdk._model.updates import OperationIdentifier, OperationUpdate, WaitOptions
from durable_execution_sdk._model.values import Value, value
from durable_execution_sdk._operations.verdicts import Announce, Deliver, Park


@value
class WaitOperation(Value):
    """One wait of whole seconds."""

    identity: OperationIdentifier
    seconds: int

    def begin(self, record: Record | None, now_ms: int) -> Announce | Deliver | Park:
        """Announce if nothing is recorded."""
        return Announce() if record is None else self.look(record, now_ms)

    def start(self) -> OperationUpdate:
        """The START update."""
        return OperationUpdate.create_wait_start(self.identity, WaitOptions(wait_seconds=self.seconds))

    def look(self, record: Record | None, now_ms: int) -> Deliver | Park:
        """Finished, or when to look again: the recorded end if there is one, else the full duration from now."""
        if record is not None and record.status == "SUCCEEDED":
            return Deliver(None)
        if record is not None and record.scheduled_end_ms is not None:
            return Park(record.scheduled_end_ms)
        return Park(now_ms + self.seconds * 1000)
