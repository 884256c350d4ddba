"""The light transport: what it reads from the configuration, and what it leaves to boto3."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import botocore.endpoint
import botocore.httpsession
import botocore.session
import pytest

from durable_execution_sdk._edges import aws, kept_http
from durable_execution_sdk._edges.aws import BotoTransport
from durable_execution_sdk._edges.light import LightTransport, unsupported
from durable_execution_sdk._model.api_errors import CheckpointError
from tests.support.loopback import ACCESS_KEY, SECRET_KEY, Loopback, Refuse, loopback
from tests.support.requests import batch

VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_CA_BUNDLE",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_LAMBDA",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_MAX_ATTEMPTS",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_RETRY_MODE",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "_X_AMZN_TRACE_ID",
    "https_proxy",
    "http_proxy",
    "no_proxy",
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Nothing of this machine's configuration, and credentials that the service knows."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    return monkeypatch


@pytest.fixture
def config(tmp_path: Path) -> Callable[[str], None]:
    def write(text: str) -> None:
        (tmp_path / "config").write_text(f"[default]\n{text}\n")

    return write


@pytest.fixture
def service() -> Iterator[Loopback]:
    with loopback() as running:
        yield running


def send(transport: LightTransport, service: Loopback) -> Any:
    execution = service.start()
    return transport.checkpoint(execution.arn, batch(execution.token(), "a"))


# --- what it serves ---------------------------------------------------------------------------------------------------


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Requests, taken before they reach a network; the answer is an error that is not retried."""
    requests: list[Any] = []

    class Captured:
        def __init__(self, *endpoint: str, **options: Any) -> None:
            self.options = options

        def send(self, request: Any) -> Any:
            requests.append(
                SimpleNamespace(
                    url=request.url, headers=request.headers, body=request.body, options=getattr(self, "options", None)
                )
            )
            raise RuntimeError("taken by the test")

    monkeypatch.setattr(kept_http, "KeptConnections", Captured)
    monkeypatch.setattr(botocore.endpoint.URLLib3Session, "send", Captured.send)  # of clients, which keep the class
    monkeypatch.setattr(botocore.httpsession, "URLLib3Session", Captured)
    return requests


def take(sent: list[Any]) -> Any:
    with pytest.raises(CheckpointError, match="taken by the test"):
        LightTransport().checkpoint("arn:x/$LATEST:y", batch("dA=="))
    return sent[-1]


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "lambda.us-east-1.amazonaws.com"),
        ("eu-central-1", "lambda.eu-central-1.amazonaws.com"),
        ("cn-north-1", "lambda.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "lambda.us-gov-west-1.amazonaws.com"),
        ("us-iso-east-1", "lambda.us-iso-east-1.c2s.ic.gov"),
        ("eu-nowhere-7", "lambda.eu-nowhere-7.amazonaws.com"),
        ("mars-1", "lambda.mars-1.amazonaws.com"),
    ],
)
def test_the_endpoint_of_a_region_is_the_one_boto3_takes(
    environment: pytest.MonkeyPatch, sent: list[Any], region: str, host: str
) -> None:
    environment.setenv("AWS_DEFAULT_REGION", region)
    request = take(sent)
    path = "/2025-12-01/durable-executions/arn%3Ax%2F%24LATEST%3Ay/checkpoint"
    assert request.url == f"https://{host}{path}"
    client = botocore.session.get_session().create_client("lambda")
    assert client.meta.endpoint_url == f"https://{host}"
    assert f"/{region}/lambda/aws4_request" in request.headers["Authorization"]


def test_connections_are_made_as_the_configuration_says(
    environment: pytest.MonkeyPatch, sent: list[Any], config: Callable[[str], None]
) -> None:
    options = take(sent).options
    assert (options["connect_timeout"], options["read_timeout"]) == (5, 50)
    assert options["verify"] is True
    assert options["keep_alive"] is False
    environment.setenv("REQUESTS_CA_BUNDLE", "/bundle/of/requests.pem")
    config("tcp_keepalive = true")
    options = take(sent).options
    assert options["verify"] == "/bundle/of/requests.pem"
    assert options["keep_alive"] is True
    environment.setenv("AWS_CA_BUNDLE", "/bundle/of/aws.pem")
    assert take(sent).options["verify"] == "/bundle/of/aws.pem"


def test_proxies_are_left_to_the_http_session_of_botocore(
    environment: pytest.MonkeyPatch, sent: list[Any], config: Callable[[str], None]
) -> None:
    config("tcp_keepalive = true")
    environment.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    environment.setenv("AWS_CA_BUNDLE", "/bundle/of/aws.pem")
    options = take(sent).options
    assert options["proxies"]["https"] == "http://proxy.example:3128"
    assert options["timeout"] == (5, 50)
    assert options["verify"] == "/bundle/of/aws.pem"
    assert len(options["socket_options"]) == 2
    environment.setenv("NO_PROXY", ".amazonaws.com")
    assert "proxies" not in take(sent).options


