"""Check a handler against recorded histories, offline: no step runs, nothing is sent.

Example:
    >>> from durable_execution_sdk.replay import check, read  # doctest: +SKIP
    >>> reports = [check(handler, history) for history in read(Path("histories"))]  # doctest: +SKIP
"""

from durable_execution_sdk._edges.aws_histories import HistorySourceError, RecordedExecutions, histories_client
from durable_execution_sdk.replay.checking import Report, check, check_all, summary
from durable_execution_sdk.replay.histories import History, Unreadable
from durable_execution_sdk.replay.masking import masked
from durable_execution_sdk.replay.offline import SideEffectError
from durable_execution_sdk.replay.portions import read, read_store
from durable_execution_sdk.replay.recordings import (
    Recording,
    history_from,
    lines_file,
    record_aws,
    record_function,
    record_store,
    write_folder,
    write_recording,
)

__all__ = [
    "History",
    "HistorySourceError",
    "RecordedExecutions",
    "Recording",
    "Report",
    "SideEffectError",
    "Unreadable",
    "check",
    "check_all",
    "histories_client",
    "history_from",
    "lines_file",
    "masked",
    "read",
    "read_store",
    "record_aws",
    "record_function",
    "record_store",
    "summary",
    "write_folder",
    "write_recording",
]
