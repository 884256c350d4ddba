"""Maps and parallels: their results are in `models`."""

from durable_execution_sdk.concurrency import models

__all__ = ["models"]
