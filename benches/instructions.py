"""A handler that runs over finished operations again and again: for `tools/instructions.py`, which counts.

    python -m benches.instructions EXTENSION COLOUR TIMES STEPS

EXTENSION is the file of the compiled core to use, whatever is installed. Two runs that differ in TIMES alone differ by
invocations in a warm process: neither the start of Python nor the making and parsing of the event is in the difference.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import sys
from datetime import timedelta
from importlib.machinery import ExtensionFileLoader, ModuleSpec

from benches.events import Client, LambdaContext
from benches.questions import shapes

SDK = "durable_execution_sdk"


def use_core(file: str) -> None:
    """Let the package find its compiled core in that file."""
    name = f"{SDK}._core"
    loader = ExtensionFileLoader(name, file)
    core = importlib.util.module_from_spec(ModuleSpec(name, loader, origin=file))
    loader.exec_module(core)
    sys.modules[name] = core


def main(extension: str, colour: str, times: int, steps: int) -> None:
    """Invoke a handler of that colour so often over the same history of finished steps."""
    use_core(extension)
    logging.disable(logging.CRITICAL)
    module = importlib.import_module(SDK)
    write = shapes.coroutine if colour == "async" else shapes.plain
    durable = module.durable_execution(write("steps", steps, timedelta(seconds=1)), boto3_client=Client())
    invocation = json.loads(shapes.event(SDK, "steps", steps))
    for _ in range(times):
        output = durable(invocation, LambdaContext())
        assert output == {"Status": "SUCCEEDED", "Result": str(steps)}, output


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
