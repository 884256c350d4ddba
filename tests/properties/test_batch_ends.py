"""Maps with any branches, on any number of threads, with a service that fails at any request: always the same end."""

from __future__ import annotations

import json
import threading
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from durable_execution_sdk._drivers.invocation import DurableFunction
from durable_execution_sdk._model.completion import CompletionConfig
from durable_execution_sdk._model.config import MapConfig, NestingType, StepConfig
from durable_execution_sdk._model.duration import Duration
from durable_execution_sdk._policy.retry import RetryPresets
from tests.support.fake_service import Crash, FakeService

Branch = list[Any]
"""What a branch does, in order: words, and lists, which are the branches of a map inside it."""

WORDS = st.sampled_from(
    ["step", "wait", "wait longer", "child", "nothing", "fail", "fail in a step", "await the others"]
)
BRANCHES = st.lists(
    st.lists(
        st.one_of(WORDS, st.lists(st.lists(st.sampled_from(["step", "wait", "fail"]), max_size=2), max_size=3)),
        max_size=3,
    ),
    max_size=6,
)


class Run:
    """One handler over all its invocations."""

    def __init__(self, branches: list[Branch], config: MapConfig) -> None:
        self._branches = branches
        self._config = config
        self._begun = [threading.Event() for _ in branches]

    def handler(self, got: Any, ctx: Any) -> Any:
        """A map of all branches."""
        batch = ctx.map(self._branches, self._item, config=self._config)
        return [[item.status.value, item.result] for item in batch.all]

    def _item(self, branch: Any, words: Branch, index: int, items: Any) -> int:
        self._begun[index].set()
        return sum(self._do(branch, word, index, number) for number, word in enumerate(words))

    def _do(self, branch: Any, word: Any, index: int, number: int) -> int:
        match word:
            case list():
                config = MapConfig(nesting_type=NestingType.FLAT, completion_config=CompletionConfig.all_completed())
                batch = branch.map(word, self._inner, config=config)
                return sum(item.result or 0 for item in batch.all)
            case "await the others":  # those before this one have been begun: branches are admitted in order
                assert all(event.wait(60) for event in self._begun[:index])
            case _:
                return _simple(branch, word, number)
        return 0

    def _inner(self, branch: Any, words: list[str], index: int, items: Any) -> int:
        return sum(_simple(branch, word, number) for number, word in enumerate(words))


def _simple(branch: Any, word: str, number: int) -> int:
    match word:
        case "step":
            return int(branch.step(lambda step: number + 1))
        case "child":
            return int(branch.run_in_child_context(lambda child: child.step(lambda step: 10 * number)))
        case "wait" | "wait longer":
            branch.wait(Duration.from_seconds(2 if word == "wait" else 7))
        case "fail":
            raise ValueError(number)
        case "fail in a step":
            branch.step(_fail, config=StepConfig(retry_strategy=RetryPresets.none()))
    return 0


def _fail(step: Any) -> None:
    raise ValueError("in a step")


def expected(words: Branch) -> tuple[bool, int]:
    """Whether a branch succeeds, and its result."""
    total = 0
    for number, word in enumerate(words):
        if word in ("fail", "fail in a step"):
            return False, 0
        if isinstance(word, list):
            total += sum(value for succeeded, value in map(expected, word) if succeeded)
        elif word in ("step", "child"):
            total += number + 1 if word == "step" else 10 * number
    return True, total


@settings(max_examples=120, deadline=None)
@given(
    branches=BRANCHES,
    threads=st.sampled_from([0, 1, 2, 5, 62]),
    limit=st.one_of(st.none(), st.integers(1, 4)),
    trouble=st.sampled_from([None, "crash before", "crash after", "error before", "error after", "revoked"]),
    at=st.integers(1, 12),
)
def test_a_map_ends_the_same_whatever_happens(branches, threads, limit, trouble, at):
    left = [trouble]

    def fault(phase: str, number: int) -> None:
        if number == at and left[0] in (f"crash {phase}", f"error {phase}"):
            kind, left[0] = left[0].split()[0], None
            raise Crash if kind == "crash" else ConnectionError("gone")

    service = FakeService(fault=fault)
    service.revoke_at = at if trouble == "revoked" else None
    config = MapConfig(max_concurrency=limit, completion_config=CompletionConfig.all_completed())
    run = Run(branches, config)
    output = service.run(DurableFunction(run.handler, branch_threads=threads))
    ends = map(expected, branches)
    assert json.loads(output["Result"]) == [["SUCCEEDED", value] if good else ["FAILED", None] for good, value in ends]
    once = [(update["Id"], update["Action"]) for update in service.updates()]
    assert len(once) == len(set(once))
    open_ids = {update["Id"] for update in service.updates() if update["Action"] == "START"}
    open_ids -= {update["Id"] for update in service.updates() if update["Action"] in {"SUCCEED", "FAIL"}}
    assert {service.operations[key]["Type"] for key in open_ids} <= {"WAIT"}
