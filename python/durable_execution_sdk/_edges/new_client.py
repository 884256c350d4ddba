"""A Lambda client with nothing to spare: what a cold process spends most of its start on.

Where boto3 is loaded already, its default session makes the client, so that whatever a program has set up there
counts. Else nobody can have set up anything, and a botocore session makes the same client by itself: `boto3.client`
does no more for Lambda than call it. That leaves out the import of boto3 (resources, S3 transfers), and two habits of
botocore's model loader: it lists the models of all services to see whether there is one of Lambda, and it reads JSON
into ordered dicts, though dicts have kept their order since Python 3.7.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
from typing import Any

CONNECT_TIMEOUT_SECONDS = 5
READ_TIMEOUT_SECONDS = 50


def new_client(user_agent_extra: str) -> Any:
    """Make a Lambda client from the process's configuration."""
    make: Any
    if sys.modules.get("boto3") is None:
        make = _session().create_client
    else:
        import boto3  # waits where another thread is still at it

        make = boto3.client
    from botocore.config import Config

    from durable_execution_sdk._edges.quick_session import quicken

    config = Config(
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        user_agent_extra=user_agent_extra,
    )
    client = make("lambda", config=config)
    quicken(client)
    return client


def _session() -> Any:
    import botocore.loaders
    import botocore.session

    session: Any = botocore.session.get_session()
    loader: Any = botocore.loaders.create_loader(session.get_config_variable("data_path"))
    loader.file_loader = _Files()
    loader.list_available_services = lambda type_name: ["lambda"]
    session.register_component("data_loader", loader)
    return session


class _Files:
    """Reads model files: botocore's `JSONFileLoader` without the ordered dicts."""

    _OPENERS = ((".json", open), (".json.gz", gzip.open))

    def exists(self, file_path: str) -> bool:
        """Whether there is such a file, its ending left out."""
        return any(os.path.isfile(file_path + ending) for ending, _ in self._OPENERS)

    def load_file(self, file_path: str) -> Any:
        """What it holds; None if there is none."""
        for ending, opener in self._OPENERS:
            if os.path.isfile(file_path + ending):
                with opener(file_path + ending, "rb") as file:
                    return json.loads(file.read())
        return None
