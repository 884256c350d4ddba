"""What stands for a botocore session where all lies in the environment answers as botocore's own does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import botocore.configprovider
import botocore.exceptions
import botocore.session
import pytest

from durable_execution_sdk._edges import light
from durable_execution_sdk._edges.environment_session import EnvironmentSession, is_enough

VARIABLES = [*botocore.configprovider.BOTOCORE_DEFAUT_SESSION_VARIABLES, "proxies_config", "s3"]
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    for _, names, *_ in botocore.configprovider.BOTOCORE_DEFAUT_SESSION_VARIABLES.values():
        for name in [names] if isinstance(names, str) else names or []:
            monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION", "AWS_EXECUTION_ENV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    return monkeypatch


def answers(session: Any) -> dict[str, Any]:
    """All that the light transport can learn from it."""
    found = {name: session.get_config_variable(name) for name in VARIABLES}
    credentials = session.get_credentials()
    return found | {
        "credentials": (type(credentials), credentials.get_frozen_credentials(), credentials.account_id),
        "full": session.full_config,
        "scoped": session.get_scoped_config(),
        "set": session.instance_variables(),
        "clients": session.get_default_client_config(),
        "agent": session.user_agent(),
        "partitions": len(session.get_data("partitions")["partitions"]),
        "unsupported": light.unsupported(session),
    }


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"AWS_DEFAULT_REGION": "eu-central-1", "AWS_REGION": "us-east-1"},
        {"AWS_DEFAULT_REGION": "eu-central-1", "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13"},
        {"AWS_SESSION_TOKEN": "token", "AWS_ACCOUNT_ID": "123456789012"},
        {"AWS_CREDENTIAL_EXPIRATION": TOMORROW, "AWS_SECURITY_TOKEN": "older name"},
        {"AWS_DEFAULT_REGION": "eu-central-1", "AWS_USE_FIPS_ENDPOINT": "true"},
        {"AWS_DEFAULT_REGION": "eu-central-1", "AWS_USE_DUALSTACK_ENDPOINT": "TRUE"},
        {"AWS_DEFAULT_REGION": "eu-central-1", "AWS_RETRY_MODE": "adaptive", "AWS_MAX_ATTEMPTS": "7"},
        {"AWS_DEFAULT_REGION": "", "AWS_CA_BUNDLE": "/some/bundle.pem"},
        {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "AWS_DATA_PATH": "/some/where"},
    ],
)
def test_every_answer_is_botocores(environment: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        environment.setenv(name, value)
    assert is_enough()
    assert answers(EnvironmentSession()) == answers(botocore.session.get_session())


def test_half_of_the_credentials_are_refused_as_by_botocore(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("AWS_SECRET_ACCESS_KEY")
    for session in (EnvironmentSession(), botocore.session.get_session()):
        with pytest.raises(botocore.exceptions.PartialCredentialsError, match="AWS_SECRET_ACCESS_KEY"):
            session.get_credentials()


@pytest.mark.parametrize("variable", ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
def test_a_profile_needs_a_session(environment: pytest.MonkeyPatch, variable: str) -> None:
    environment.setenv(variable, "default")
    assert not is_enough()


@pytest.mark.parametrize("key", ["", None])
def test_credentials_elsewhere_need_a_session(environment: pytest.MonkeyPatch, key: str | None) -> None:
    if key is None:
        environment.delenv("AWS_ACCESS_KEY_ID")
    else:
        environment.setenv("AWS_ACCESS_KEY_ID", key)
    assert not is_enough()


@pytest.mark.parametrize(
    ("variable", "usual"), [("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")]
)
def test_a_file_needs_a_session(environment: pytest.MonkeyPatch, tmp_path: Path, variable: str, usual: str) -> None:
    (tmp_path / ".aws").mkdir()
    file = tmp_path / ".aws" / usual
    file.touch()
    assert not is_enough()
    moved = file.rename(tmp_path / "elsewhere")
    assert is_enough()
    environment.setenv(variable, "$HOME/elsewhere")
    assert not is_enough()
    moved.unlink()
    assert is_enough()


def test_another_botocore_has_its_own_session_asked(environment: pytest.MonkeyPatch) -> None:
    class Rearranged(botocore.configprovider.ConfigValueStore):
        def __init__(self, *, table: Any = None) -> None:
            super().__init__(mapping=table)

    environment.setattr(botocore.configprovider, "ConfigValueStore", Rearranged)
    assert isinstance(light._ambient_session(), botocore.session.Session)
