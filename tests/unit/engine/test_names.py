"""The permanent forms of ARNs, callback ids and tokens."""

from __future__ import annotations

import re

import pytest

from durable_execution_sdk.engine import names

API_ARN = re.compile(
    r"arn:([a-zA-Z0-9-]+):lambda:([a-zA-Z0-9-]+):(\d{12}):function:([a-zA-Z0-9_-]+):(\$LATEST(?:\.PUBLISHED)?|[0-9]+)"
    r"/durable-execution/([a-zA-Z0-9_-]+)/([a-zA-Z0-9_-]+)"
)
API_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


def test_forms_are_those_that_were_promised() -> None:
    assert names.execution_arn("orders", "o-1", "abc") == (
        "arn:durable:lambda:local:000000000000:function:orders:$LATEST/durable-execution/o-1/abc"
    )
    assert names.write_callback_id("abc", "op1") == "Y2FsbGJhY2svMS9hYmMvb3Ax"
    assert names.write_token(names.Token("abc", 2, 7)) == "dG9rZW4vMS9hYmMvMi83"


@pytest.mark.parametrize("operation_id", ["a", "ab", "abc", "f" * 64])
def test_callback_ids_go_round_and_need_no_escaping(operation_id: str) -> None:
    text = names.write_callback_id("e" * 32, operation_id)
    assert names.read_callback_id(text) == ("e" * 32, operation_id)
    assert API_BASE64.fullmatch(text)
    assert text.isalnum()


@pytest.mark.parametrize("token", [names.Token("e" * 32, 1, 0), names.Token("x", 10, 12345)])
def test_tokens_go_round(token: names.Token) -> None:
    assert names.read_token(names.write_token(token)) == token


@pytest.mark.parametrize("text", ["", "!", "AAAA", "dG9rZW4=", names.write_callback_id("a", "b"), "é"])
def test_what_is_no_token(text: str) -> None:
    assert names.read_token(text) is None


def test_arns_match_the_model_of_the_api() -> None:
    arn = names.execution_arn("dots.are.replaced", "n", "id")
    assert API_ARN.fullmatch(arn)
    assert names.execution_id_of(arn) == "id"
    assert names.execution_id_of(arn + "/more") is None


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ("f", "f"),
        ("f:1", "f"),
        ("f:$LATEST", "f"),
        ("f:prod", "f"),
        ("123456789012:function:f", "f"),
        ("arn:aws:lambda:us-east-1:123456789012:function:f", "f"),
        ("arn:aws:lambda:us-east-1:123456789012:function:f:live", "f"),
        ("arn:durable:lambda:local:000000000000:function:f:$LATEST", "f"),
        ("", None),
        ("a b", None),
        ("f" * 257, None),
    ],
)
def test_function_names(given: str, key: str | None) -> None:
    assert names.function_key(given) == key
