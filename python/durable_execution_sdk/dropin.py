"""Code that says `aws_durable_execution_sdk_python` and cannot be changed runs on this package.

    python -m durable_execution_sdk.dropin SCRIPT [ARGUMENT ...]
    python -m durable_execution_sdk.dropin -m MODULE [ARGUMENT ...]
    pytest -p durable_execution_sdk.dropin

or `durable_execution_sdk.dropin.install()` before the first import of the official name. From then on the official
name and every module below it is this package: the same module objects, no copies. It need not be installed; if it is,
it is not touched.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import runpy
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

OFFICIAL_NAME = "aws_durable_execution_sdk_python"
OFFICIAL_DISTRIBUTION = "aws-durable-execution-sdk-python"
OFFICIAL_VERSION = "3.0.0"
"""The version whose interface this package has; it is what asking for the official distribution's version answers."""

_OWN_NAME = "durable_execution_sdk"


class DropinError(ImportError):
    """The official package was imported before `install()`; both would be in use at once."""


class _Loader(importlib.abc.Loader):
    def __init__(self, own: str) -> None:
        self._own = own

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._own)
        self._spec, self._loader = module.__spec__, getattr(module, "__loader__", None)
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The import system has just told the module that it goes by the official name; it keeps its own.
        module.__spec__ = self._spec
        module.__loader__ = self._loader


class _Finder(importlib.abc.MetaPathFinder):
    """Answers for the official name and everything below it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != OFFICIAL_NAME and not fullname.startswith(f"{OFFICIAL_NAME}."):
            return None
        own = _OWN_NAME + fullname.removeprefix(OFFICIAL_NAME)
        if importlib.util.find_spec(own) is None:
            return None
        return importlib.machinery.ModuleSpec(fullname, _Loader(own), is_package=True)

    @staticmethod
    def find_distributions(
        context: importlib.metadata.DistributionFinder.Context | None = None,
    ) -> Iterable[importlib.metadata.Distribution]:
        """Metadata under the official name, for code that asks for its version."""
        name = getattr(context, "name", None)
        if name is not None and _normalized(name) == OFFICIAL_DISTRIBUTION:
            yield _Distribution()


class _Distribution(importlib.metadata.Distribution):
    def read_text(self, filename: str) -> str | None:
        if filename in {"METADATA", "PKG-INFO"}:
            return f"Metadata-Version: 2.1\nName: {OFFICIAL_DISTRIBUTION}\nVersion: {OFFICIAL_VERSION}\n"
        return None

    def locate_file(self, path: Any) -> Any:
        return Path(__file__).parent / path


def _normalized(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def install() -> None:
    """Make the official name resolve to this package, for the rest of the process. Twice is once.

    Raises:
        DropinError: The official package is imported already.
    """
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    loaded = sys.modules.get(OFFICIAL_NAME)
    if loaded is not None and loaded is not sys.modules.get(_OWN_NAME):
        raise DropinError(
            f"{OFFICIAL_NAME} is imported already ({getattr(loaded, '__file__', 'unknown place')}): call"
            " durable_execution_sdk.dropin.install() before anything imports it"
        )
    sys.meta_path.insert(0, _Finder())


def main(arguments: list[str] | None = None) -> None:
    """Run a script or a module with the official name resolving to this package."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words or (words[0] == "-m" and len(words) < 2) or words[0] in {"-h", "--help"}:
        sys.stderr.write(f"usage: python -m {_OWN_NAME}.dropin SCRIPT|-m MODULE [ARGUMENT ...]\n")
        raise SystemExit(0 if words and words[0] in {"-h", "--help"} else 2)
    install()
    if words[0] == "-m":
        sys.argv = words[1:]
        sys.path[0] = ""
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        sys.path[0] = str(Path(words[0]).resolve().parent)
        runpy.run_path(words[0], run_name="__main__")


def pytest_load_initial_conftests() -> None:
    """Called by pytest for `-p durable_execution_sdk.dropin`, before any conftest or test module is imported."""
    install()


if __name__ == "__main__":
    main()
