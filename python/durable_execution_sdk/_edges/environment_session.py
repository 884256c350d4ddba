"""What the light transport asks of a botocore session, where all of it lies in the environment.

`botocore.session` brings clients, waiters and the writing of their documentation, an eighth of a cold process, and a
session's credentials make two TLS contexts for a metadata service. A function on Lambda has its credentials in the
environment and no configuration file. There the parts of a session that are left, its table of variables and its first
provider of credentials, are asked without it.
"""

from __future__ import annotations

import os
from typing import Any

_FILES = (("AWS_CONFIG_FILE", "~/.aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"))


def is_enough() -> bool:
    """Whether a session would find nothing beyond the environment: no file, no profile, and credentials there.

    Those come first in botocore's chain, unless a session is told a profile in code.
    """
    read = os.environ.get
    if not read("AWS_ACCESS_KEY_ID") or "AWS_PROFILE" in os.environ or "AWS_DEFAULT_PROFILE" in os.environ:
        return False
    paths = (os.path.expanduser(os.path.expandvars(read(variable, usual))) for variable, usual in _FILES)
    return not any(map(os.path.isfile, paths))


class EnvironmentSession:
    """As much of `botocore.session.Session` as the light transport uses; botocore's own providers answer.

    Raises:
        ImportError, AttributeError, TypeError: This botocore is laid out differently.
    """

    def __init__(self) -> None:
        from botocore import configprovider
        from botocore.credentials import EnvProvider

        mapping: Any = configprovider.create_botocore_default_config_mapping(self)
        self.get_config_variable = configprovider.ConfigValueStore(mapping=mapping).get_config_variable
        self.get_credentials = EnvProvider().load
        self.full_config: dict[str, Any] = {"profiles": {}}

    def instance_variables(self) -> dict[str, Any]:
        """What code has set: nothing, for nobody else has this session."""
        return {}

    def get_scoped_config(self) -> dict[str, Any]:
        """The profile's part of the configuration file."""
        return {}

    def get_default_client_config(self) -> None:
        """What code has set for clients."""

    def get_data(self, data_path: str) -> Any:
        """A file of botocore's data."""
        from botocore.loaders import create_loader

        return create_loader(self.get_config_variable("data_path")).load_data(data_path)

    def user_agent(self) -> str:
        """As of a session of botocore's, without the C runtime, which has no part in a request."""
        import platform

        from botocore import __version__

        system = f"{platform.system()}/{platform.release()}"
        made_by = f"Botocore/{__version__} Python/{platform.python_version()} {system}"
        environment = os.environ.get("AWS_EXECUTION_ENV")
        return made_by if environment is None else f"{made_by} exec-env/{environment}"
