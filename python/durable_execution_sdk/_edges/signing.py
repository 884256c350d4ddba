"""botocore's signature, for requests that are alike.

`SigV4Auth` signs whatever looks like a request, so it is given a plain object with a plain dict of headers: botocore's
own takes more time to fill than to sign. What the signer works out from the same inputs again is asked for once. No
rule of the signature is written down here.

Both rely on how botocore goes about it, so both are tried first: where the outcome differs from that of botocore's own
request and signer, those are used.
"""

from __future__ import annotations

import hmac
import logging
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

_SERVICE = "lambda"

_logger = logging.getLogger("durable_execution_sdk.lambda_service")


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


class Signing:
    """Signs requests to Lambda.

    Args:
        signer: The class `botocore.auth.SigV4Auth`.
        request: The class `botocore.awsrequest.AWSRequest`.
    """

    __slots__ = ("_plain", "_quick", "_request")

    def __init__(self, signer: Any, request: Any) -> None:
        self._plain = signer
        self._request = request
        self._quick: Any = quick_signer(signer)
        if not self._agrees():
            self._quick = None
            _logger.warning("This botocore signs differently than known; requests are signed the slow way.")

    def sign(self, request: Outgoing, credentials: Any, region: str) -> None:
        """Add the signature to the request's headers; `credentials` are frozen ones."""
        if self._quick is None:
            self._sign_plainly(request, credentials, region)
        else:
            self._quick(credentials, _SERVICE, region).add_auth(request)

    def _sign_plainly(self, request: Outgoing, credentials: Any, region: str) -> None:
        signed = self._request(method=request.method, url=request.url, headers=request.headers, data=request.body)
        self._plain(credentials, _SERVICE, region).add_auth(signed)
        request.headers = dict(signed.headers.items())

    def _agrees(self) -> bool:
        credentials = SimpleNamespace(access_key="AKID", secret_key="secret", token="token")
        same = 0
        for _ in range(10):  # the clock may move on in between
            quick, plain = _trial(), _trial()
            try:
                self.sign(quick, credentials, "us-east-1")
            except Exception:  # whatever a botocore that we do not know makes of it
                return False
            self._sign_plainly(plain, credentials, "us-east-1")
            if quick.headers == plain.headers:
                same += 1
                if same == 2:  # without a memory, and with one
                    return True
            elif quick.headers.get("X-Amz-Date") == plain.headers.get("X-Amz-Date"):
                return False
        return False


def _trial() -> Outgoing:
    headers = {"Host": "lambda.example", "User-Agent": "x", "Content-Type": "application/json"}
    return Outgoing("POST", "https://lambda.example/a%3Ab/c", headers, b"{}")


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
