"""How requests to the service name the SDK that sends them."""

from __future__ import annotations

from durable_execution_sdk._core import __version__

COMPATIBLE_WITH = "aws-durable-execution-sdk-python/3.0.0"
"""The official SDK whose protocol this one speaks, in the form in which that SDK reports itself."""


def user_agent_extra() -> str:
    """Our own name and version, then the official SDK that the service may take us for."""
    return f"durable-execution-sdk/{__version__} {COMPATIBLE_WITH}"
