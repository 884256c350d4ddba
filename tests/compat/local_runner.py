"""Records scenarios with the official local runner, in the official SDK's environment.

    python -m tests.compat.local_runner SCENARIO...

Prints one history a line. What the runner hands to the handler and what it acknowledges is merged into the final
records, as an SDK sees them.
"""

from __future__ import annotations

import json
import logging
import sys
from importlib.metadata import version
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import ErrorObject
from aws_durable_execution_sdk_python_testing.runner import DurableFunctionTestRunner

from tests.compat import scenarios
from tests.compat.outside import FUNCTIONS, OUTSIDE, Outside
from tests.compat.sdk import Sdk
from tests.compat.sides import OFFICIAL

Json = dict[str, Any]


class Tap:
    """The runner's service client, with an eye on what it acknowledges."""

    def __init__(self, client: Any, records: dict[str, Json]) -> None:
        self._client = client
        self._records = records

    def checkpoint(self, *arguments: Any, **options: Any) -> Any:
        """Pass the request on and keep what comes back."""
        answer = self._client.checkpoint(*arguments, **options)
        for operation in answer.new_execution_state.operations:
            self._records[operation.operation_id] = operation.to_json_dict()
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def answer(runner: Any, outside: Outside) -> None:
    """Run a handler and do for it what the world outside does."""
    for name, function in FUNCTIONS.items():
        runner.register_function(name, function)
    arn = runner.run_async(input="{}", execution_timeout=100_000)
    for name, result in outside.answers:
        callback_id = runner.wait_for_callback(arn, name=name, timeout=60)
        if result is None:
            runner.send_callback_failure(callback_id, ErrorObject("refused", "Approval.Refused", "by the bank", None))
        else:
            runner.send_callback_success(callback_id, result)
    runner.wait_for_result(arn, timeout=60)


def record(sdk: Sdk, name: str) -> Json:
    """Run a scenario to its end and describe the execution."""
    outside = OUTSIDE.get(name)
    case = scenarios.REGISTRY.get(name)
    body = outside.body if outside is not None else case.body
    records: dict[str, Json] = {}
    found: Json = {}

    def handler(event: Any, context: Any) -> Any:
        for operation in event.initial_execution_state.operations:
            records[operation.operation_id] = operation.to_json_dict()
        tapped = sdk.execution.DurableExecutionInvocationInputWithClient.from_durable_execution_invocation_input(
            event, Tap(event.service_client, records)
        )
        durable = sdk.top.durable_execution(lambda payload, durable_context: body(sdk, payload, durable_context))
        found.update(arn=event.durable_execution_arn, output=durable(tapped, context))
        return found["output"]

    with DurableFunctionTestRunner(handler, poll_interval=0.05) as runner:
        if outside is None:
            runner.run(input=case.payload, execution_timeout=100_000)
        else:
            answer(runner, outside)
    return {
        "version": 1,
        "producer": f"{OFFICIAL} {version(OFFICIAL.replace('_', '-'))}, local runner "
        f"{version('aws-durable-execution-sdk-python-testing')}",
        "package": sdk.top.__name__,
        "scenario": name,
        "arn": found["arn"],
        "outcome": {"output": found["output"]},
        "operations": list(records.values()),
    }


def main(names: list[str]) -> None:
    """Print the histories."""
    out, sys.stdout = sys.stdout, sys.stderr
    logging.disable(logging.CRITICAL)
    sdk = Sdk(OFFICIAL)
    for name in names:
        print(json.dumps(record(sdk, name)), file=out, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
