"""One invocation of a handler: in this process, or in a child process of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

from durable_execution_sdk._core import Request
from durable_execution_sdk._model.api_errors import CheckpointError, GetExecutionStateError, classify_api_error
from durable_execution_sdk.engine import frames, names
from durable_execution_sdk.engine.clock import EngineClock
from durable_execution_sdk.engine.driving import Begun
from durable_execution_sdk.engine.errors import EngineError, ServiceFault
from durable_execution_sdk.engine.functions import FunctionNotFound, Handler
from durable_execution_sdk.engine.records import (
    SUCCEEDED,
    Abandoned,
    Answered,
    Crashed,
    InvocationOutcome,
    Malformed,
)
from durable_execution_sdk.engine.updates import error_text

REMAINING_MS: Final = 900_000
GRACE_SECONDS: Final = 5
"""How long the process of an invocation may live on after it has answered."""


class Calls(Protocol):
    """The two calls of the service that an invocation makes."""

    def checkpoint(self, arn: str, body: bytes) -> bytes:
        """CheckpointDurableExecution."""

    def state(self, arn: str, token_text: str | None, marker: str | None, max_items: int) -> bytes:
        """GetDurableExecutionState."""


@dataclass
class EngineLambdaContext:
    """The Lambda context that handlers get from the engine. There is no deadline: a full 15 minutes are always left."""

    aws_request_id: str
    function_name: str | None = None
    invoked_function_arn: str | None = None
    tenant_id: str | None = None
    log_group_name: str | None = None
    log_stream_name: str | None = None
    memory_limit_in_mb: str | None = None
    function_version: str | None = "$LATEST"
    client_context: Any | None = None
    identity: Any | None = None

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation would be ended."""
        return REMAINING_MS

    def log(self, msg: object) -> None:
        """Write a line to standard error."""
        print(msg, file=sys.stderr)


class EngineTransport:
    """A `Transport` whose other end is the engine: raw bodies both ways."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def checkpoint(self, arn: str, request: Request) -> bytes | Mapping[str, Any]:
        """Send one batch.

        Raises:
            CheckpointError: It was refused, or the store failed.
        """
        try:
            return self._calls.checkpoint(arn, request.body)
        except ServiceFault as fault:
            raise CheckpointError(str(fault), **_classified(fault)) from fault
        except Exception as error:
            raise CheckpointError(f"The engine could not take the checkpoint: {error}") from error

    def fetch_state(self, arn: str, token: str, marker: str, max_items: int) -> bytes | Mapping[str, Any]:
        """Read one page of the history.

        Raises:
            GetExecutionStateError: It was refused, or the store failed.
        """
        try:
            return self._calls.state(arn, token, marker, max_items)
        except ServiceFault as fault:
            raise GetExecutionStateError(str(fault), **_classified(fault)) from fault
        except Exception as error:
            raise GetExecutionStateError(f"The engine could not read the state: {error}") from error


def _classified(fault: ServiceFault) -> Any:
    error = {"Code": fault.code, "Message": str(fault)}
    metadata = {"HTTPStatusCode": fault.status}
    category = classify_api_error(cast("Any", error), cast("Any", metadata))
    return {"error_category": category, "error": error, "response_metadata": metadata}


class Invoker(Protocol):
    """Runs one invocation to its outcome."""

    def invoke(self, begun: Begun, handler: Handler) -> InvocationOutcome:
        """Run it. KeyboardInterrupt passes; everything else is an outcome."""

    def close(self) -> None:
        """Let nothing go on."""


class InlineInvoker:
    """Runs handlers in this process, on the thread that asks."""

    def __init__(self, calls: Calls, clock: EngineClock) -> None:
        self._transport = EngineTransport(calls)
        self._clock = clock

    def invoke(self, begun: Begun, handler: Handler) -> InvocationOutcome:
        """Run one invocation."""
        return run_handler(handler, begun.event, lambda_context(begun), self._transport, self._clock, begun.plain_input)

    def close(self) -> None:
        """Nothing to end."""


def lambda_context(begun: Begun) -> EngineLambdaContext:
    """The Lambda context of an invocation."""
    execution = begun.execution
    return EngineLambdaContext(
        aws_request_id=begun.request_id,
        function_name=execution.function_name,
        invoked_function_arn=f"arn:{names.PARTITION}:lambda:{names.REGION}:{names.ACCOUNT}:function:"
        f"{execution.function_name}:$LATEST",
        tenant_id=execution.tenant_id,
    )


def run_handler(
    handler: Handler,
    event: Mapping[str, Any],
    context: EngineLambdaContext,
    transport: EngineTransport,
    clock: EngineClock,
    plain_input: str | None,
) -> InvocationOutcome:
    """Call a handler, durable or plain, and read what comes out."""
    try:
        if plain_input is not None:
            return Answered(SUCCEEDED, result=json.dumps(handler(json.loads(plain_input), context)))
        durable: Any = getattr(handler, "__durable__", None)
        if durable is None:
            raise FunctionNotFound(f"{handler!r} is not durable: decorate it with @durable_execution.")
        output = durable.invoke(event, context, transport, clock)
    except KeyboardInterrupt:
        raise
    except SystemExit as error:
        return Crashed(_error("Runtime.ExitError", f"The handler exited with {error.code!r}."))
    except BaseException as error:
        return Crashed(exception_error(error))
    return read_output(output)


def read_output(output: object) -> InvocationOutcome:
    """What a durable handler answered."""
    try:
        if not isinstance(output, Mapping):
            raise TypeError(f"it is {type(output).__name__}, not an object")
        status, result, error = output.get("Status"), output.get("Result"), output.get("Error")
        if not isinstance(status, str):
            raise TypeError(f"Status is {status!r}")
        if result is not None and not isinstance(result, str):
            raise TypeError(f"Result is {type(result).__name__}, not a string")
        return Answered(status, result, None if error is None else error_text(error))
    except (TypeError, ServiceFault) as problem:
        message = f"The handler's output is not valid: {problem}."
        return Malformed(_error("InvalidParameterValueException", message))


def exception_error(error: BaseException) -> str:
    """An exception as an error object."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return error_text(
        {
            "ErrorMessage": str(error),
            "ErrorType": name,
            "StackTrace": traceback.format_exception(error)[-50:],
        }
    )


