"""Which plugins a handler has: those it names, then those that the environment names."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from durable_execution_sdk._model.errors import PluginLoadError
from durable_execution_sdk._model.homes import public
from durable_execution_sdk._model.plugin import (
    DURABLE_INSTRUMENTATION_PLUGIN_API_VERSION,
    DurableInstrumentationPlugin,
    DurableInstrumentationPluginFactory,
    InvocationStartInfo,
)

PLUGIN_ENTRY_POINT_GROUP = "aws_durable_execution.plugins"
"""Entry points of this group are plugin factories; the official SDK reads the same group."""

PLUGIN_ENVIRONMENT_VARIABLE = "DURABLE_EXECUTION_PLUGINS"
"""Names, separated by commas, of the entry points to use. Read when a handler is decorated."""

_logger = logging.getLogger("durable_execution_sdk")


class ClassFactory:
    """Makes a plugin of a class for each invocation."""

    def __init__(self, cls: type[DurableInstrumentationPlugin]) -> None:
        self.plugin_type = cls

    def create_plugin(self, _: InvocationStartInfo, /) -> DurableInstrumentationPlugin:
        """A new instance."""
        return self.plugin_type()


class InstanceFactory:
    """Gives every invocation the same plugin."""

    def __init__(self, plugin: DurableInstrumentationPlugin) -> None:
        self.plugin = plugin

    def create_plugin(self, _: InvocationStartInfo, /) -> DurableInstrumentationPlugin:
        """The one instance."""
        return self.plugin


@public("plugin_discovery")
def load_configured_plugins(
    explicit_plugins: Sequence[DurableInstrumentationPluginFactory] | None,
    *,
    environment: Mapping[str, str] | None = None,
) -> list[DurableInstrumentationPluginFactory]:
    """The factories of a handler: explicit ones first, then those that `DURABLE_EXECUTION_PLUGINS` names.

    Args:
        explicit_plugins: Factories, and also plugin classes and instances.
        environment: Default: the process's.

    Raises:
        PluginLoadError: An entry is no factory, a name is empty, given twice, unknown or ambiguous, an entry point
            cannot be loaded, or two factories exclude each other.
    """
    given = list(explicit_plugins or ())
    candidates: list[Any] = [*given]
    try:
        factories = [_as_factory(plugin) for plugin in given]
        for name in _names(os.environ if environment is None else environment):
            factory = _load(name)
            candidates.append(factory)
            if any(factory is known for known in given):
                _logger.warning("Plugin %r is configured in the environment and given explicitly; used once.", name)
                continue
            factories.append(_as_factory(factory))
        _check_exclusive(factories)
    except Exception:
        _tell(candidates, registered=False)
        raise
    _tell(factories, registered=True)
    return factories


def _as_factory(plugin: Any) -> DurableInstrumentationPluginFactory:
    if isinstance(plugin, DurableInstrumentationPlugin):
        return InstanceFactory(plugin)
    if isinstance(plugin, type) and issubclass(plugin, DurableInstrumentationPlugin):
        return ClassFactory(plugin)
    create = getattr(plugin, "create_plugin", None)
    if not callable(create):
        raise PluginLoadError(
            f"{plugin!r} is no plugin factory: give an object with create_plugin(info), a DurableInstrumentationPlugin"
            " class, or an instance of one"
        )
    try:
        inspect.signature(create).bind(None)
    except TypeError as error:
        hint = "; pass an instance of the factory, not its class" if isinstance(plugin, type) else ""
        raise PluginLoadError(
            f"{plugin!r}.create_plugin does not take the invocation's info as its one positional argument{hint}"
        ) from error
    except ValueError:  # no signature to be had: written in C, say
        pass
    factory: DurableInstrumentationPluginFactory = plugin
    return factory


def _names(environment: Mapping[str, str]) -> list[str]:
    text = environment.get(PLUGIN_ENVIRONMENT_VARIABLE, "")
    if not text.strip():
        return []
    names = [name.strip() for name in text.split(",")]
    if "" in names:
        raise PluginLoadError(f"{PLUGIN_ENVIRONMENT_VARIABLE}={text!r} has an empty name: separate names by one comma")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise PluginLoadError(f"{PLUGIN_ENVIRONMENT_VARIABLE}={text!r} names {', '.join(twice)} more than once")
    return names


def _load(name: str) -> Any:
    try:
        points = [*metadata.entry_points(group=PLUGIN_ENTRY_POINT_GROUP)]
    except Exception as error:
        raise PluginLoadError(f"the entry points of {PLUGIN_ENTRY_POINT_GROUP} cannot be read: {error}") from error
    found = [point for point in points if point.name == name]
    if not found:
        known = ", ".join(sorted({point.name for point in points})) or "none"
        raise PluginLoadError(
            f"no plugin {name!r} in the entry points of {PLUGIN_ENTRY_POINT_GROUP} (installed: {known}); install its "
            "package with the function, or in a layer"
        )
    if len(found) > 1:
        packages = ", ".join(sorted(point.dist.name if point.dist else point.value for point in found))
        raise PluginLoadError(f"{len(found)} packages provide a plugin {name!r}: {packages}; remove all but one")
    try:
        return found[0].load()
    except Exception as error:
        raise PluginLoadError(f"plugin {name!r} ({found[0].value}) cannot be loaded: {error}") from error


# --- registration: exclusive groups and the callback ---


def _owner(factory: Any) -> type | None:
    """The class that declares the registration API for a factory."""
    kind = factory if isinstance(factory, type) else type(factory)
    for cls in kind.__mro__:
        if "__durable_registration_api__" in vars(cls):
            current = vars(cls)["__durable_registration_api__"] == DURABLE_INSTRUMENTATION_PLUGIN_API_VERSION
            return cls if current else None
    return None


def _check_exclusive(factories: Sequence[Any]) -> None:
    taken: dict[str, Any] = {}
    for factory in factories:
        owner = _owner(factory)
        group = None if owner is None else getattr(owner, "exclusive_group", None)
        if group is None:
            continue
        if not isinstance(group, str) or not group:
            raise PluginLoadError(f"{factory!r}: exclusive_group must be None or a name, got {group!r}")
        if group in taken:
            raise PluginLoadError(
                f"{taken[group]!r} and {factory!r} exclude each other (group {group!r}): register one of them"
            )
        taken[group] = factory


def _tell(candidates: Sequence[Any], *, registered: bool) -> None:
    told: set[int] = set()
    for candidate in candidates:
        if id(candidate) in told or _owner(candidate) is None:
            continue
        told.add(id(candidate))
        try:
            callback = getattr(candidate, "on_registration_result", None)
            if callable(callback):
                callback(registered)
        except Exception:
            _logger.exception("the registration callback of %r failed", candidate)
