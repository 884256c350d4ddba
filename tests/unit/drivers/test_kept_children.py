"""Contexts that keep their children: what later invocations are handed, and that a replay gives what it gave."""

from __future__ import annotations

import json
import math

import pytest

from durable_execution_sdk._drivers.invocation import DurableFunction
from durable_execution_sdk._model.batch import BatchResult
from durable_execution_sdk._model.completion import CompletionConfig
from durable_execution_sdk._model.config import MapConfig, NestingType
from durable_execution_sdk._model.duration import Duration
from durable_execution_sdk._model.errors import ChildContextError
from tests.support.fake_service import FakeService
from tests.unit.drivers.branches import result

FIRST = CompletionConfig(min_successful=1)


def kept(handler, depth):
    """The execution to its end, with contexts of so many levels keeping their children."""
    service = FakeService()
    return service.run(DurableFunction(handler, child_depth=depth)), service


def handed_out(service):
    """The names of what a state shows at the end."""
    return {operation.get("Name") for operation in service._visible()[1:]}


def ends(service):
    """The last updates of contexts, by name."""
    updates = [update for request in service.requests for update in request]
    return {u["Name"]: u for u in updates if u["Type"] == "CONTEXT" and u["Action"] in {"SUCCEED", "FAIL"}}


@pytest.mark.parametrize(
    ("depth", "seen"),
    [
        (0, {"outer", "pause"}),
        (1, {"outer", "pause", "inner"}),
        (2, {"outer", "pause", "inner", "leaf"}),
        (math.inf, {"outer", "pause", "inner", "leaf"}),
    ],
)
def test_later_invocations_are_handed_what_is_in_contexts_of_the_upper_levels(depth, seen):
    bodies = []

    def leaf(step):
        bodies.append("leaf")
        return 7

    def handler(got, ctx):
        def inner(child):
            return child.step(leaf, "leaf")

        def outer(child):
            return child.run_in_child_context(inner, "inner")

        found = ctx.run_in_child_context(outer, "outer")
        ctx.wait(Duration(1), "pause")
        return found

    output, service = kept(handler, depth)
    assert result(output) == 7
    assert service.invocations == 2
    assert handed_out(service) == seen
    assert bodies == ["leaf"], "no step runs again"
    outer = ends(service)["outer"]
    assert json.loads(outer["Payload"]) == 7, "the whole result stays recorded"
    assert outer["ContextOptions"] == {"ReplayChildren": depth >= 1}


def test_a_virtual_context_is_no_level():
    def handler(got, ctx):
        def inner(child):
            return child.step(lambda step: 1, "leaf")

        def outer(child):
            return child.run_in_child_context(inner, "inner")

        ctx.map([1], lambda branch, value, index, items: outer(branch), "all", MapConfig(nesting_type=NestingType.FLAT))
        ctx.wait(Duration(1), "pause")

    _, service = kept(handler, 1)
    assert handed_out(service) == {"all", "inner", "pause"}
    _, service = kept(handler, 2)
    assert handed_out(service) == {"all", "inner", "leaf", "pause"}


def test_a_failed_context_keeps_its_children_and_is_not_entered_again():
    entered = []

    def handler(got, ctx):
        def breaks(child):
            entered.append(child.is_replaying())
            child.step(lambda step: 1, "before")
            raise ValueError("broken")

        try:
            ctx.run_in_child_context(breaks, "breaks")
        except ChildContextError as error:
            found = str(error)
        ctx.wait(Duration(1), "pause")
        return found

    for depth, more in ((0, set()), (1, {"before"})):
        entered.clear()
        output, service = kept(handler, depth)
        assert result(output) == "broken"
        assert entered == [False]
        assert handed_out(service) == {"breaks", "pause"} | more
        assert ends(service)["breaks"].get("ContextOptions") == ({"ReplayChildren": True} if depth else None)


@pytest.mark.parametrize("nesting", list(NestingType))
@pytest.mark.parametrize("depth", [1, 2])
def test_a_batch_is_the_same_after_its_children_were_replayed(nesting, depth):
    runs = []
    config = MapConfig(completion_config=FIRST, max_concurrency=2, nesting_type=nesting)

    def handler(got, ctx):
        def item(branch, value, index, items):
            if value > 100:
                branch.wait(Duration(value), "long")
            return branch.step(lambda step: runs.append(value) or value, "work")

        batch = ctx.map([500, 7, 600], item, "all", config)
        ctx.wait(Duration(1), "pause")
        return [batch.completion_reason.value, [[one.index, one.status.value, one.result] for one in batch.all]]

    output, service = kept(handler, depth)
    expected, _ = kept(handler, 0)
    assert result(output) == result(expected)
    assert result(output)[0] == "MIN_SUCCESSFUL_REACHED"
    assert runs == [7, 7], "once in each execution"
    assert ("work" in handed_out(service)) is (depth == 2 or nesting is NestingType.FLAT)


class _Batches:
    def serialize(self, value, context):
        return json.dumps(value.to_dict())

    def deserialize(self, data, context):
        return BatchResult.from_dict(json.loads(data))


class _Numbers:
    def serialize(self, value, context):
        return str(value)

    def deserialize(self, data, context):
        return int(data)


@pytest.mark.parametrize("nesting", list(NestingType))
def test_a_batch_that_a_serdes_of_the_user_wrote_is_made_again_too(nesting):
    every = CompletionConfig.all_completed()
    config = MapConfig(nesting_type=nesting, serdes=_Batches(), item_serdes=_Numbers(), completion_config=every)

    def handler(got, ctx):
        def item(branch, value, index, items):
            if value == 2:
                raise ValueError("two")
            return branch.step(lambda step: value, "work")

        batch = ctx.map([1, 2, 3], item, "all", config)
        ctx.wait(Duration(1), "pause")
        return [batch.completion_reason.value, [[one.index, one.status.value, one.result] for one in batch.all]]

    output, _ = kept(handler, 2)
    expected, _ = kept(handler, 0)
    assert result(output) == result(expected)
