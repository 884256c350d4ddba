"""What `async def` handlers work with: their context, and the promises that its operations return."""

from durable_execution_sdk._drivers.aio.callback import AsyncCallback
from durable_execution_sdk._drivers.aio.combinators import Combinators
from durable_execution_sdk._drivers.aio.context import AsyncDurableContext
from durable_execution_sdk._drivers.aio.promise import DurablePromise
from durable_execution_sdk._model.settled import SettledResult

__all__ = ["AsyncCallback", "AsyncDurableContext", "Combinators", "DurablePromise", "SettledResult"]
