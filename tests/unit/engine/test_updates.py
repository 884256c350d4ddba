"""What a checkpoint request may say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from durable_execution_sdk.engine.errors import InvalidParameterValue
from durable_execution_sdk.engine.updates import error_text, read_updates

STEP = {"Id": "a", "Type": "STEP", "Action": "START"}


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("x", "must be an object"),
        ({}, "Id must be"),
        (STEP | {"Id": "a b"}, "Id must be"),
        (STEP | {"Id": "a" * 65}, "Id must be"),
        (STEP | {"Type": "NAP"}, "unknown Type 'NAP'"),
        (STEP | {"Type": "EXECUTION"}, "not one of FAIL, SUCCEED"),
        (STEP | {"Action": "CANCEL"}, "Action 'CANCEL'"),
        (STEP | {"Name": ""}, "Name ''"),
        (STEP | {"Name": "é"}, "Name 'é'"),
        (STEP | {"SubType": "a b"}, "SubType 'a b'"),
        (STEP | {"ParentId": 7}, "ParentId 7"),
        (STEP | {"Action": "FAIL", "Payload": "x"}, "FAIL carries no Payload"),
        (STEP | {"Action": "SUCCEED", "Error": {}}, "SUCCEED carries no Error"),
        (STEP | {"Action": "RETRY", "Payload": "x", "Error": {}}, "not both"),
        (STEP | {"Action": "RETRY"}, "needs StepOptions"),
        (STEP | {"Action": "RETRY", "StepOptions": {"NextAttemptDelaySeconds": 0}}, "NextAttemptDelaySeconds 0"),
        (STEP | {"Action": "SUCCEED", "Payload": "x" * 6_291_457}, "6291457 bytes"),
        (STEP | {"Action": "SUCCEED", "Payload": "é" * 3_145_729}, "6291458 bytes"),
        (STEP | {"Action": "FAIL", "Error": "x"}, "Error must be an object"),
        (STEP | {"Action": "FAIL", "Error": {"ErrorType": 1}}, "Error.ErrorType"),
        (STEP | {"Action": "FAIL", "Error": {"StackTrace": "x"}}, "Error.StackTrace"),
        ({"Id": "a", "Type": "WAIT", "Action": "START"}, "needs WaitOptions"),
        ({"Id": "a", "Type": "WAIT", "Action": "START", "WaitOptions": {"WaitSeconds": True}}, "WaitSeconds True"),
        ({"Id": "a", "Type": "WAIT", "Action": "START", "WaitOptions": {"WaitSeconds": 1e9}}, "WaitSeconds"),
        ({"Id": "a", "Type": "CALLBACK", "Action": "START", "CallbackOptions": {"TimeoutSeconds": -1}}, "-1"),
        ({"Id": "a", "Type": "CALLBACK", "Action": "START", "CallbackOptions": 3}, "must be an object"),
        ({"Id": "a", "Type": "CHAINED_INVOKE", "Action": "START"}, "needs ChainedInvokeOptions"),
        (
            {
                "Id": "a",
                "Type": "CHAINED_INVOKE",
                "Action": "START",
                "Payload": "x" * 1_048_577,
                "ChainedInvokeOptions": {"FunctionName": "f"},
            },
            "1048577 bytes",
        ),
        (
            {"Id": "a", "Type": "CHAINED_INVOKE", "Action": "START", "ChainedInvokeOptions": {"FunctionName": "a b"}},
            "FunctionName 'a b'",
        ),
    ],
)
def test_refused(entry: Any, problem: str) -> None:
    with pytest.raises(InvalidParameterValue) as refused:
        read_updates([STEP, entry])
    assert problem in str(refused.value)


def test_updates_must_be_a_list() -> None:
    assert read_updates(None) == []
    with pytest.raises(InvalidParameterValue, match="list, not dict"):
        read_updates({})


def test_fractions_of_seconds_pass() -> None:
    wait = {"Id": "a", "Type": "WAIT", "Action": "START", "WaitOptions": {"WaitSeconds": 1.5}}
    assert read_updates([wait])[0].wait_ms == 1500


def test_errors_keep_their_text_and_nothing_else() -> None:
    text = error_text({"ErrorMessage": "\ud800é", "StackTrace": ["a"], "ErrorData": None, "Extra": 1})
    assert text.isascii()
    assert json.loads(text) == {"ErrorMessage": "\ud800é", "StackTrace": ["a"]}
