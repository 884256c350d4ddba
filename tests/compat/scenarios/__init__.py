"""Handlers written once and run on both SDKs. Importing this fills the registry; it imports neither SDK nor pytest."""

from tests.compat.scenarios import batches, branches, callbacks, children, conditions, outcomes, programs, steps
from tests.compat.scenarios.registry import REGISTRY, Scenario

__all__ = [
    "REGISTRY",
    "Scenario",
    "batches",
    "branches",
    "callbacks",
    "children",
    "conditions",
    "outcomes",
    "programs",
    "steps",
]
