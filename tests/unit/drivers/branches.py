"""What the tests of maps and parallels share."""

from __future__ import annotations

import json


def ten_times(branch, item, index, items):
    """A branch of one step."""
    return branch.step(lambda step: item * 10, name="ten times")


def told(batch):
    """Statuses, results and reason as JSON can say them."""
    return [[item.status.value[:4], item.result] for item in batch.all], batch.completion_reason.value


def result(output):
    """The handler's result."""
    assert output["Status"] == "SUCCEEDED", output
    return json.loads(output["Result"])
