"""Which plugins are registered, and what is refused while the handler is decorated."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import pytest

from durable_execution_sdk import PluginLoadError, durable_execution
from durable_execution_sdk.plugin import DurableInstrumentationPlugin
from durable_execution_sdk.plugin_discovery import (
    PLUGIN_ENTRY_POINT_GROUP,
    PLUGIN_ENVIRONMENT_VARIABLE,
    load_configured_plugins,
)


class Plugin(DurableInstrumentationPlugin):
    pass


class Factory:
    def create_plugin(self, info: Any, /) -> Plugin:
        return Plugin()


class Grouped(Factory):
    __durable_registration_api__ = 1
    exclusive_group = "tracing"

    def __init__(self) -> None:
        self.results: list[bool] = []

    def on_registration_result(self, registered: bool) -> None:
        self.results.append(registered)


class Broken(Factory):
    __durable_registration_api__ = 1

    def on_registration_result(self, registered: bool) -> None:
        raise OSError("never mind")


SHARED = Factory()
CONFIGURED = Factory()


def points(monkeypatch: pytest.MonkeyPatch, *named: tuple[str, str]) -> None:
    found = [metadata.EntryPoint(name, value, PLUGIN_ENTRY_POINT_GROUP) for name, value in named]
    monkeypatch.setattr(metadata, "entry_points", lambda *, group: found if group == PLUGIN_ENTRY_POINT_GROUP else [])


def environment(text: str) -> dict[str, str]:
    return {PLUGIN_ENVIRONMENT_VARIABLE: text}


def test_explicit_ones_first_then_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    points(monkeypatch, ("b", f"{__name__}:CONFIGURED"), ("a", f"{__name__}:SHARED"))
    loaded = load_configured_plugins([SHARED], environment=environment(" b "))
    assert loaded == [SHARED, CONFIGURED]


def test_the_same_factory_is_used_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    points(monkeypatch, ("a", f"{__name__}:SHARED"))
    assert load_configured_plugins([SHARED], environment=environment("a")) == [SHARED]
    assert "used once" in caplog.text


def test_classes_and_instances_are_taken_too() -> None:
    plugin = Plugin()
    by_class, by_instance = load_configured_plugins([Plugin, plugin], environment={})  # type: ignore[list-item]  # what the official SDK refuses
    info: Any = None
    assert type(by_class.create_plugin(info)) is Plugin
    assert by_class.create_plugin(info) is not by_class.create_plugin(info)
    assert by_instance.create_plugin(info) is plugin


@pytest.mark.parametrize("wrong", [lambda info: Plugin(), Factory, object(), None, "name"])
def test_what_is_no_factory_is_refused_at_decoration(wrong: Any) -> None:
    with pytest.raises(PluginLoadError, match="create_plugin"):
        durable_execution(lambda event, context: None, plugins=[wrong])


@pytest.mark.parametrize(
    ("text", "says"),
    [("a,,b", "empty name"), ("a,", "empty name"), ("a, a", "more than once"), ("nobody", "installed: a, twice")],
)
def test_names_that_cannot_be(monkeypatch: pytest.MonkeyPatch, text: str, says: str) -> None:
    points(monkeypatch, ("a", f"{__name__}:SHARED"), ("twice", "x:y"), ("twice", "z:y"))
    with pytest.raises(PluginLoadError, match=says):
        load_configured_plugins(None, environment=environment(text))


def test_ambiguous_and_broken_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    points(monkeypatch, ("twice", "x:y"), ("twice", "z:y"), ("broken", "no_such_module:thing"))
    with pytest.raises(PluginLoadError, match="2 packages provide"):
        load_configured_plugins(None, environment=environment("twice"))
    with pytest.raises(PluginLoadError, match="cannot be loaded"):
        load_configured_plugins(None, environment=environment("broken"))


def test_exclusive_groups_and_the_registration_callback() -> None:
    first, second, broken = Grouped(), Grouped(), Broken()
    assert load_configured_plugins([first, broken], environment={}) == [first, broken]
    assert first.results == [True]
    with pytest.raises(PluginLoadError, match="exclude each other"):
        load_configured_plugins([first, second], environment={})
    assert (first.results, second.results) == ([True, False], [False])


def test_the_environment_is_read_when_a_handler_is_decorated(monkeypatch: pytest.MonkeyPatch) -> None:
    points(monkeypatch)
    monkeypatch.setenv(PLUGIN_ENVIRONMENT_VARIABLE, "nobody")
    with pytest.raises(PluginLoadError, match="installed: none"):
        durable_execution(lambda event, context: None)