def test_session_credentials_and_the_trace_header_travel(environment: pytest.MonkeyPatch, sent: list[Any]) -> None:
    environment.setenv("AWS_SESSION_TOKEN", "the-session-token")
    environment.setenv("_X_AMZN_TRACE_ID", "Root=1-5f;Parent=ab c")
    assert "X-Amzn-Trace-Id" not in take(sent).headers, "not in Lambda"
    environment.setenv("AWS_LAMBDA_FUNCTION_NAME", "orders")
    headers = take(sent).headers
    assert headers["X-Amz-Security-Token"] == "the-session-token"
    assert headers["X-Amzn-Trace-Id"] == "Root=1-5f;Parent=ab%20c"


def test_the_endpoint_url_of_the_configuration_is_used(
    environment: pytest.MonkeyPatch, service: Loopback, config: Callable[[str], None]
) -> None:
    config(f"endpoint_url = {service.url}/")
    assert isinstance(send(LightTransport(), service), bytes)
    environment.setenv("AWS_ENDPOINT_URL", service.url)
    environment.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    environment.setattr(kept_http, "KeptConnections", _Unreachable)
    with pytest.raises(CheckpointError, match=r"lambda\.eu-central-1\.amazonaws\.com"):
        send(LightTransport(), service)


class _Unreachable:
    def __init__(self, *_: Any, **__: Any) -> None: ...

    def send(self, request: Any) -> Any:
        raise RuntimeError(request.url)


def test_a_proxy_is_used(environment: pytest.MonkeyPatch, service: Loopback) -> None:
    environment.setenv("HTTP_PROXY", service.url)
    environment.setenv("AWS_ENDPOINT_URL", "http://lambda.example")
    assert isinstance(send(LightTransport(), service), bytes)
    assert service.received[0].target.startswith("http://lambda.example/2025-12-01/")


def test_max_attempts_is_read(environment: pytest.MonkeyPatch, service: Loopback) -> None:
    environment.setenv("AWS_ENDPOINT_URL", service.url)
    environment.setenv("AWS_MAX_ATTEMPTS", "1")
    service.fail_next(Refuse(500, "ServiceException"))
    with pytest.raises(CheckpointError):
        send(LightTransport(), service)
    assert len(service.received) == 1


def test_missing_credentials_are_named(environment: pytest.MonkeyPatch, service: Loopback) -> None:
    environment.setenv("AWS_ENDPOINT_URL", service.url)
    environment.delenv("AWS_ACCESS_KEY_ID")
    environment.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(CheckpointError, match="Unable to locate credentials") as caught:
        send(LightTransport(), service)
    assert caught.value.is_retryable()
    assert service.received == []


def test_the_session_of_boto3_is_shared_if_there_is_one(environment: pytest.MonkeyPatch, service: Loopback) -> None:
    import boto3

    environment.setenv("AWS_ENDPOINT_URL", service.url)
    environment.delenv("AWS_ACCESS_KEY_ID")
    environment.delenv("AWS_SECRET_ACCESS_KEY")
    boto3.setup_default_session(aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY, region_name="sa-east-1")
    assert isinstance(send(LightTransport(), service), bytes)
    assert "/sa-east-1/lambda/" in service.received[0].headers["authorization"]


def test_credentials_that_another_service_gives_are_asked_for_by_a_complete_client(
    environment: pytest.MonkeyPatch, sent: list[Any], config: Callable[[str], None], tmp_path: Path
) -> None:
    """Such a call must not be signed, and only a built-in handler of botocore's says so."""
    environment.delenv("AWS_ACCESS_KEY_ID")
    (tmp_path / "identity").write_text("identity of the process")
    config(f"role_arn = arn:aws:iam::123456789012:role/x\nweb_identity_token_file = {tmp_path / 'identity'}")
    with pytest.raises(CheckpointError):
        LightTransport().checkpoint("arn:x/$LATEST:y", batch("dA=="))
    assert "AssumeRoleWithWebIdentity" in sent[0].body
    assert "Authorization" not in sent[0].headers


