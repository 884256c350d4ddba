"""Threads that queue, wait, stay away, fail and die in any mixture, with a service that may fail at any request.

Whatever they do, nothing hangs: whoever can go on goes on without those who cannot. What a thread was told is
acknowledged was in a request that the service took, each update was in one request at most, and each thread's updates
are in the order in which it queued them.
"""

from __future__ import annotations

import json
import select
import threading
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from durable_execution_sdk._core import Journal
from durable_execution_sdk._drivers import commit as commit_module
from durable_execution_sdk._drivers.commit import GroupCommit
from durable_execution_sdk._model.enums import OperationSubType, OperationType
from durable_execution_sdk._model.signals import BackgroundThreadError, SuspendExecution
from durable_execution_sdk._model.updates import OperationIdentifier, OperationUpdate
from tests.support.fake_service import ARN

LONG_SECONDS = 120


def update(key: str, size: int) -> OperationUpdate:
    identity = OperationIdentifier(key, OperationSubType.STEP.value, None, key, operation_type=OperationType.STEP)
    return OperationUpdate.create_step_succeed(identity, json.dumps("x" * size))


class Service:
    """Takes requests until it is told not to."""

    def __init__(self, failing: int | None, how: str) -> None:
        self.taken: list[list[str]] = []
        self.acknowledged: set[str] = set()
        self.at_once = self.most_at_once = 0
        self._failing = failing
        self._how = how

    def checkpoint(self, arn, request):
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        number = len(self.taken) + 1
        keys = [update["Id"] for update in json.loads(request.body)["Updates"]]
        select.select([], [], [], 0)  # lets others run, as a request over a network does
        self.at_once -= 1
        if number == self._failing and self._how == "error":
            raise ConnectionError("gone")
        if number == self._failing and self._how == "interrupt":
            raise SystemExit
        self.taken.append(keys)
        if number == self._failing:
            return {}
        self.acknowledged.update(keys)
        return {"CheckpointToken": f"t{number}"}


class Line(threading.Thread):
    """A thread that does what its script says."""

    def __init__(self, name: str, script: list[str], commit: GroupCommit, service: Service) -> None:
        super().__init__(daemon=True)
        self.key = name
        self.queued: list[str] = []
        self.error: BaseException | None = None
        self.missing: list[str] = []
        self.unblock = threading.Event()
        self._script = script
        self._commit = commit
        self._service = service

    def run(self) -> None:
        try:
            for number, word in enumerate(self._script):
                self._do(word, f"{self.key}.{number}")
        except (Exception, SuspendExecution, BackgroundThreadError, SystemExit) as error:
            self.error = error

    def _do(self, word: str, key: str) -> None:
        match word:
            case "commit" | "large":
                self.queued.append(key)
                self._commit.commit(update(key, 400_000 if word == "large" else 1))
                self.missing += set(self.queued) - self._service.acknowledged
            case "submit":
                self.queued.append(key)
                self._commit.submit(update(key, 1))
            case "flush":
                self.queued.append(key)
                self._commit.flush(self._commit.submit(update(key, 1)))
            case "ask":
                self._commit.commit(None)
            case "step back":
                self._commit.step_back()
            case "stay away":
                assert self.unblock.wait(LONG_SECONDS)
            case "die":
                raise ValueError(key)


WORDS = ["commit", "commit", "commit", "submit", "flush", "ask", "step back", "large"]
SCRIPTS = st.lists(
    st.builds(
        lambda before, event, after: [*before, *event, *after],
        st.lists(st.sampled_from(WORDS), max_size=6),
        st.sampled_from([[], [], ["stay away"], ["die"]]),
        st.lists(st.sampled_from(WORDS), max_size=3),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=150, deadline=None)
@given(
    scripts=SCRIPTS,
    failing=st.one_of(st.none(), st.integers(1, 6)),
    how=st.sampled_from(["error", "revoked", "interrupt"]),
    patience=st.sampled_from([0.0, 0.25, 1e9]),
)
def test_nothing_hangs_and_nothing_is_lost(scripts, failing, how, patience):
    service = Service(failing, how)
    with mock.patch.multiple(commit_module, PATIENCE=patience, LULL_SECONDS=0.0001):
        commit = GroupCommit(Journal("t0"), service, ARN)
        lines = [Line(str(number), script, commit, service) for number, script in enumerate(scripts)]
        blocked = [line for line, script in zip(lines, scripts, strict=True) if "stay away" in script]
        for line in lines:
            line.start()
        for line in lines:
            if line not in blocked:
                line.join(LONG_SECONDS)
                assert not line.is_alive()
        for line in blocked:  # now that all others have ended, with them away
            line.unblock.set()
            line.join(LONG_SECONDS)
            assert not line.is_alive()
        try:
            commit.drain()
        except SystemExit:
            assert how == "interrupt"
        commit.close()
    judge(lines, service, commit)


def judge(lines: list[Line], service: Service, commit: GroupCommit) -> None:
    taken = [key for keys in service.taken for key in keys]
    assert len(taken) == len(set(taken))
    assert service.most_at_once <= 1
    for line in lines:
        assert line.missing == []
        mine = [key for key in taken if key.startswith(f"{line.key}.")]
        assert mine == line.queued[: len(mine)]
        if not commit.has_ended:
            assert mine == line.queued
            assert line.error is None or str(line.error).startswith(f"{line.key}.")
