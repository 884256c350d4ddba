"""When a map or parallel is complete, and why: the configuration, the words, and the rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from durable_execution_sdk._model.checks import check_optional_callable, check_whole, refusal
from durable_execution_sdk._model.errors import ValidationError
from durable_execution_sdk._model.homes import public
from durable_execution_sdk._model.values import Value


@public("config")
class BatchItemStatus(Enum):
    """Where one item of a map or parallel stands. STARTED: it was running when the batch ended."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    STARTED = "STARTED"


@public("concurrency.models")
class CompletionReason(Enum):
    """Why a map or parallel ended."""

    ALL_COMPLETED = "ALL_COMPLETED"
    MIN_SUCCESSFUL_REACHED = "MIN_SUCCESSFUL_REACHED"
    FAILURE_TOLERANCE_EXCEEDED = "FAILURE_TOLERANCE_EXCEEDED"
    CUSTOM_COMPLETION_SUCCEEDED = "CUSTOM_COMPLETION_SUCCEEDED"
    CUSTOM_COMPLETION_FAILED = "CUSTOM_COMPLETION_FAILED"


@public("config")
class CompletionOutcome(Enum):
    """What a `should_complete` predicate declares the whole batch to be."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


@public("config")
@dataclass(frozen=True, eq=False, repr=False)
class CompletionDecision(Value):
    """What a `should_complete` predicate returns; made by `continue_batch()` and `complete_batch()`.

    Args:
        complete: Whether to end the batch now.
        outcome: What the batch then is; belongs to `complete=True` and to nothing else.

    Raises:
        ValidationError: The two do not fit.
    """

    complete: bool
    outcome: CompletionOutcome | None = None

    def __post_init__(self) -> None:
        if self.complete and self.outcome is None:
            raise ValidationError("outcome must be a CompletionOutcome when complete is True, got: None")
        if not self.complete and self.outcome is not None:
            raise ValidationError(f"outcome must be None when complete is False, got: {self.outcome!r}")


@public("config")
def continue_batch() -> CompletionDecision:
    """Go on with the batch."""
    return CompletionDecision(complete=False)


@public("config")
def complete_batch(outcome: CompletionOutcome = CompletionOutcome.SUCCEEDED) -> CompletionDecision:
    """End the batch now, as a success unless told otherwise."""
    return CompletionDecision(complete=True, outcome=outcome)


@public("config")
@dataclass(frozen=True, eq=False, repr=False)
class CompletionItemStatus(Value):
    """One item, as a `should_complete` predicate sees it.

    Attributes:
        index: Its position, the same on every run.
        name: The name it was given, if any.
        status: None as long as it has not been started; STARTED while it runs or is suspended.
    """

    index: int
    name: str | None = None
    status: BatchItemStatus | None = None


@public("config")
@dataclass(frozen=True, eq=False, repr=False)
class CompletionStatus(Value):
    """How far a batch is, as a `should_complete` predicate sees it.

    Attributes:
        success_count: Items that succeeded.
        failure_count: Items that failed.
        completed_count: Both together.
        total_count: All items.
        items: Every item, by position.
    """

    success_count: int
    failure_count: int
    completed_count: int
    total_count: int
    items: tuple[CompletionItemStatus, ...] = ()


@public("config")
@dataclass(frozen=True, eq=False, repr=False)
class CompletionConfig(Value):
    """When a map or parallel ends: thresholds, or one predicate. It ends in any case when every item has ended.

    With nothing set, the first failure ends it. As soon as anything is set, only what is set counts: with
    `min_successful` alone, failures are tolerated.

    Args:
        min_successful: End with success after so many successes; 1 or more, at most the number of items.
        tolerated_failure_count: End when more than so many items have failed; 0 or more.
        tolerated_failure_percentage: End when more than this share of all items has failed; 0 to 100.
        should_complete: Decides instead of the thresholds. Called with a `CompletionStatus` before the first item
            starts and whenever an item ends or suspends; not for a batch whose end is recorded. It must depend on its
            argument alone, and must not change its mind when more items end, for in a later invocation finished items
            come back in any order.

    Raises:
        ValidationError: A value is out of range, or a predicate comes with thresholds.

    Example:
        >>> from durable_execution_sdk.config import CompletionConfig, complete_batch, continue_batch
        >>> at_most_two_failures = CompletionConfig(tolerated_failure_count=2)
        >>> quorum = CompletionConfig(
        ...     should_complete=lambda status: complete_batch() if status.success_count >= 2 else continue_batch()
        ... )
    """

    min_successful: int | None = None
    tolerated_failure_count: int | None = None
    tolerated_failure_percentage: int | float | None = None
    should_complete: Callable[[CompletionStatus], CompletionDecision] | None = None

    def __post_init__(self) -> None:
        if self.min_successful is not None:
            check_whole("min_successful", self.min_successful, 1, "a whole number, at least 1, or None")
        if self.tolerated_failure_count is not None:
            check_whole(
                "tolerated_failure_count", self.tolerated_failure_count, 0, "a non-negative whole number or None"
            )
        share: object = self.tolerated_failure_percentage
        if share is not None and not (isinstance(share, int | float) and 0 <= share <= 100):
            raise refusal("tolerated_failure_percentage", share, "between 0 and 100, or None")
        check_optional_callable("should_complete", self.should_complete)
        if self.should_complete is not None and self.has_thresholds:
            raise ValidationError(
                "should_complete cannot be combined with thresholds, got: "
                f"min_successful={self.min_successful!r}, tolerated_failure_count={self.tolerated_failure_count!r}, "
                f"tolerated_failure_percentage={share!r}"
            )

    @property
    def has_thresholds(self) -> bool:
        """Whether any threshold is set."""
        return not (
            self.min_successful is None
            and self.tolerated_failure_count is None
            and self.tolerated_failure_percentage is None
        )

    def check_total(self, total: int) -> None:
        """Check against the number of items, before anything is recorded.

        Raises:
            ValidationError: More successes are asked for than there are items.
        """
        if self.min_successful is not None and self.min_successful > total:
            raise refusal("min_successful", self.min_successful, f"at most the number of items, {total}")

    @staticmethod
    def first_successful() -> CompletionConfig:
        """End with the first success."""
        return CompletionConfig(min_successful=1)

    @staticmethod
    def all_completed() -> CompletionConfig:
        """Run every item, whatever fails."""
        return CompletionConfig(tolerated_failure_percentage=100)

    @staticmethod
    def all_successful() -> CompletionConfig:
        """End with the first failure."""
        return CompletionConfig(tolerated_failure_count=0, tolerated_failure_percentage=0)


ThresholdCompletionConfig = CompletionConfig
CustomCompletionConfig = CompletionConfig


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CompletionPolicy(Value):
    """The rule: counts in, reason out. The one place that knows it, for live batches and for reading old ones."""

    total: int
    config: CompletionConfig

    def tolerance_exceeded(self, failed: int) -> bool:
        """Whether more failed than may; a share that is just reached is tolerated."""
        config = self.config
        if config.should_complete is not None:
            return False
        if not config.has_thresholds:
            return failed > 0
        if config.tolerated_failure_count is not None and failed > config.tolerated_failure_count:
            return True
        share = config.tolerated_failure_percentage
        return share is not None and self.total > 0 and failed / self.total * 100 > share

    def reason_to_end(
        self, succeeded: int, failed: int, items: tuple[CompletionItemStatus, ...] = ()
    ) -> CompletionReason | None:
        """Why the batch ends with these counts, or None if it goes on. Calls the predicate once, if there is one.

        Raises:
            ValidationError: The predicate returned something else than a `CompletionDecision`.
        """
        decision = None
        if self.config.should_complete is not None:
            decision = self.ask(CompletionStatus(succeeded, failed, succeeded + failed, self.total, items))
        return self.reason_given(succeeded, failed, decision)

    def ask(self, status: CompletionStatus) -> CompletionDecision:
        """Call the predicate, which there must be.

        Raises:
            ValidationError: It returned something else than a `CompletionDecision`.
        """
        assert self.config.should_complete is not None  # callers ask only where there is one
        decision: object = self.config.should_complete(status)
        if not isinstance(decision, CompletionDecision):
            raise refusal("the result of should_complete", decision, "a CompletionDecision")
        return decision

    def reason_given(self, succeeded: int, failed: int, decision: CompletionDecision | None) -> CompletionReason | None:
        """The same with the predicate's answer, for those who have asked it themselves."""
        if self.tolerance_exceeded(failed):
            return CompletionReason.FAILURE_TOLERANCE_EXCEEDED
        if decision is not None and decision.complete:
            if decision.outcome is CompletionOutcome.FAILED:
                return CompletionReason.CUSTOM_COMPLETION_FAILED
            return CompletionReason.CUSTOM_COMPLETION_SUCCEEDED
        if succeeded + failed >= self.total:
            return CompletionReason.ALL_COMPLETED
        if self.config.min_successful is not None and succeeded >= self.config.min_successful:
            return CompletionReason.MIN_SUCCESSFUL_REACHED
        return None
