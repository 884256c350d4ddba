"""Ends of branches that ride along: what is sent by when, whatever else the threads of the batch are doing."""

from __future__ import annotations

import threading

import pytest

from durable_execution_sdk._drivers.invocation import DurableFunction
from durable_execution_sdk._model.api_errors import CheckpointError, DurableApiErrorCategory
from durable_execution_sdk._model.completion import CompletionConfig
from durable_execution_sdk._model.config import MapConfig, NestingType
from durable_execution_sdk._model.duration import Duration
from tests.support.fake_service import Crash, FakeService
from tests.unit.drivers.branches import result, ten_times
from tests.unit.drivers.scenario import first, whole

ONE = MapConfig(max_concurrency=1)
ALL = MapConfig(completion_config=CompletionConfig.all_completed())


class Watched(FakeService):
    """A service that tells when an end is acknowledged."""

    def __init__(self):
        super().__init__()
        self.ended = {}

    def event_of(self, name):
        return self.ended.setdefault(name, threading.Event())

    def checkpoint(self, arn, request):
        answer = super().checkpoint(arn, request)
        for update in self.requests[-1]:
            if update["Action"] in {"SUCCEED", "FAIL"}:
                self.event_of(update.get("Name")).set()
        return answer


def test_an_end_is_sent_though_the_next_branch_takes_its_time():
    service = Watched()

    def item(branch, value, index, items):
        if index == 1:
            return service.event_of("map-item-0").wait(60)
        return branch.step(lambda step: value)

    output, _ = first(lambda got, ctx: ctx.map([7, 8], item, config=ONE).get_results(), service)
    assert result(output) == [7, True]


def test_an_end_is_sent_though_the_next_branch_suspends():
    def item(branch, value, index, items):
        if index == 1:
            branch.wait(Duration.from_seconds(5))
        return value

    output, service = first(lambda got, ctx: ctx.map([7, 8], item, config=ONE).get_results())
    assert output == {"Status": "PENDING"}
    ends = [update["Name"] for update in service.updates() if update["Action"] == "SUCCEED"]
    assert ends == ["map-item-0"]


def test_an_end_is_sent_though_the_next_branch_ends_the_batch():
    config = MapConfig(max_concurrency=1, completion_config=CompletionConfig(tolerated_failure_count=0))

    def item(branch, value, index, items):
        if index == 1:
            raise ValueError("no")
        return value

    output, service = first(lambda got, ctx: ctx.map([7, 8, 9], item, config=config).completion_reason.value)
    assert result(output) == "FAILURE_TOLERANCE_EXCEEDED"
    ends = [(update.get("Name"), update["Action"]) for update in service.updates() if update["Action"] != "START"]
    assert ends[:2] == [("map-item-0", "SUCCEED"), ("map-item-1", "FAIL")]


def test_no_more_branches_are_open_than_allowed():
    config = MapConfig(max_concurrency=3)
    three = threading.Barrier(3)

    def item(branch, value, index, items):
        if index < 3:
            three.wait(60)
        return ten_times(branch, value, index, items)

    output, service = first(lambda got, ctx: len(ctx.map(range(40), item, config=config).get_results()))
    assert result(output) == 40
    open_now, most = 0, 0
    for update in service.updates():
        if update["SubType"] == "MapIteration":
            open_now += 1 if update["Action"] == "START" else -1
            most = max(most, open_now)
    assert most == 3


def test_a_branch_is_acknowledged_before_the_handler_sees_the_batch():
    seen = []

    def handler(got, ctx):
        ctx.map(range(20), ten_times)
        seen.extend(service.updates())
        return 1

    service = FakeService()
    first(handler, service)
    assert sum(update["Action"] == "SUCCEED" and update["SubType"] == "MapIteration" for update in seen) == 20


# --- what goes wrong at any request -----------------------------------------------------------------------------------


def fails(error, phase, number):
    """A fault at one request, once."""
    left = [error]

    def fault(now, request):
        if (now, request) == (phase, number) and left:
            raise left.pop()

    return fault


def nested(branch, item, index, items):
    inner = branch.map(range(2), ten_times, config=MapConfig(nesting_type=NestingType.FLAT))
    if index == 1:
        branch.wait(Duration.from_seconds(3))
    return sum(inner.get_results()) + branch.step(lambda step: item)


def handler(got, ctx):
    return ctx.map(range(6), nested, config=ALL).get_results()


@pytest.mark.parametrize("threads", [0, 1, 2, 62])
@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("make", [Crash, lambda: ConnectionError("gone")])
def test_a_batch_goes_on_after_any_request_that_failed(make, phase, threads):
    expected, untouched = whole(handler)
    assert result(expected) == [10, 11, 12, 13, 14, 15]
    for number in range(1, len(untouched.requests) + 12):
        service = FakeService(fault=fails(make(), phase, number))
        assert service.run(DurableFunction(handler, branch_threads=threads)) == expected
        kinds = [(update["Id"], update["Action"]) for update in service.updates()]
        assert len(kinds) == len(set(kinds))


@pytest.mark.parametrize("threads", [0, 2, 62])
def test_a_batch_goes_on_after_any_request_that_revoked_the_token(threads):
    expected, untouched = whole(handler)
    for number in range(1, len(untouched.requests) + 12):
        service = FakeService()
        service.revoke_at = number
        assert service.run(DurableFunction(handler, branch_threads=threads)) == expected


@pytest.mark.parametrize("threads", [0, 2, 62])
def test_an_error_for_good_ends_the_execution_at_any_request(threads):
    error = CheckpointError("refused", DurableApiErrorCategory.EXECUTION)
    assert not error.is_retryable()
    for number in range(1, 6):
        service = FakeService(fault=fails(error, "before", number))
        output, _ = whole(handler, service)
        assert output["Status"] == "FAILED"
        assert len(service.requests) == number - 1
