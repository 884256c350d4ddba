"""Spans that the official OpenTelemetry package exports for scenarios, in the official SDK's environment.

    python -m tests.compat.spans VIEW SCENARIO...

VIEW is `invocation` or `execution`. Prints one line a scenario: its spans as names, parents and attributes.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import Any

from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python_otel import (
    ExecutionOtelPluginFactory,
    InvocationOtelPluginFactory,
    OtelPluginConfig,
)
from aws_durable_execution_sdk_python_testing.runner import DurableFunctionTestRunner
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.compat import scenarios
from tests.compat.sdk import Sdk
from tests.compat.sides import OFFICIAL

Json = dict[str, Any]
FACTORIES = {"invocation": InvocationOtelPluginFactory, "execution": ExecutionOtelPluginFactory}


def spans_of(sdk: Sdk, view: str, name: str) -> list[Json]:
    """Run a scenario to its end; its spans, without what clocks and chance make up."""
    case = scenarios.REGISTRY[name]
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    plugin = FACTORIES[view](OtelPluginConfig(tracer_provider=provider))
    handler = durable_execution(lambda event, context: case.body(sdk, event, context), plugins=[plugin])
    with DurableFunctionTestRunner(handler, poll_interval=0.05) as runner:
        result = runner.run(input=case.payload, execution_timeout=100_000)
    finished = exporter.get_finished_spans()
    names = {span.context.span_id: span.name for span in finished}
    found = []
    for span in finished:
        attributes = dict(span.attributes or {})
        attributes.pop("durable.execution.arn", None)
        found.append(
            {
                "name": span.name,
                "kind": span.kind.name,
                "parent": None if span.parent is None else names.get(span.parent.span_id, "elsewhere"),
                "status": span.status.status_code.name,
                "attributes": {key: attributes[key] for key in sorted(attributes)},
                "links": len(span.links),
            }
        )
    assert result is not None
    return sorted(found, key=lambda span: json.dumps(span, sort_keys=True))


def main(view: str, names: list[str]) -> None:
    """Print them."""
    os.environ.pop("_X_AMZN_TRACE_ID", None)
    out, sys.stdout = sys.stdout, sys.stderr
    logging.disable(logging.CRITICAL)
    sdk = Sdk(OFFICIAL)
    for name in names:
        line = {"scenario": name, "package": sdk.top.__name__, "spans": spans_of(sdk, view, name)}
        print(json.dumps(line), file=out, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
