"""Check a handler against recorded histories, offline: no step runs, nothing is sent.

Example:
    >>> from durable_execution_sdk.replay import check, read  # doctest: +SKIP
    >>> reports = [check(handler, history) for history in read(Path("histories"))]  # doctest: +SKIP
"""

from durable_execution_sdk.replay.checking import Report, check, check_all, summary
from durable_execution_sdk.replay.histories import History, read, read_store
from durable_execution_sdk.replay.offline import SideEffectError

__all__ = ["History", "Report", "SideEffectError", "check", "check_all", "read", "read_store", "summary"]
