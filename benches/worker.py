"""One side of the comparison: a process that measures what it is asked, one JSON line in, one out.

    python -m benches.worker MODULE

MODULE is the SDK's import name. `{"question": "replay", "arguments": {...}}` calls `measure(MODULE, **arguments)` of
`benches.questions.replay` and answers `{"value": number}`, or `{"error": text}`. With `"floor": true` it calls that
module's `floor(**arguments)` instead.
"""

from __future__ import annotations

import gc
import importlib
import json
import logging
import sys
import traceback
from functools import partial


def main(module: str) -> None:
    """Serve until the input ends."""
    answers = sys.stdout
    sys.stdout = sys.stderr  # whatever an SDK or a handler prints must not end up between the answers
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            question = importlib.import_module(f"benches.questions.{request['question']}")
            gc.collect()
            measure = question.floor if request["floor"] else partial(question.measure, module)
            answer = {"value": measure(**request["arguments"])}
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
