"""What the tests of group commit share: a transport that waits, callers, and a journal that tells."""

from __future__ import annotations

import json
import threading

from durable_execution_sdk._core import Journal
from durable_execution_sdk._drivers.commit import GroupCommit
from durable_execution_sdk._model.enums import OperationSubType, OperationType
from durable_execution_sdk._model.updates import OperationIdentifier, OperationUpdate
from tests.support.fake_service import ARN


def step(key, parent=None):
    identity = OperationIdentifier(key, OperationSubType.STEP.value, parent, key, operation_type=OperationType.STEP)
    return OperationUpdate.create_step_succeed(identity, "1")


def context(key, action):
    kind = OperationType.CONTEXT
    identity = OperationIdentifier(key, OperationSubType.RUN_IN_CHILD_CONTEXT.value, None, key, operation_type=kind)
    return OperationUpdate.about(identity, kind, action)


class Gate:
    """A transport whose answers wait until a test lets them go."""

    def __init__(self, *answers):
        self.arrived = threading.Semaphore(0)
        self.let_go = threading.Semaphore(0)
        self.batches = []
        self.fetched = []
        self.pages = {}
        self.at_once = 0
        self.most_at_once = 0
        self._answers = list(answers)

    def checkpoint(self, arn, request):
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.batches.append([update["Id"] for update in json.loads(request.body)["Updates"]])
        self.arrived.release()
        assert self.let_go.acquire(timeout=60)
        self.at_once -= 1
        answer = self._answers.pop(0) if self._answers else {}
        if isinstance(answer, BaseException):
            raise answer
        return {"CheckpointToken": f"t{len(self.batches)}"} | answer

    def fetch_state(self, arn, token, marker, max_items):
        self.fetched.append((token, marker))
        return self.pages[marker]


class Caller(threading.Thread):
    """Waits for one update on a thread of its own."""

    def __init__(self, commit, update):
        super().__init__()
        self.error = None
        self._commit = commit
        self._update = update
        self.start()

    def run(self):
        try:
            self._commit.commit(self._update)
        except BaseException as error:
            self.error = error


class Announcing:
    """A journal that tells when something was queued."""

    def __init__(self):
        self.pushed = threading.Semaphore(0)
        self._journal = Journal("t0")

    def push(self, update):
        ticket = self._journal.push(update)
        self.pushed.release()
        return ticket

    def wait_for(self, count):
        for _ in range(count):
            assert self.pushed.acquire(timeout=60)

    def __len__(self):
        return len(self._journal)

    def __getattr__(self, name):
        return getattr(self._journal, name)


def opened(*answers):
    gate = Gate(*answers)
    journal = Announcing()
    return gate, journal, GroupCommit(journal, gate, ARN)


def join(*lines):
    for line in lines:
        line.join(60)
        assert not line.is_alive()
