"""What a context does many at once: map, parallel, and the primitive under them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Self, TypeVar, overload

from durable_execution_sdk._drivers.scope import OperationScope
from durable_execution_sdk._model.batch import BatchResult, ConcurrentExecutionItem
from durable_execution_sdk._model.checks import check_callable, check_config
from durable_execution_sdk._model.config import ConcurrencyConfig, MapConfig, ParallelConfig
from durable_execution_sdk._policy.naming import BOUND_NAME

T = TypeVar("T")
U = TypeVar("U")


class ConcurrentScope(OperationScope):
    """The part of a `DurableContext` that runs branches."""

    __slots__ = ()

    @overload
    def map(
        self,
        inputs: Sequence[U],
        func: Callable[[Self, U, int, Sequence[U]], Coroutine[Any, Any, T]],
        name: str | None = None,
        config: MapConfig[U] | None = None,
    ) -> BatchResult[T]: ...
    @overload
    def map(
        self,
        inputs: Sequence[U],
        func: Callable[[Self, U, int, Sequence[U]], T],
        name: str | None = None,
        config: MapConfig[U] | None = None,
    ) -> BatchResult[T]: ...
    def map(
        self,
        inputs: Sequence[U],
        func: Callable[[Self, U, int, Sequence[U]], Any],
        name: str | None = None,
        config: MapConfig[U] | None = None,
    ) -> BatchResult[Any]:
        """Run a function for every item, many at once, each in a child context of its own.

        Items start in order, at most `max_concurrency` at a time, on a pool of threads that all maps and parallels of
        the invocation share. An item that waits gives its thread back and goes on later, in this invocation if others
        are still running then, else in a later one. Finished items are not run again.

        Args:
            inputs: The items. Their number and order must be the same in every run.
            func: Called with the item's context, the item, its index, and all items. It must use that context.
            name: Shown in the history. Default: the name of a decorated function, else none.
            config: Concurrency, when the map ends (default: with the first failure), serdes, names of items, nesting.

        Returns:
            What became of each item that was started, in order of the items. A failed item does not raise; call
            `throw_if_error()` on the result for that.

        Raises:
            ValidationError: More successes are asked for than there are items, or `inputs` has no length.

        Example:
            >>> batch = ctx.map([3, 4], lambda item, n, index, all: item.step(lambda step: n * n), name="squares")
            >>> batch.get_results()
            [9, 16]
        """
        from durable_execution_sdk._drivers.batches import call_batch
        from durable_execution_sdk._drivers.plans import map_plan
        from durable_execution_sdk._operations.batch import count_of

        total = count_of("inputs", inputs)
        check_callable("func", func)
        check_config(config, MapConfig)
        config = config or _MAP
        config.completion_config.check_total(total)
        return call_batch(self, map_plan(inputs, total, func, name or getattr(func, BOUND_NAME, None), config))

    # "A callable" covers a `ParallelBranch`, too; naming both keeps type checkers from looking into lambdas.
    @overload
    def parallel(
        self,
        functions: Sequence[Callable[[Self], Coroutine[Any, Any, T]]],
        name: str | None = None,
        config: ParallelConfig | None = None,
    ) -> BatchResult[T]: ...
    @overload
    def parallel(
        self,
        functions: Sequence[Callable[[Self], T]],
        name: str | None = None,
        config: ParallelConfig | None = None,
    ) -> BatchResult[T]: ...
    def parallel(
        self,
        functions: Sequence[Callable[[Self], Any]],
        name: str | None = None,
        config: ParallelConfig | None = None,
    ) -> BatchResult[Any]:
        """Run several functions at once, each in a child context of its own.

        As `map`, with a function per branch instead of an item.

        Args:
            functions: Each is called with its branch's context; a `ParallelBranch` gives the branch a name besides.
            name: Shown in the history.
            config: Concurrency, when the parallel ends (default: with the first failure), serdes, nesting.

        Returns:
            What became of each branch that was started, in the order given.

        Raises:
            ValidationError: More successes are asked for than there are branches, or one of them cannot be called.

        Example:
            >>> both = ctx.parallel([
            ...     lambda branch: branch.step(lambda step: "stock"),
            ...     lambda branch: branch.step(lambda step: "price"),
            ... ])
            >>> both.get_results()
            ['stock', 'price']
        """
        from durable_execution_sdk._drivers.batches import call_batch
        from durable_execution_sdk._drivers.plans import parallel_plan
        from durable_execution_sdk._operations.batch import count_of

        count = count_of("functions", functions)
        check_config(config, ParallelConfig)
        config = config or _PARALLEL
        config.completion_config.check_total(count)
        return call_batch(self, parallel_plan(functions, name, config))

    @overload
    def execute_concurrently(
        self,
        items: Sequence[ConcurrentExecutionItem[U]],
        executor: Callable[[ConcurrentExecutionItem[U], Self], Coroutine[Any, Any, T]],
        name: str | None = None,
        config: ConcurrencyConfig | None = None,
    ) -> BatchResult[T]: ...
    @overload
    def execute_concurrently(
        self,
        items: Sequence[ConcurrentExecutionItem[U]],
        executor: Callable[[ConcurrentExecutionItem[U], Self], T],
        name: str | None = None,
        config: ConcurrencyConfig | None = None,
    ) -> BatchResult[T]: ...
    def execute_concurrently(
        self,
        items: Sequence[ConcurrentExecutionItem[U]],
        executor: Callable[[ConcurrentExecutionItem[U], Self], Any],
        name: str | None = None,
        config: ConcurrencyConfig | None = None,
    ) -> BatchResult[Any]:
        """The primitive under `map` and `parallel`: items with names of your own, one executor.

        Args:
            items: The units of work; the `index` of each must be its position.
            executor: Called with an item and its branch's context.
            name: Shown in the history.
            config: As of `map`, and the subtypes that history shows.

        Returns:
            What became of each item that was started, in order.

        Raises:
            ValidationError: An index is not the item's position, or more successes are asked for than there are items.

        Example:
            >>> from durable_execution_sdk.concurrency.models import ConcurrentExecutionItem
            >>> items = [ConcurrentExecutionItem(id=f"shard-{n}", data=n, index=n) for n in range(2)]
            >>> ctx.execute_concurrently(items, lambda item, branch: item.data + 1, name="shards").get_results()
            [1, 2]
        """
        from durable_execution_sdk._drivers.batches import call_batch
        from durable_execution_sdk._drivers.plans import items_plan
        from durable_execution_sdk._operations.batch import check_positions, count_of

        total = count_of("items", items)
        check_callable("executor", executor)
        check_config(config, ConcurrencyConfig)
        config = config or _CONCURRENCY
        check_positions(items)
        config.completion_config.check_total(total)
        return call_batch(self, items_plan(items, total, executor, name, config))


_MAP: MapConfig[Any] = MapConfig()
_PARALLEL = ParallelConfig()
_CONCURRENCY = ConcurrencyConfig()
