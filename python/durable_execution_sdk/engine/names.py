"""The permanent forms of execution ARNs, checkpoint tokens and callback ids.

They are part of what users store elsewhere, so they never change:

- ARN: `arn:durable:lambda:local:000000000000:function:<function>:$LATEST/durable-execution/<name>/<execution id>`;
- callback id: base64 of `callback/1/<execution id>/<operation id>`, filled up with spaces so that it needs no `=`;
- checkpoint token: base64 of `token/1/<execution id>/<invocation>/<sequence>`, filled up likewise.

All of them match the patterns of the Lambda API model.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

PARTITION: Final = "durable"
REGION: Final = "local"
ACCOUNT: Final = "000000000000"

_ARN: Final = re.compile(
    r"arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\d{12}:function:(?P<function>[a-zA-Z0-9_-]+)"
    r":(?:\$LATEST(?:\.PUBLISHED)?|[0-9]+)/durable-execution/(?P<name>[a-zA-Z0-9_-]+)/(?P<id>[a-zA-Z0-9_-]+)"
)
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_FUNCTION: Final = re.compile(
    r"(?:arn:[a-zA-Z0-9-]+:lambda:[a-z0-9-]+:\d{12}:function:|(?:\d{12}:)?(?:function:)?)"
    r"(?P<name>[a-zA-Z0-9_.-]+)(?::(?:\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9_-]+))?"
)


def execution_arn(function_name: str, name: str, execution_id: str) -> str:
    """The ARN of an execution of this engine."""
    function = re.sub(r"[^a-zA-Z0-9_-]", "-", function_name)
    return (
        f"arn:{PARTITION}:lambda:{REGION}:{ACCOUNT}:function:{function}:$LATEST/durable-execution/{name}/{execution_id}"
    )


def execution_id_of(arn: str) -> str | None:
    """The execution id in an ARN, or None if it is no such ARN."""
    match = _ARN.fullmatch(arn)
    return match["id"] if match else None


def is_execution_name(name: str) -> bool:
    """Whether `name` may name an execution: 1 to 64 letters, digits, `-` and `_`."""
    return _NAME.fullmatch(name) is not None


def function_key(function_name: str) -> str | None:
    """The bare function name in a name, partial ARN or ARN, with or without a qualifier; None if malformed."""
    if not 1 <= len(function_name) <= 256:
        return None
    match = _FUNCTION.fullmatch(function_name)
    return match["name"] if match else None


@dataclass(frozen=True, slots=True)
class Token:
    """What a checkpoint token says."""

    execution_id: str
    invocation: int
    sequence: int


def write_token(token: Token) -> str:
    """The token as text."""
    return _pack(f"token/1/{token.execution_id}/{token.invocation}/{token.sequence}")


def read_token(text: str) -> Token | None:
    """The token in a text, or None if it is none of ours."""
    parts = _unpack(text).split("/")
    if len(parts) != 5 or parts[:2] != ["token", "1"] or not (parts[3].isdecimal() and parts[4].isdecimal()):
        return None
    return Token(parts[2], int(parts[3]), int(parts[4]))


def write_callback_id(execution_id: str, operation_id: str) -> str:
    """The id under which the outside world completes a callback operation."""
    return _pack(f"callback/1/{execution_id}/{operation_id}")


def read_callback_id(text: str) -> tuple[str, str] | None:
    """(execution id, operation id), or None if it is none of ours."""
    parts = _unpack(text).split("/")
    return (parts[2], parts[3]) if len(parts) == 4 and parts[:2] == ["callback", "1"] else None


def _pack(text: str) -> str:
    # A length divisible by three needs no padding, which would have to be escaped in URLs and shells.
    return base64.b64encode(text.ljust(-(-len(text) // 3) * 3).encode("ascii")).decode("ascii")


def _unpack(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("ascii").rstrip(" ")
    except (binascii.Error, UnicodeError, ValueError):
        return ""
