"""What map, parallel and the primitive under them come down to, for both colours of driver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from durable_execution_sdk._model.batch import ConcurrentExecutionItem
from durable_execution_sdk._model.checks import check_callable
from durable_execution_sdk._model.config import ConcurrencyConfig, MapConfig, ParallelBranch, ParallelConfig
from durable_execution_sdk._model.enums import OperationSubType
from durable_execution_sdk._model.values import Value, value
from durable_execution_sdk._policy.naming import map_item_name, parallel_branch_name


@value
class BatchPlan(Value):
    """What map, parallel and the primitive under them come down to."""

    name: str | None
    config: ConcurrencyConfig
    total: int
    body: Callable[[Any, int], Any]
    """Runs one branch: its context, its index."""
    function_of: Callable[[int], Callable[..., Any]]
    """The user's function that `body` calls: its colour counts."""
    default_name: Callable[[int], str] = str
    """Names the branches that have no name given; not asked where all have one."""
    given_names: Callable[[], Sequence[str | None]] | None = None
    """Asked when the batch is entered, for it may be user code."""


def map_plan(inputs: Any, total: int, func: Callable[..., Any], name: str | None, config: MapConfig[Any]) -> BatchPlan:
    """The plan of a map."""
    namer = config.item_namer
    items = inputs if isinstance(inputs, Sequence) else list(inputs)  # sets and views of dicts are taken too

    def body(branch: Any, index: int) -> Any:
        return func(branch, items[index], index, inputs)

    def names() -> Sequence[str | None]:
        assert namer is not None  # given only where there is one
        return [namer(item, index) for index, item in enumerate(items)]

    options = _options(config, OperationSubType.MAP, OperationSubType.MAP_ITERATION)
    given = names if namer is not None else None
    return BatchPlan(name, options, total, body, lambda _: func, map_item_name, given)


def parallel_plan(functions: Sequence[Callable[[Any], Any]], name: str | None, config: ParallelConfig) -> BatchPlan:
    """The plan of a parallel."""
    branches = list(functions)
    for index, function in enumerate(branches):
        check_callable(f"functions[{index}]", function)

    def body(branch: Any, index: int) -> Any:
        return branches[index](branch)

    def names() -> Sequence[str | None]:
        return [function.name if isinstance(function, ParallelBranch) else None for function in branches]

    options = _options(config, OperationSubType.PARALLEL, OperationSubType.PARALLEL_BRANCH)

    def function_of(index: int) -> Callable[..., Any]:
        function = branches[index]
        return function.func if isinstance(function, ParallelBranch) else function

    return BatchPlan(name, options, len(branches), body, function_of, parallel_branch_name, names)


def items_plan(
    items: Sequence[ConcurrentExecutionItem[Any]],
    total: int,
    executor: Callable[..., Any],
    name: str | None,
    config: ConcurrencyConfig,
) -> BatchPlan:
    """The plan of the primitive."""

    def body(branch: Any, index: int) -> Any:
        return executor(items[index], branch)

    def names() -> Sequence[str | None]:
        return [item.id if item.name is None else item.name for item in items]

    return BatchPlan(name, config, total, body, lambda _: executor, given_names=names)


def _options(
    config: MapConfig[Any] | ParallelConfig, top: OperationSubType, iteration: OperationSubType
) -> ConcurrencyConfig:
    return ConcurrencyConfig(
        config.max_concurrency,
        config.completion_config,
        config.serdes,
        config.item_serdes,
        config.summary_generator,
        config.nesting_type,
        top_level_sub_type=top.value,
        iteration_sub_type=iteration.value,
    )
