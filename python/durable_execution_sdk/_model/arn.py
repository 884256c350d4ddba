"""The ARN of an execution, taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from durable_execution_sdk._model.homes import public

_EXECUTION_ARN: Final = re.compile(
    r"arn:[^:]*:lambda:[^:]*:[^:]*:function:"
    r"(?P<function_name>[^:/]+):[^:/]+/durable-execution/(?P<execution_name>[^/]+)/(?P<invocation_id>[^/]+)"
)


@public("types")
@dataclass(frozen=True, slots=True)
class DurableExecutionArn:
    """Parts of `arn:<partition>:lambda:<region>:<account>:function:<function>:<version>/durable-execution/<name>/<id>`.

    Attributes:
        function_name: The Lambda function.
        execution_name: Unique among the executions of the function.
        invocation_id: The last part.
    """

    function_name: str
    execution_name: str
    invocation_id: str

    @classmethod
    def from_arn(cls, arn: str) -> DurableExecutionArn | None:
        """Take an ARN apart; None if it is not that of an execution.

        Example:
            >>> from durable_execution_sdk.types import DurableExecutionArn
            >>> DurableExecutionArn.from_arn(
            ...     "arn:aws:lambda:eu-west-1:123456789012:function:orders:1/durable-execution/o-17/a4"
            ... ).execution_name
            'o-17'
        """
        match = _EXECUTION_ARN.fullmatch(arn)
        return cls(**match.groupdict()) if match else None
