"""What plugins get to see of contexts that have ended."""

from __future__ import annotations

import math

import pytest

from durable_execution_sdk._edges.entry import DurableExecutionConfig, PluginsConfig, durable_execution
from durable_execution_sdk._model.duration import Duration
from durable_execution_sdk._model.errors import ValidationError
from durable_execution_sdk.plugin import DurableInstrumentationPlugin
from tests.support.fake_service import FakeService


class Seen(DurableInstrumentationPlugin):
    """The names of all operations at the end of the last invocation."""

    names: frozenset = frozenset()

    def on_invocation_end(self, info):
        Seen.names = frozenset(operation.name for operation in info.operations.values())


def names(**options):
    """What a plugin sees at the end of an execution of two invocations."""

    @durable_execution(transport=FakeService(), plugins=[Seen], **options)
    def handler(event, ctx):
        ctx.run_in_child_context(lambda child: child.step(lambda step: 1, "within"), "context")
        ctx.wait(Duration(1), "pause")

    FakeService().run(handler.__durable__)
    return Seen.names & {"within", "context", "pause"}


def test_plugins_see_the_children_that_are_kept():
    assert names() == {"context", "pause"}
    assert names(plugins_config=PluginsConfig(child_operations_depth=1)) == {"context", "pause", "within"}
    config = DurableExecutionConfig(plugins_config=PluginsConfig(math.inf))
    assert names(config=config) == {"context", "pause", "within"}
    assert names(config=config, plugins_config=PluginsConfig()) == {"context", "pause"}, "keywords win"


@pytest.mark.parametrize("depth", [-1, 0.5, True, math.nan, -math.inf, "2", None])
def test_other_depths_are_refused(depth):
    with pytest.raises(
        ValidationError, match=r"child_operations_depth must be a whole number, at least 0, or math\.inf"
    ):
        PluginsConfig(depth)
