"""Answers questions about the official serdes, in the environment that holds the official SDK.

Each line of input is a JSON object: `encode` holds a pickled value, `decode` a text. Each line of output holds what the
official SDK made of it, or null if it refused.
"""

from __future__ import annotations

import base64
import json
import logging
import pickle
import sys
from typing import Any


def shape(value: Any) -> list[Any]:
    """A value in a form in which equal means the same, in plain JSON."""
    if isinstance(value, dict):
        return ["dict", [[shape(key), shape(member)] for key, member in value.items()]]
    if isinstance(value, list | tuple):
        return [type(value).__name__, [shape(member) for member in value]]
    if type(value).__name__ == "BatchResult":
        return ["BatchResult", shape(value.to_dict())]
    return [type(value).__name__, ascii(value)]


def packed(value: Any) -> str:
    return base64.b64encode(pickle.dumps(value)).decode()


def unpacked(text: str) -> Any:
    return pickle.loads(base64.b64decode(text))


def revived(value: Any, batch_result: Any) -> Any:
    """Dictionaries marked `__batch__` become batch results, which do not travel between two SDKs."""
    if isinstance(value, dict):
        if "__batch__" in value:
            return batch_result.from_dict(revived(value["__batch__"], batch_result))
        return {key: revived(member, batch_result) for key, member in value.items()}
    if type(value) in (list, tuple):
        return type(value)(revived(member, batch_result) for member in value)
    return value


def main() -> None:
    from aws_durable_execution_sdk_python.concurrency.models import BatchResult
    from aws_durable_execution_sdk_python.serdes import EXTENDED_TYPES_SERDES, deserialize, serialize

    logging.disable(logging.CRITICAL)
    print(json.dumps(sys.version_info[:2]), flush=True)
    for line in sys.stdin:
        question = json.loads(line)
        try:
            if "encode" in question:
                value = revived(unpacked(question["encode"]), BatchResult)
                answer: Any = serialize(EXTENDED_TYPES_SERDES, value, "op", "arn")
            else:
                answer = shape(deserialize(EXTENDED_TYPES_SERDES, question["decode"], "op", "arn"))
        except Exception:  # whatever it raises, it has refused
            answer = None
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
