"""The default client: the same with boto3 and without, and made by boto3's default session where there is one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import botocore.loaders
import pytest

from durable_execution_sdk._edges.new_client import _Files

PLAIN = {
    "AWS_ACCESS_KEY_ID": "AKIDPLAIN",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}

BOTH = """
import json, sys
from durable_execution_sdk._edges.new_client import new_client

def facts(client):
    config = client.meta.config
    request = client._convert_to_request_dict(  # what would be signed and sent
        {"DurableExecutionArn": "arn:x/1", "CheckpointToken": "t", "Updates": []},
        client.meta.service_model.operation_model("CheckpointDurableExecution"),
        client.meta.endpoint_url,
        {"client_region": client.meta.region_name, "client_config": config, "has_streaming_input": False},
    )
    held = client._get_credentials()
    return {
        "operations": sorted(client.meta.method_to_api_mapping),
        "endpoint": client.meta.endpoint_url,
        "url": request["url"],
        "region": client.meta.region_name,
        "config": {
            name: repr(value)
            for name, value in sorted(config._user_provided_options.items())
            if name != "user_agent"  # names boto3 where that is loaded
        },
        "retries": repr(config.retries),
        "timeouts": [config.connect_timeout, config.read_timeout],
        "sockets": len(client._endpoint.http_session._socket_options),
        "proxies": repr(config.proxies),
        "signature": config.signature_version,
        "credentials": [held.access_key, held.secret_key, held.token],
        "bundle": repr(client._endpoint.http_session._verify),
        "handlers": sorted(  # boto3 adds those of another service
            name for name in map(str, client.meta.events._emitter._unique_id_handlers) if "dynamodb" not in name
        ),
        "paginators": client.can_paginate("list_functions"),
        "waiters": client.waiter_names,
    }

