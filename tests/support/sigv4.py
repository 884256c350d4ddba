"""A second implementation of AWS Signature Version 4, from its public specification, to check what clients send."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urlsplit


def signature_fault(
    method: str, target: str, headers: Mapping[str, str], body: bytes, secrets: Mapping[str, str]
) -> str | None:
    """Why the request's signature is refused; None if it covers the request as received.

    `headers` has lower-case names; `secrets` maps access keys to secret keys.
    """
    scheme, _, fields_text = headers.get("authorization", "").partition(" ")
    if scheme != "AWS4-HMAC-SHA256":
        return "not signed"
    fields = dict(part.strip().split("=", 1) for part in fields_text.split(","))
    access_key, day, region, service, terminator = fields["Credential"].split("/")
    if access_key not in secrets:
        return "unknown access key"
    signed = fields["SignedHeaders"].split(";")
    for required in ("host", "x-amz-date"):
        if required not in signed:
            return f"{required} is not signed"
    url = urlsplit(target)
    query = "&".join(
        f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
        for name, value in sorted(parse_qsl(url.query, keep_blank_values=True))
    )
    canonical = "\n".join(
        [
            method,
            quote(url.path, safe="/-_.~"),  # encoded once more, as every service but S3 wants it
            query,
            *(f"{name}:{' '.join(headers[name].split())}" for name in signed),
            "",
            ";".join(signed),
            hashlib.sha256(body).hexdigest(),
        ]
    )
    scope = "/".join([day, region, service, terminator])
    text = "\n".join(
        [scheme, headers["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()],
    )
    key = f"AWS4{secrets[access_key]}".encode()
    for part in (day, region, service, terminator):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    expected = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, fields["Signature"]):
        return "the signature does not cover this request"
    return None
