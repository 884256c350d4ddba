"""The decorator: where a handler, the driver and the service meet."""

from __future__ import annotations

import functools
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, overload

from durable_execution_sdk._drivers.context import DurableContext
from durable_execution_sdk._drivers.invocation import DurableFunction, OpenHooks
from durable_execution_sdk._drivers.logger import VERBOSE_VARIABLE, refresh_log_config
from durable_execution_sdk._drivers.pool import BRANCH_THREADS, OTHER_THREADS
from durable_execution_sdk._drivers.ports import Transport
from durable_execution_sdk._edges.transports import TransportName, choose_transport, open_call
from durable_execution_sdk._model.checks import check_whole, refusal
from durable_execution_sdk._model.homes import public
from durable_execution_sdk._model.service import AsyncDurableServiceClient, DurableServiceClient
from durable_execution_sdk._model.values import Value

if TYPE_CHECKING:
    # Stubs, installed for development only; without them the annotation is Any.
    from mypy_boto3_lambda import LambdaClient as Boto3LambdaClient

    from durable_execution_sdk._drivers.aio.context import AsyncDurableContext

PLUGINS_VARIABLE = "DURABLE_EXECUTION_PLUGINS"
THREADS_VARIABLE = "DURABLE_EXECUTION_MAX_THREADS"
THREADS_ALLOWED = "a whole number, at least 1"

Handler: TypeAlias = "Callable[[Any, DurableContext], Any] | Callable[[Any, AsyncDurableContext], Awaitable[Any]]"


class LambdaHandler(Protocol):
    """A decorated handler: Lambda calls it, tools reach the function behind it through `__durable__`."""

    __durable__: DurableFunction

    def __call__(self, event: Any, context: Any, /) -> dict[str, Any]:
        """Run one invocation."""


@public("execution")
@dataclass(frozen=True, eq=False, repr=False)
class PluginsConfig(Value):
    """What plugins get to see.

    Attributes:
        child_operations_depth: For how many levels of contexts the service goes on handing out what is in them once
            they have ended, so that plugins see the whole tree in later invocations: 0 (default) for none, 1 for what
            is in contexts of the handler itself (items of a map, branches of a parallel), 2 also for what is in those,
            `math.inf` for all. Virtual contexts and flat branches are no level.

    Each such context is recorded with `ReplayChildren`: its code runs again in a replay, over its recorded operations
    (no step runs again), and they stay part of the history that every invocation reads. Choose no more than is needed.

    Raises:
        ValidationError: The depth is negative, not whole, or no number.
    """

    child_operations_depth: float = 0

    def __post_init__(self) -> None:
        depth = self.child_operations_depth
        if depth != inf:
            check_whole("child_operations_depth", depth, 0, "a whole number, at least 0, or math.inf")


@public("execution")
@dataclass(frozen=True, eq=False, repr=False)
class DurableExecutionConfig(Value):
    """What `durable_execution` takes as keywords, as one object.

    Attributes:
        boto3_client: A boto3 Lambda client to use instead of the default one.
        durable_execution_client: A client of your own in place of Lambda's.
        transport: `"boto3"`, `"light"`, or a transport of your own. At most one of the three may be given.
        plugins: Factories of instrumentation plugins.
        max_threads: Most threads of one invocation.
        plugins_config: What plugins get to see.
    """

    boto3_client: Any = None
    durable_execution_client: DurableServiceClient | AsyncDurableServiceClient | None = None
    transport: TransportName | Transport | None = None
    plugins: Sequence[Any] | None = None
    max_threads: int | None = None
    plugins_config: PluginsConfig | None = None

    def __post_init__(self) -> None:
        if self.max_threads is not None:
            check_whole("max_threads", self.max_threads, 1, THREADS_ALLOWED)