without = facts(new_client("extra/1"))
assert "boto3" not in sys.modules
import boto3
with_boto3 = facts(new_client("extra/1"))
assert boto3.DEFAULT_SESSION is not None
print(json.dumps([without, with_boto3]))
"""


def run(program: str, tmp_path: Path, config: str = "", **variables: str) -> Any:
    (tmp_path / "config").write_text(config)
    (tmp_path / "credentials").write_text("[other]\naws_access_key_id = AKIDOTHER\naws_secret_access_key = other\n")
    files = {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
    }
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(("AWS_", "HTTP", "NO_P"))}
    environment = {name: value for name, value in (kept | PLAIN | files | variables).items() if value}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("config", "variables", "member", "value"),
    [
        ("", {}, "endpoint", "https://lambda.eu-central-1.amazonaws.com"),
        ("", {"AWS_DEFAULT_REGION": "cn-north-1"}, "endpoint", "https://lambda.cn-north-1.amazonaws.com.cn"),
        ("[default]\nuse_fips_endpoint = true\n", {}, "endpoint", "https://lambda-fips.eu-central-1.amazonaws.com"),
        ("[default]\nuse_dualstack_endpoint = true\n", {}, "endpoint", "https://lambda.eu-central-1.api.aws"),
        ("", {"AWS_ENDPOINT_URL_LAMBDA": "http://localhost:9"}, "endpoint", "http://localhost:9"),
        (
            "[default]\nservices = mine\n[services mine]\nlambda =\n  endpoint_url = http://localhost:8\n",
            {},
            "endpoint",
            "http://localhost:8",
        ),
        ("", {"AWS_MAX_ATTEMPTS": "7"}, "retries", None),
        ("[default]\nretry_mode = adaptive\n", {}, "retries", None),
        (
            "[profile other]\nregion = sa-east-1\n",
            {"AWS_PROFILE": "other", "AWS_DEFAULT_REGION": "", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
            "credentials",
            ["AKIDOTHER", "other", None],
        ),
        ("", {"AWS_SESSION_TOKEN": "token"}, "credentials", ["AKIDPLAIN", "secret", "token"]),
        ("[default]\ntcp_keepalive = true\n", {}, "sockets", 2),
        ("", {"HTTPS_PROXY": "http://proxy.example:3128"}, "proxies", None),
        ("", {"AWS_CA_BUNDLE": "/a/bundle.pem"}, "bundle", "'/a/bundle.pem'"),
    ],
)
def test_it_is_the_same_without_boto3(
    tmp_path: Path, config: str, variables: dict[str, str], member: str, value: Any
) -> None:
    without, with_boto3 = run(BOTH, tmp_path, config, **variables)
    assert without == with_boto3
    assert value is None or without[member] == value
    assert without["timeouts"] == [5, 50]


def test_models_of_the_users_are_found(tmp_path: Path) -> None:
    """`AWS_DATA_PATH` may hold a newer model of Lambda; here one with a single operation."""
    model = {
        "version": "2.0",
        "metadata": {
            "apiVersion": "2099-01-01",
            "endpointPrefix": "lambda",
            "protocol": "rest-json",
            "serviceId": "Lambda",
            "signatureVersion": "v4",
        },
        "operations": {"Only": {"name": "Only", "http": {"method": "GET", "requestUri": "/"}}},
        "shapes": {},
    }
    folder = tmp_path / "lambda" / "2099-01-01"
    folder.mkdir(parents=True)
    (folder / "service-2.json").write_text(json.dumps(model))
    rules = botocore.loaders.Loader().load_service_model("lambda", "endpoint-rule-set-1")
    (folder / "endpoint-rule-set-1.json").write_text(json.dumps(rules))
    program = (
        "import json\nfrom durable_execution_sdk._edges.new_client import new_client\n"
        "print(json.dumps(new_client('x').meta.service_model.operation_names))\n"
    )
    assert run(program, tmp_path, AWS_DATA_PATH=str(tmp_path)) == ["Only"]


def test_the_default_session_of_boto3_counts(tmp_path: Path) -> None:
    program = (
        "import boto3, json\nfrom durable_execution_sdk._edges.new_client import new_client\n"
        "boto3.setup_default_session(region_name='ap-south-1')\n"
        "print(json.dumps(new_client('x').meta.region_name))\n"
    )
    assert run(program, tmp_path) == "ap-south-1"


LOADING = """
import builtins, json, sys, threading
from durable_execution_sdk._edges.new_client import new_client

begun, asked, made = threading.Event(), threading.Event(), []
plain = __import__

def imports(name, *others):
    if threading.current_thread() is making:
        asked.set()
    return plain(name, *others)

def make():
    try:
        made.append(new_client("x"))
    finally:
        asked.set()

sys.path.insert(0, sys.argv[0])
loading, making = threading.Thread(target=plain, args=("boto3",)), threading.Thread(target=make)
loading.start()
begun.wait()
builtins.__import__ = imports
making.start()
loading.join()
making.join()
print(json.dumps(made))
"""


def test_a_boto3_that_another_thread_is_loading_is_waited_for(tmp_path: Path) -> None:
    """It is in `sys.modules` before it is whole."""
    lines = "import __main__", "__main__.begun.set()", "__main__.asked.wait()", "client = lambda *_, **options: 'boto3'"
    (tmp_path / "boto3.py").write_text("\n".join(lines))
    assert run(LOADING.replace("sys.argv[0]", repr(str(tmp_path))), tmp_path) == ["boto3"]


def test_model_files_are_read_as_botocore_reads_them(tmp_path: Path) -> None:
    ours, theirs = _Files(), botocore.loaders.JSONFileLoader()
    data = Path(botocore.loaders.Loader.BUILTIN_DATA_PATH)
    for path in (data / "partitions", data / "lambda/2015-03-31/service-2", tmp_path / "nothing"):
        assert ours.exists(str(path)) == theirs.exists(str(path))
        assert ours.load_file(str(path)) == theirs.load_file(str(path))
