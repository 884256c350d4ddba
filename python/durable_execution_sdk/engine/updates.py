"""Reading the updates of a checkpoint request, and the rules that need no state.

The limits are those of the Lambda API model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from durable_execution_sdk.engine import names
from durable_execution_sdk.engine.errors import InvalidParameterValue
from durable_execution_sdk.engine.records import CALLBACK, CHAINED_INVOKE, CONTEXT, EXECUTION, STEP, WAIT, Update

START: Final = "START"
SUCCEED: Final = "SUCCEED"
FAIL: Final = "FAIL"
RETRY: Final = "RETRY"
CANCEL: Final = "CANCEL"

ACTIONS: Final[Mapping[str, frozenset[str]]] = {
    STEP: frozenset({START, SUCCEED, FAIL, RETRY}),
    CONTEXT: frozenset({START, SUCCEED, FAIL}),
    WAIT: frozenset({START, CANCEL}),
    CALLBACK: frozenset({START}),
    CHAINED_INVOKE: frozenset({START}),
    EXECUTION: frozenset({SUCCEED, FAIL}),
}

MAX_PAYLOAD_BYTES: Final = 6_291_456
MAX_INVOKE_PAYLOAD_BYTES: Final = 1_048_576
MAX_DELAY_SECONDS: Final = 31_622_400
MAX_CALLBACK_SECONDS: Final = 99_999_999

_ID: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_NAME: Final = re.compile(r"[\x20-\x7e]{1,256}")
_SUB_TYPE: Final = re.compile(r"[a-zA-Z0-9_-]{1,32}")
_TENANT: Final = re.compile(r"[a-zA-Z0-9._:/=+@ -]{1,256}")
_ERROR_FIELDS: Final = ("ErrorMessage", "ErrorType", "ErrorData")


def refuse(operation_id: object, problem: str) -> InvalidParameterValue:
    """The error for an update that breaks a rule."""
    return InvalidParameterValue(f"Update of operation {operation_id!r} refused: {problem}.")


def read_updates(entries: object) -> list[Update]:
    """The updates of a request body, checked for form.

    Raises:
        InvalidParameterValue: An entry is malformed; names it, the member and the value.
    """
    if entries is None:
        return []
    if not isinstance(entries, Sequence) or isinstance(entries, str):
        raise InvalidParameterValue(f"Updates must be a list, not {type(entries).__name__}.")
    return [_read_update(entry) for entry in entries]


def error_text(error: object, operation_id: object = None) -> str:
    """An error object as JSON text, unknown members dropped; ASCII, so that any text survives."""
    if not isinstance(error, Mapping):
        raise refuse(operation_id, f"Error must be an object, not {type(error).__name__}")
    kept: dict[str, Any] = {}
    for member in _ERROR_FIELDS:
        value = error.get(member)
        if value is None:
            continue
        if not isinstance(value, str):
            raise refuse(operation_id, f"Error.{member} must be a string, not {value!r}")
        kept[member] = value
    trace = error.get("StackTrace")
    if trace is not None:
        if (
            not isinstance(trace, Sequence)
            or isinstance(trace, str)
            or not all(isinstance(line, str) for line in trace)
        ):
            raise refuse(operation_id, "Error.StackTrace must be a list of strings")
        kept["StackTrace"] = list(trace)
    return json.dumps(kept, separators=(",", ":"))


def payload_bytes(payload: str) -> int:
    """The size of a payload: bytes of its UTF-8 form."""
    return len(payload) if payload.isascii() else len(payload.encode("utf-8", "surrogatepass"))


def _read_update(entry: object) -> Update:
    if not isinstance(entry, Mapping):
        raise InvalidParameterValue(f"An update must be an object, not {type(entry).__name__}.")
    operation_id = entry.get("Id")
    if not isinstance(operation_id, str) or not _ID.fullmatch(operation_id):
        raise refuse(operation_id, "Id must be 1 to 64 letters, digits, '-' or '_'")
    kind, action = entry.get("Type"), entry.get("Action")
    if not isinstance(kind, str) or kind not in ACTIONS:
        raise refuse(operation_id, f"unknown Type {kind!r}")
    if not isinstance(action, str) or action not in ACTIONS[kind]:
        raise refuse(operation_id, f"Action {action!r} is not one of {', '.join(sorted(ACTIONS[kind]))} for {kind}")
    payload = _text(entry, "Payload", operation_id, None)
    error = entry.get("Error")
    if action == FAIL and payload is not None:
        raise refuse(operation_id, "FAIL carries no Payload")
    if action == SUCCEED and error is not None:
        raise refuse(operation_id, "SUCCEED carries no Error")
    if action == RETRY and payload is not None and error is not None:
        raise refuse(operation_id, "RETRY carries a Payload or an Error, not both")
    if payload is not None:
        limit = MAX_INVOKE_PAYLOAD_BYTES if kind == CHAINED_INVOKE else MAX_PAYLOAD_BYTES
        if (size := payload_bytes(payload)) > limit:
            raise refuse(operation_id, f"Payload of {size} bytes is larger than {limit} bytes")
    update = Update(
        operation_id=operation_id,
        operation_type=kind,
        action=action,
        parent_id=_text(entry, "ParentId", operation_id, _ID),
        name=_text(entry, "Name", operation_id, _NAME),
        sub_type=_text(entry, "SubType", operation_id, _SUB_TYPE),
        payload=payload,
        error=None if error is None else error_text(error, operation_id),
    )
    return update if action not in {START, RETRY, SUCCEED} else _with_options(update, entry)


def _with_options(update: Update, entry: Mapping[str, Any]) -> Update:

    operation_id = update.operation_id
    match update.operation_type, update.action:
        case ("STEP", "RETRY"):
            delay = _options(entry, "StepOptions", operation_id).get("NextAttemptDelaySeconds")
            return replace(update, retry_delay_ms=_delay_ms(delay, "NextAttemptDelaySeconds", operation_id))
        case ("WAIT", "START"):
            seconds = _options(entry, "WaitOptions", operation_id).get("WaitSeconds")
            return replace(update, wait_ms=_delay_ms(seconds, "WaitSeconds", operation_id))
        case ("CONTEXT", "SUCCEED"):
            options = entry.get("ContextOptions") or {}
            return replace(update, replay_children=isinstance(options, Mapping) and bool(options.get("ReplayChildren")))
        case ("CALLBACK", "START"):
            options = entry.get("CallbackOptions") or {}
            if not isinstance(options, Mapping):
                raise refuse(operation_id, "CallbackOptions must be an object")
            return replace(
                update,
                timeout_ms=_callback_ms(options, "TimeoutSeconds", operation_id),
                heartbeat_ms=_callback_ms(options, "HeartbeatTimeoutSeconds", operation_id),
            )
        case ("CHAINED_INVOKE", "START"):
            options = _options(entry, "ChainedInvokeOptions", operation_id)
            function = options.get("FunctionName")
            if not isinstance(function, str) or names.function_key(function) is None:
                raise refuse(operation_id, f"FunctionName {function!r} is no function name or ARN")
            return replace(
                update,
                function_name=function,
                tenant_id=_text(options, "TenantId", operation_id, _TENANT),
            )
        case _:
            return update


def _options(entry: Mapping[str, Any], member: str, operation_id: str) -> Mapping[str, Any]:
    options = entry.get(member)
    if not isinstance(options, Mapping):
        raise refuse(operation_id, f"{entry['Type']} {entry['Action']} needs {member}")
    return options


def _text(entry: Mapping[str, Any], member: str, operation_id: object, form: re.Pattern[str] | None) -> str | None:
    value = entry.get(member)
    if value is None:
        return None
    if not isinstance(value, str) or (form is not None and not form.fullmatch(value)):
        raise refuse(operation_id, f"{member} {value!r:.80} has not the form {form.pattern if form else 'of a string'}")
    return value


def _delay_ms(seconds: object, member: str, operation_id: object) -> int:
    # Fractions pass: the official SDK sends a wait of 1.5 s as it is.
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= MAX_DELAY_SECONDS:
        raise refuse(operation_id, f"{member} {seconds!r} is not a number of seconds up to {MAX_DELAY_SECONDS}")
    return max(1, round(seconds * 1000))


def _callback_ms(options: Mapping[str, Any], member: str, operation_id: object) -> int:
    seconds = options.get(member) or 0
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= MAX_CALLBACK_SECONDS:
        raise refuse(operation_id, f"{member} {seconds!r} is not a number of seconds from 0 to {MAX_CALLBACK_SECONDS}")
    return round(seconds * 1000)
