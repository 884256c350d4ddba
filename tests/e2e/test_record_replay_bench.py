"""From an execution to its record, its replay and its bench, as somebody types it, with both colours of handler."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

DEF = """
from durable_execution_sdk import durable_execution
from durable_execution_sdk.config import Duration
from durable_execution_sdk.engine import Engine

def told(callback_id, event):
    # Inside a step of a running execution: keep its history as it is now, then let it go on.
    with Engine(event["store"]) as engine:
        engine.export_history(event["name"], event["running"])
        engine.send_callback_success(callback_id, '"secret approval"')
    return "secret message"

@durable_execution
def handler(event, context):
    def pay(inside):
        inside.step(lambda _: "secret authorisation", name="authorise")
        return inside.step(lambda _: "secret capture", name="capture")

    paid = context.run_in_child_context(pay, name="payment")
    context.map([1, 2], lambda inside, line, *_: inside.step(lambda _: f"secret {line}", name="line"), name="lines")
    context.parallel(
        [
            lambda inside: inside.step(lambda _: "secret mail", name="mail"),
            lambda inside: inside.wait(Duration.from_seconds(1), name="later"),
        ],
        name="notify",
    )
    approval = context.create_callback("approval")
    context.step(lambda _: told(approval.callback_id, event), name="ask")
    return {"paid": paid, "approval": approval.result()}
"""
ASYNC = (
    DEF.replace("def handler", "async def handler")
    .replace("def pay", "async def pay")
    .replace("        inside.step", "        await inside.step")
    .replace("return inside.step", "return await inside.step")
    .replace("context.", "await context.")
    .replace("approval.result()", "await approval.result()")
)


STORE = ".durable/store.db"


def durable(folder: Path, *words: str, code: int = 0) -> str:
    command = [sys.executable, "-m", "durable_execution_sdk.cli", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(params=[DEF, ASYNC], ids=["def", "async def"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with a handler, a store where it ran to its end, and its history in the middle of that."""
    (tmp_path / "orders.py").write_text(request.param)
    (tmp_path / "changed.py").write_text(request.param.replace('"capture"', '"charge"').replace('"ask"', '"request"'))
    event = json.dumps({"store": STORE, "name": "order-17", "running": "running.json"})
    ran = durable(tmp_path, "run", "orders:handler", "--name", "order-17", "--input", event, "--time-scale", "0")
    assert json.loads(ran) == {"paid": "secret capture", "approval": '"secret approval"'}
    return tmp_path


def test_the_handler_agrees_with_every_record_of_it(shop: Path) -> None:
    durable(shop, "record", "order-17", "folder/order-17.json")
    durable(shop, "record", "--all", "all.jsonl")
    durable(shop, "record", "order-17", "masked.json", "--mask", "*", "--keep-input")
    durable(shop, "record", "order-17", "bare.json", "--no-payloads")
    for name in ("masked.json", "bare.json"):
        assert "secret" not in (shop / name).read_text()
    sources = ("folder", "all.jsonl", "masked.json", "bare.json", "running.json", "--store", STORE)
    found = json.loads(durable(shop, "replay", "orders:handler", *sources, "--json"))
    assert found["summary"] == {"clean": 5, "frontier": 1}
    for report in found["reports"]:
        assert report["agreed"] == report["operations"]
    looking = (shop / "orders.py").read_text().replace('{"paid": paid', '{"paid": len(paid)')
    (shop / "looking.py").write_text(looking)
    told = durable(shop, "replay", "looking:handler", "masked.json", "all.jsonl", "--verbose", code=6)
    assert "the code looks at the result of RunInChildContext 'payment', which is masked" in told
    assert "all.jsonl:1: clean" in told


def test_a_change_is_found_in_every_record(shop: Path) -> None:
    durable(shop, "record", "--all", "all.jsonl", "--mask", "*", "--keep-input")
    found = durable(shop, "replay", "changed:handler", "all.jsonl", "running.json", "--store", STORE, code=1)
    assert found.count("recorded: Step 'capture'") == 3 - found.count("recorded: Step 'ask'")
    assert "3 diverged: renamed" in found
    assert f"{shop}/changed.py:" in found
    assert "secret" not in found


def test_records_are_timed(shop: Path) -> None:
    durable(shop, "record", "--all", "all.jsonl")
    durable(shop, "bench", "orders:handler", "all.jsonl", "--store", STORE, "--rounds", "2", "--save", "before.json")
    words = ("bench", "orders:handler", "running.json", "--rounds", "2", "--baseline", "before.json", "--json")
    found = json.loads(durable(shop, *words))
    assert (found["baseline"]["histories"], found["figures"]["histories"]) == (2, 1)
