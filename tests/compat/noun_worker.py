"""What an SDK makes of random options, errors, batches and previews; printed as JSON.

    python tests/compat/noun_worker.py PACKAGE SEED

runs in either environment, with the standard library alone. Random numbers that strategies draw are seeded, too, so
even jittered delays must agree.
"""

from __future__ import annotations

import importlib
import json
import random
import sys
from collections.abc import Iterator
from typing import Any

CASES = 1_000


class Nouns:
    """The modules of one SDK, and the same dice for both."""

    def __init__(self, package: str, seed: int) -> None:
        self._package = package
        self.dice = random.Random(seed)

    def __getattr__(self, module: str) -> Any:
        return importlib.import_module(f"{self._package}.{module}")

    def value(self, depth: int = 0) -> Any:
        kind = self.dice.randrange(7 if depth < 3 else 4)
        if kind < 4:
            return self.dice.choice([None, 1, 2.5, "é", "x", True])
        if kind == 4:
            return [self.value(depth + 1) for _ in range(self.dice.randrange(3))]
        names = ["a", "b", "c", "a.b", "", "d"]
        return {self.dice.choice(names): self.value(depth + 1) for _ in range(self.dice.randrange(4))}

    def fields(self) -> list[Any]:
        names = ["a", "b", "c", "d", "a.b", "b.c"]
        modes = list(self.preview.FieldMatchMode)
        return [
            self.preview.PreviewField(self.dice.choice(names), self.dice.choice(modes))
            for _ in range(self.dice.randrange(3))
        ]

    def previews(self) -> Iterator[Any]:
        for _ in range(CASES):
            config = self.preview.PreviewConfig(
                self.dice.choice(list(self.preview.PreviewMode)),
                self.fields(),
                self.fields(),
                self.fields(),
                "*",
                self.dice.choice([10, 30, 60, 4096]),
            )
            yield self.preview.build_preview(self.value(), config)

    def retries_decided(self) -> Iterator[Any]:
        for _ in range(CASES):
            options: dict[str, Any] = {
                "max_attempts": self.dice.randrange(8),
                "initial_delay": self.config.Duration(self.dice.randrange(400)),
                "max_delay": self.config.Duration(self.dice.randrange(400)),
                "jitter_strategy": self.dice.choice(list(self.config.JitterStrategy)),
            }
            if self.dice.random() < 0.4:
                options["retryable_errors"] = self.dice.choice([[], ["x"], ["err", "y"]])
            if self.dice.random() < 0.4:
                options["retryable_error_types"] = self.dice.choice([[], [ValueError], [OSError, KeyError]])
            error = self.dice.choice([ValueError("x"), OSError("err 1"), KeyError("y")])
            attempt = self.dice.randrange(1, 9)
            rate = self.dice.choice([0, 1, 1.5, 2, 2.7])
            step = self.config.Duration(self.dice.randrange(9))
            strategies = (
                self.retries.create_retry_strategy(self.retries.RetryStrategyConfig(backoff_rate=rate, **options)),
                self.retries.create_linear_retry_strategy(
                    self.retries.LinearRetryStrategyConfig(increment=step, **options)
                ),
            )
            for strategy in strategies:
                random.seed(attempt)
                decision = strategy(error, attempt)
                yield decision.should_retry, decision.delay_seconds

    def batches(self) -> Iterator[Any]:
        models = self._module("concurrency.models")
        for _ in range(CASES):
            items = [
                models.BatchItem(
                    index,
                    self.dice.choice(list(self.config.BatchItemStatus)),
                    index,
                    self.lambda_service.ErrorObject("m", self.error_type(), None, None)
                    if self.dice.random() < 0.5
                    else None,
                )
                for index in range(self.dice.randrange(6))
            ]
            batch = models.BatchResult.from_items(items, self.completion())
            yield batch.to_dict(), batch.status.value, batch.get_results(), batch.success_count, raised(batch)

    def _module(self, name: str) -> Any:
        return importlib.import_module(f"{self._package}.{name}")

    def error_type(self) -> str:
        official = "aws_durable_execution_sdk_python"
        return self.dice.choice(
            ["T", "ValueError"]
            + [f"{official}.exceptions.{name}" for name in ("StepError", "SerDesError", "CallbackTimeoutError")]
            + [f"{official}.concurrency.models.BatchCompletionError"]
        )

    def completion(self) -> Any:
        if self.dice.random() < 0.3:
            least = self.dice.randrange(4)
            outcome = self.dice.choice(list(self.config.CompletionOutcome))
            config = self.config

            def decide(status: Any) -> Any:
                return config.complete_batch(outcome) if status.success_count >= least else config.continue_batch()

            return self.config.CompletionConfig(should_complete=decide)
        return self.config.CompletionConfig(
            self.dice.choice([None, 1, 2, 3]),
            self.dice.choice([None, 0, 1, 2]),
            self.dice.choice([None, 0, 30, 50, 100.0]),
        )


def raised(batch: Any) -> tuple[str, str, str] | None:
    """What `throw_if_error` raises and why; texts that an SDK words itself are left out."""
    try:
        batch.throw_if_error()
    except Exception as error:
        return type(error).__name__, type(error.__cause__).__name__, error.error_type  # type: ignore[attr-defined]  # all have one
    return None


def main() -> None:
    nouns = Nouns(sys.argv[1], int(sys.argv[2]))
    print(json.dumps([*nouns.previews(), *nouns.retries_decided(), *nouns.batches()]))


if __name__ == "__main__":
    main()
