"""What a chained invoke decides: it is announced once with its payload, the service runs the other function."""

from __future__ import annotations

from durable_execution_sdk._core import Record
from durable_execution_sdk._model.errors import InvokeError
from durable_execution_sdk._model.updates import ChainedInvokeOptions, OperationIdentifier, OperationUpdate
from durable_execution_sdk._model.values import Value, value
from durable_execution_sdk._operations.outcomes import ended_otherwise
from durable_execution_sdk._operations.verdicts import Announce, Deliver, Park, Throw


@value
class InvokeOperation(Value):
    """One call of another function."""

    identity: OperationIdentifier
    function_name: str
    tenant_id: str | None

    def begin(self, record: Record | None, now_ms: int) -> Announce | Deliver | Throw | Park:
        """Announce if nothing is recorded."""
        return Announce() if record is None else self.look(record, now_ms)

    def start(self, payload: str | None, trace_id: str | None) -> OperationUpdate:
        """The START update; `trace_id` is what a plugin wants the callee to see."""
        options = ChainedInvokeOptions(self.function_name, self.tenant_id, trace_id)
        return OperationUpdate.create_invoke_start(self.identity, payload, options)

    def look(self, record: Record | None, now_ms: int) -> Deliver | Throw | Park:
        """Finished one way or the other, or parked until the service has news."""
        match record.status if record is not None else None:
            case "SUCCEEDED" if record is not None:
                return Deliver(record.result)
            case "FAILED" | "TIMED_OUT" | "STOPPED" if record is not None:
                return Throw(ended_otherwise(self.identity, record, InvokeError))
            case _:
                return Park(None)