@pytest.mark.parametrize("profile", [None, "other"])
def test_credentials_of_the_environment_come_first(
    environment: pytest.MonkeyPatch, sent: list[Any], tmp_path: Path, profile: str | None
) -> None:
    """As in botocore, also where a profile has some."""
    (tmp_path / "config").write_text("[default]\n[profile other]\nrole_arn = arn:aws:iam::1:role/x\n")
    if profile:
        environment.setenv("AWS_PROFILE", profile)
    assert f"Credential={ACCESS_KEY}/" in take(sent).headers["Authorization"]
    assert len(sent) == 1


def test_threads_share_one_connection_pool(environment: pytest.MonkeyPatch, service: Loopback) -> None:
    environment.setenv("AWS_ENDPOINT_URL", service.url)
    transport = LightTransport()
    gate, answers = threading.Barrier(4), []
    executions = [service.start() for _ in range(4)]

    def call(index: int) -> None:
        gate.wait(10)
        answers.append(transport.checkpoint(executions[index].arn, batch(executions[index].token(), "a")))

    threads = [threading.Thread(target=call, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(answers) == 4
    assert all(len(execution.updates) == 1 for execution in executions)


# --- what it leaves to boto3 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("use_fips_endpoint = true", "use_fips_endpoint"),
        ("use_dualstack_endpoint = true", "use_dualstack_endpoint"),
        ("retry_mode = adaptive", "retry mode 'adaptive'"),
        ("retry_mode = legacy", "retry mode 'legacy'"),
        ("auth_scheme_preference = sigv4a", "auth_scheme_preference"),
        ("proxies_config =\n  proxy_use_forwarding_for_https = true", "proxies_config"),
    ],
)
def test_a_setting_it_does_not_know_is_named(config: Callable[[str], None], setting: str, named: str) -> None:
    config(setting)
    assert named in (unsupported(botocore.session.get_session()) or "nothing")


def test_a_plain_configuration_is_served(config: Callable[[str], None]) -> None:
    config("retry_mode = standard\nuse_fips_endpoint = false\nmax_attempts = 5")
    assert unsupported(botocore.session.get_session()) is None


@pytest.mark.parametrize("region", ["", "-eu", "eu.central.1", "x" * 64])
def test_what_is_no_region_is_left_to_boto3(environment: pytest.MonkeyPatch, region: str) -> None:
    environment.setenv("AWS_DEFAULT_REGION", region)
    assert "region" in (unsupported(botocore.session.get_session()) or "nothing")


def test_boto3_takes_over_and_the_log_says_why_once(
    environment: pytest.MonkeyPatch, service: Loopback, caplog: pytest.LogCaptureFixture
) -> None:
    aws.forget_default_client()
    environment.setenv("AWS_ENDPOINT_URL", service.url)
    environment.setenv("AWS_RETRY_MODE", "adaptive")
    transport = LightTransport()
    with caplog.at_level(logging.WARNING, "durable_execution_sdk"):
        assert isinstance(send(transport, service), bytes)
        execution = service.start()
        assert isinstance(transport.fetch_state(execution.arn, execution.token(), "", 10), bytes)
    aws.forget_default_client()
    assert [record.getMessage() for record in caplog.records] == [
        "The light transport does not serve this configuration; using boto3. Reason: retry mode 'adaptive' (retry_mode)"
    ]
    assert "Boto3/" in service.received[0].headers["user-agent"]


def test_an_unknown_botocore_is_left_to_boto3(
    environment: pytest.MonkeyPatch, service: Loopback, caplog: pytest.LogCaptureFixture
) -> None:
    import botocore.retries.standard

    aws.forget_default_client()
    environment.setenv("AWS_ENDPOINT_URL", service.url)
    environment.delattr(botocore.retries.standard, "register_retry_handler")
    environment.setenv("AWS_RETRY_MODE", "standard")
    transport = LightTransport()
    environment.setattr(BotoTransport, "checkpoint", lambda *_: b"by boto3")
    assert send(transport, service) == b"by boto3"
    assert "laid out differently" in caplog.text


def test_the_light_transport_imports_neither_boto3_nor_a_session_nor_a_service_model(service: Loopback) -> None:
    program = (
        "import os, sys\n"
        f"os.environ['AWS_ENDPOINT_URL'] = {service.url!r}\n"
        "from durable_execution_sdk._edges.light import LightTransport\n"
        "from tests.support.requests import batch\n"
        "opened = []\n"
        "sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == 'open' else None)\n"
        f"print(len(LightTransport().checkpoint({service.start().arn!r}, batch(sys.argv[1]))))\n"
        "models = [name for name in opened if 'data/lambda' in name or 'endpoints.json' in name]\n"
        "print({'boto3', 'botocore.session', 'botocore.client'} & sys.modules.keys(), models)\n"
    )
    token = service.start().token()
    done = subprocess.run([sys.executable, "-c", program, token], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1] == "set() []"