@overload
def durable_execution(
    func: Handler,
    *,
    boto3_client: Boto3LambdaClient | None = None,
    plugins: Sequence[Any] | None = None,
    durable_execution_client: DurableServiceClient | AsyncDurableServiceClient | None = None,
    transport: TransportName | Transport | None = None,
    max_threads: int | None = None,
    plugins_config: PluginsConfig | None = None,
    config: DurableExecutionConfig | None = None,
) -> LambdaHandler: ...
@overload
def durable_execution(
    func: None = None,
    *,
    boto3_client: Boto3LambdaClient | None = None,
    plugins: Sequence[Any] | None = None,
    durable_execution_client: DurableServiceClient | AsyncDurableServiceClient | None = None,
    transport: TransportName | Transport | None = None,
    max_threads: int | None = None,
    plugins_config: PluginsConfig | None = None,
    config: DurableExecutionConfig | None = None,
) -> Callable[[Handler], LambdaHandler]: ...
@public("execution")
def durable_execution(
    func: Handler | None = None,
    *,
    boto3_client: Boto3LambdaClient | None = None,
    plugins: Sequence[Any] | None = None,
    durable_execution_client: DurableServiceClient | AsyncDurableServiceClient | None = None,
    transport: TransportName | Transport | None = None,
    max_threads: int | None = None,
    plugins_config: PluginsConfig | None = None,
    config: DurableExecutionConfig | None = None,
) -> LambdaHandler | Callable[[Handler], LambdaHandler]:
    """Make a function a durable Lambda handler.

    The function is called with the execution's input and a `DurableContext`. It runs again from the top in every
    invocation of the execution; finished operations return what is recorded.

    Args:
        func: The handler; with it the decorator is used bare, without it it is called.
        boto3_client: A boto3 Lambda client to use. Default: one per process, made when it is first needed.
        plugins: Factories of instrumentation plugins, called once per invocation; also plugin classes and instances.
            Those that the environment variable `DURABLE_EXECUTION_PLUGINS` names come after them.
        durable_execution_client: A client of your own in place of Lambda's.
        transport: `"boto3"` (default), `"light"` (no service model, faster cold start), or a transport of your own.
        max_threads: Most threads of one invocation, the handler's own and the one that sends late updates included; the
            others run the branches of maps and parallels. Default: what the environment variable
            `DURABLE_EXECUTION_MAX_THREADS` says, else 64.
        plugins_config: What plugins get to see of contexts that have ended. Default: what the service hands out.
        config: The same as one object; keywords win.

    Returns:
        What to name as handler in the Lambda function's configuration: it takes the event and Lambda's context, and
        returns the outcome as the service expects it.

    Raises:
        PluginLoadError: A plugin cannot be registered.
        ValidationError: More than one way to reach the service is given, or a number of threads that cannot be.

    Example:
        >>> from durable_execution_sdk import durable_execution
        >>> @durable_execution
        ... def handler(event, ctx):
        ...     return ctx.step(lambda step: 6 * 7, name="answer")
    """
    config = config or DurableExecutionConfig()
    chosen = choose_transport(
        boto3_client=boto3_client or config.boto3_client,
        durable_execution_client=durable_execution_client or config.durable_execution_client,
        transport=transport or config.transport,
    )

    if os.environ.get(VERBOSE_VARIABLE):
        refresh_log_config()

    branch_threads = _branch_threads(config.max_threads if max_threads is None else max_threads)
    open_hooks = _plugins(config.plugins if plugins is None else plugins)
    seen = (config.plugins_config if plugins_config is None else plugins_config) or PluginsConfig()

    def decorate(handler: Handler) -> LambdaHandler:
        depth = seen.child_operations_depth
        return _lambda_handler(handler, chosen, open_hooks, branch_threads=branch_threads, child_depth=depth)

    return decorate if func is None else decorate(func)


@public("execution")
def with_durable_execution(handler: Handler, config: DurableExecutionConfig | None = None) -> LambdaHandler:
    """`durable_execution` as a plain function.

    Args:
        handler: The handler.
        config: Clients and plugins.

    Example:
        >>> from durable_execution_sdk.execution import with_durable_execution
        >>> handler = with_durable_execution(lambda event, ctx: event)
    """
    return durable_execution(handler, config=config)


def _branch_threads(max_threads: int | None) -> int:
    source = "max_threads"
    if max_threads is None:
        text = os.environ.get(THREADS_VARIABLE, "").strip()
        if not text:
            return BRANCH_THREADS
        source = f"the environment variable {THREADS_VARIABLE}"
        if not text.isdecimal():
            raise refusal(source, text, THREADS_ALLOWED)
        max_threads = int(text)
    check_whole(source, max_threads, 1, THREADS_ALLOWED)
    return max(0, max_threads - OTHER_THREADS)


def _plugins(given: Sequence[Any] | None) -> OpenHooks | None:
    if not given and not os.environ.get(PLUGINS_VARIABLE, "").strip():
        return None
    # Looking for entry points costs more than the rest of the package's import.
    from durable_execution_sdk._edges.plugin_discovery import load_configured_plugins
    from durable_execution_sdk._edges.plugins import InvocationPlugins

    factories = load_configured_plugins(given)
    return functools.partial(InvocationPlugins, factories) if factories else None


def _lambda_handler(
    handler: Handler, transport: Transport, open_hooks: OpenHooks | None, *, branch_threads: int, child_depth: float
) -> LambdaHandler:
    durable = DurableFunction(handler, open_hooks, branch_threads=branch_threads, child_depth=child_depth)

    @functools.wraps(handler)
    def invoke(event: Any, context: Any) -> dict[str, Any]:
        opened, over = open_call(event, transport)
        return durable.invoke(opened, context, over)

    invoke.__durable__ = durable  # type: ignore[attr-defined]  # functions take attributes
    return invoke  # type: ignore[return-value]  # it has the attribute now