class ProcessInvoker:
    """Runs each invocation in a child process: what crashes there takes nothing with it."""

    def __init__(self, calls: Calls, clock: EngineClock) -> None:
        self._calls = calls
        self._clock = clock
        self._guard = threading.Lock()
        self._children: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def invoke(self, begun: Begun, handler: Handler) -> InvocationOutcome:
        """Run one invocation in a child."""
        target = begun.execution.target
        if target is None:
            raise EngineError(
                f"Isolation 'process' imports the handler in a child process, and {begun.execution.function_name!r} "
                "has no importable place: give it as 'module:attribute'."
            )
        ours, theirs = socket.socketpair()
        try:
            child = self._start(target, theirs)
            theirs.close()
            try:
                outcome = self._serve(begun, ours)
            except BaseException:
                child.kill()
                raise
            finally:
                code = self._reap(child)
        finally:
            ours.close()
            theirs.close()
        if outcome is not None:
            return outcome
        if self._closed:
            return Abandoned(_error("Runtime.ExitError", "The engine was closed during the invocation."))
        ended = f"signal {-code}" if code < 0 else f"exit status {code}"
        return Crashed(_error("Runtime.ExitError", f"The process of the invocation ended without an answer: {ended}."))

    def close(self) -> None:
        """Kill what runs."""
        with self._guard:
            self._closed = True
            for child in self._children:
                child.kill()

    def _start(self, target: str, theirs: socket.socket) -> subprocess.Popen[bytes]:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
        command = [sys.executable, "-m", "durable_execution_sdk.engine.worker", str(theirs.fileno()), target]
        with self._guard:
            if self._closed:
                raise EngineError("The engine is closed.")
            # A session of its own: Ctrl-C is for the engine, which then ends its children.
            child = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
            self._children.add(child)
            return child

    def _reap(self, child: subprocess.Popen[bytes]) -> int:
        try:
            code = child.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:  # threads of the handler keep it alive, after its answer
            child.kill()
            code = child.wait()
        with self._guard:
            self._children.discard(child)
        return code

    def _serve(self, begun: Begun, connection: socket.socket) -> InvocationOutcome | None:
        """Answer the child's calls until it tells its outcome; None if it ends without one."""
        started = {
            "event": begun.event,
            "context": vars(lambda_context(begun)),
            "now_ms": self._clock.now_ms(),
            "scale": getattr(self._clock, "scale", 0 if self._clock.jumps else 1),
            "plain_input": begun.plain_input,
        }
        try:
            frames.send(connection, json.dumps(started).encode())
            while (frame := frames.receive(connection)) is not None:
                kind, body = frame[:1], frame[1:]
                if kind == frames.OUTCOME:
                    return _read_outcome(body)
                frames.send(connection, self._answer(kind, body))
        except OSError:
            pass  # the child is gone; its exit status tells more
        return None

    def _answer(self, kind: bytes, body: bytes) -> bytes:
        try:
            if kind == frames.CHECKPOINT:
                arn, _, request = body.partition(b"\n")
                return frames.ANSWER + self._calls.checkpoint(arn.decode(), request)
            arn_text, token, marker, max_items = json.loads(body)
            return frames.ANSWER + self._calls.state(arn_text, token, marker, max_items)
        except ServiceFault as fault:
            return frames.FAULT + json.dumps([type(fault).__name__, str(fault)]).encode()
        except Exception as error:
            return frames.FAULT + json.dumps(["", str(error)]).encode()


def _read_outcome(body: bytes) -> InvocationOutcome:
    kind, *values = json.loads(body)
    match kind:
        case "answered":
            return Answered(*values)
        case "malformed":
            return Malformed(*values)
        case _:
            return Crashed(*values)


def _error(error_type: str, message: str) -> str:
    return error_text({"ErrorMessage": message, "ErrorType": error_type})
