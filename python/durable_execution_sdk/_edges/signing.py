"""botocore's signature, for requests that are alike.

`SigV4Auth` signs whatever looks like a request, so it is given a plain object with a plain dict of headers: botocore's
own takes more time to fill than to sign. What the signer works out from the same inputs again is asked for once. No
rule of the signature is written down here.
"""

from __future__ import annotations

import hmac
from functools import lru_cache
from typing import Any


class Outgoing:
    """As much of a request as the signer reads, and the sender after it.

    `headers` must have Host; the signer adds its own.
    """

    __slots__ = ("body", "context", "headers", "method", "params", "url")

    def __init__(self, method: str, url: str, headers: dict[str, str], body: bytes) -> None:
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.params: None = None
        self.context: dict[str, Any] = {}


@lru_cache(maxsize=16)
def _derived(key: bytes, text: str) -> bytes:
    """A step on the way from a secret key to the key of a day, a region and a service."""
    return hmac.digest(key, text.encode(), "sha256")


class _Fields(dict[str, str]):
    """Headers to be signed, as much of botocore's class as the signer reads."""

    def get_all(self, name: str) -> tuple[str]:
        """All values of that name: each is there once."""
        return (self[name],)


def quick_signer(signer: Any) -> Any:
    """`SigV4Auth`, which is given, with a memory. Where botocore stops calling these methods, it has none."""

    @lru_cache(maxsize=16)
    def normalized(path: str) -> str:
        text: str = signer._normalize_url_path(None, path)
        return text

    chosen: dict[tuple[str, ...], list[tuple[str, str]]] = {}  # as many as there are kinds of requests

    class QuickSigner(signer):  # type: ignore[misc]  # a class that is known at run time
        def _sign(self, key: bytes, msg: str, hex: bool = False) -> str | bytes:  # noqa: A002  # botocore's name
            return hmac.digest(key, msg.encode(), "sha256").hex() if hex else _derived(key, msg)

        def headers_to_sign(self, request: Any) -> _Fields:
            headers = request.headers
            names = tuple(headers)
            signed = chosen.get(names)
            if signed is None:
                among = super().headers_to_sign(request)
                signed = chosen[names] = [(name.lower(), name) for name in names if name in among]
            return _Fields([(lower, headers[name]) for lower, name in signed])

        def _normalize_url_path(self, path: str) -> str:
            return normalized(path)

    return QuickSigner
