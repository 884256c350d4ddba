"""The Lambda API's view of what an engine has run: lists, descriptions and histories, over loopback.

It keeps what the API promises and no more: pages of at most MaxItems (0: 100, more than 1000 is refused) with opaque
markers, events of a page in any order, `IncludeExecutionData`, payloads above a size truncated, `ReplayChildren`
told nowhere. Faults are ordered as for any `Loopback`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from durable_execution_sdk.engine import Engine, ExecutionSummary
from tests.support.loopback import Loopback, Received, Refused

__all__ = ["RecordedLoopback", "api_events", "recorded_loopback"]


def api_events(events: Sequence[Mapping[str, Any]], truncate_above: int | None = None) -> list[dict[str, Any]]:
    """Events of the engine as the API gives them: epoch seconds, large payloads truncated."""
    return [_shortened(_in_seconds(event), truncate_above) for event in events]


def _in_seconds(value: Any, key: str = "") -> Any:
    if isinstance(value, Mapping):
        return {name: _in_seconds(item, name) for name, item in value.items()}
    return value / 1000 if key.endswith("Timestamp") else value


def _shortened(event: dict[str, Any], above: int | None) -> dict[str, Any]:
    if above is None:
        return event
    details = event[f"{event['EventType']}Details"]
    for key in ("Input", "Result"):
        if len(details.get(key, {}).get("Payload") or "") > above:
            details[key] = {"Truncated": True}
    return event


class RecordedLoopback(Loopback):
    """See the head of this module."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.truncate_above: int | None = None
        self.largest_page = 1000
        self.deleted: set[str] = set()
        self.encrypted: set[str] = set()
        super().__init__()

    def serve(self, request: Received) -> dict[str, Any]:
        """Answer one of the three calls."""
        path = urlsplit(request.target).path.split("/")
        if request.method != "GET" or path[1] != "2025-12-01":
            return super().serve(request)
        query = parse_qs(urlsplit(request.target).query)
        subject = unquote(path[3])
        if path[2] == "functions":
            return self._list(subject, query)
        summary = self._find(subject)
        data = query.get("IncludeExecutionData", ["true"])[0] == "true"
        if data and summary.name in self.encrypted:
            raise Refused(502, "KMSAccessDeniedException", "the key of another may not be used")
        if len(path) == 4:
            return self._describe(summary, data=data)
        events = api_events([*self.engine.history(summary.arn, payloads=data)], self.truncate_above)
        page = self._page("Events", events, query)
        page["Events"].reverse()
        return page

    def _find(self, arn: str) -> ExecutionSummary:
        for summary in self.engine.list(newest_first=False, limit=1_000_000):
            if summary.arn == arn and summary.name not in self.deleted:
                return summary
        raise Refused(404, "ResourceNotFoundException", f"Durable execution not found: {arn}")

    def _list(self, function: str, query: dict[str, list[str]]) -> dict[str, Any]:
        found = [
            self._summary(summary)
            for summary in self.engine.list(newest_first=False, limit=1_000_000)
            if function in {summary.function_name, _function_arn(summary.arn)}
        ]
        if not found:
            raise Refused(404, "ResourceNotFoundException", f"Function not found: {function}")
        if "Statuses" in query:
            found = [shown for shown in found if shown["Status"] in query["Statuses"]]
        if "DurableExecutionName" in query:
            found = [shown for shown in found if shown["DurableExecutionName"] in query["DurableExecutionName"]]
        return self._page("DurableExecutions", found, query)

    def _summary(self, summary: ExecutionSummary) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "DurableExecutionArn": summary.arn,
            "DurableExecutionName": summary.name,
            "FunctionArn": _function_arn(summary.arn),
            "Status": summary.status,
            "StartTimestamp": summary.start_ms / 1000,
        }
        return shown if summary.end_ms is None else shown | {"EndTimestamp": summary.end_ms / 1000}

    def _describe(self, summary: ExecutionSummary, *, data: bool) -> dict[str, Any]:
        shown = self._summary(summary) | {"Version": "$LATEST", "ExecutionDataIncluded": data}
        if data:
            shown["InputPayload"] = summary.input_json
            if summary.result_json is not None:
                shown["Result"] = summary.result_json
        return shown

    def _page(self, member: str, items: list[dict[str, Any]], query: dict[str, list[str]]) -> dict[str, Any]:
        asked = int(query.get("MaxItems", ["0"])[0])
        if asked > 1000:
            raise Refused(400, "InvalidParameterValueException", "MaxItems is at most 1000")
        size = min(asked or 100, self.largest_page)
        start = 0
        if "Marker" in query:
            start = int(base64.b64decode(query["Marker"][0]))
        page: dict[str, Any] = {member: items[start : start + size]}
        if start + size < len(items):
            page["NextMarker"] = base64.b64encode(str(start + size).encode()).decode()
        return page


def _function_arn(arn: str) -> str:
    return arn.partition("/")[0]


@contextmanager
def recorded_loopback(engine: Engine) -> Iterator[RecordedLoopback]:
    """The service, listening."""
    service = RecordedLoopback(engine)
    try:
        yield service
    finally:
        service.close()
