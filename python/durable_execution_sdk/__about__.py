"""The version of the package."""

from durable_execution_sdk._core import __version__

__all__ = ["__version__"]
