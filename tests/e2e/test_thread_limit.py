"""A map over 5,000 items under Lambda's limit of 1,024 processes and threads."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PROGRAM = textwrap.dedent("""
    import json, resource, threading
    resource.setrlimit(resource.RLIMIT_NPROC, (1024, 1024))
    from durable_execution_sdk import durable_execution
    from durable_execution_sdk.engine import Engine, VirtualClock

    peak = 0

    def item(context, number, index, numbers):
        def body(step):
            global peak
            peak = max(peak, threading.active_count())
            return number * 2
        return context.step(body, name="double")

    @durable_execution
    def handler(event, context):
        batch = context.map(list(range(5000)), item, name="items")
        batch.throw_if_error()
        return sum(batch.get_results())

    before = threading.active_count()
    with Engine(clock=VirtualClock()) as engine:
        result = engine.run(handler, None)
    print(json.dumps({"result": result, "started": peak - before}))
""")

# The limit does not bind root; as another user the interpreter under a private home must still be readable.
AS_ANOTHER_USER = [
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search",
]


@pytest.mark.timeout(300)
def test_five_thousand_items_use_at_most_64_threads(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM]
    if os.geteuid() == 0 and shutil.which("setpriv"):
        command = [*AS_ANOTHER_USER, *command]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert found["result"] == sum(range(5000)) * 2
    assert 1 <= found["started"] <= 64
