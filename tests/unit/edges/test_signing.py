"""Signatures: botocore's own, bit for bit, over a plainer request and with a memory."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import botocore.auth
import botocore.awsrequest
import pytest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from durable_execution_sdk._edges.signing import Outgoing, Signing, quick_signer

PLAIN: Any = botocore.auth.SigV4Auth
QUICK: Any = quick_signer(PLAIN)
TEXT = st.text("abz-_.~%+/$: \u00e9", min_size=1, max_size=12)


def signed(signer: Any, request: Any, credentials: ReadOnlyCredentials, region: str, at: datetime) -> dict[str, str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda: at)
        signer(credentials, "lambda", region).add_auth(request)
    return dict(request.headers.items())


@given(
    st.sampled_from(["GET", "POST"]),
    TEXT,
    st.sampled_from(["", "?b=2&a=1", "?a=%2F&a=", "?Marker=m%3D&CheckpointToken=x"]),
    st.dictionaries(st.sampled_from(["User-Agent", "X-Amzn-Trace-Id", "amz-sdk-request", "Content-Type"]), TEXT),
    st.sampled_from([b"", b"{}", b"\xff" * 100]),
    st.sampled_from([None, "a-token"]),
    st.sampled_from(["secret-1", "secret-2"]),
    st.sampled_from(["eu-central-1", "us-east-1"]),
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 4)),
)
def test_the_signature_is_the_one_of_botocore(
    method: str,
    path: str,
    query: str,
    headers: dict[str, str],
    body: bytes,
    token: str | None,
    secret: str,
    region: str,
    at: datetime,
) -> None:
    url = f"https://lambda.example:8443/2025-12-01/{path}/state{query}"
    credentials = ReadOnlyCredentials("AKID", secret, token)
    plain: Any = botocore.awsrequest.AWSRequest(method=method, url=url, headers=headers, data=body)
    expected = signed(PLAIN, plain, credentials, region, at)
    ours = signed(
        QUICK, Outgoing(method, url, {"Host": "lambda.example:8443", **headers}, body), credentials, region, at
    )
    assert ours == {"Host": "lambda.example:8443", **expected}


class Changed(botocore.auth.SigV4Auth):
    """A botocore to come."""

    def payload(self, request: Any) -> str:
        """Looks at what our request does not have."""
        return str(request.stream_output)


class Reordered(botocore.auth.SigV4Auth):
    """Another: what `headers_to_sign` is asked for depends on more than names."""

    def headers_to_sign(self, request: Any) -> Any:
        """Leaves one out by its value."""
        chosen: Any = super().headers_to_sign(request)  # type: ignore[no-untyped-call]  # botocore's
        if request.headers["User-Agent"] == "x" and hasattr(request, "stream_output"):
            del chosen["content-type"]
        return chosen


@pytest.mark.parametrize("signer", [Changed, Reordered])
def test_a_botocore_that_signs_differently_is_given_its_own_request(
    signer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"Host": "lambda.example", "User-Agent": "x", "Content-Type": "text/plain"}
    request = Outgoing("POST", "https://lambda.example/p", dict(headers), b"{}")
    plain: Any = botocore.awsrequest.AWSRequest("POST", request.url, headers, b"{}")
    credentials = ReadOnlyCredentials("AKID", "secret", None)
    at = datetime(2026, 1, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda: at)
        Signing(signer, botocore.awsrequest.AWSRequest).sign(request, credentials, "us-east-1")
    assert request.headers == signed(signer, plain, credentials, "us-east-1", at)
    assert "the slow way" in caplog.text


def test_this_botocore_is_known_also_where_the_clock_moves_on_between_two_trials(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seconds = iter([0, 1, 1, 1, 1, 2, 2, 2])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda: datetime(2026, 1, 1, 0, 0, next(seconds)))
        Signing(PLAIN, botocore.awsrequest.AWSRequest)
    assert caplog.text == ""
    assert next(seconds, None) is None, "two trials agreed, two did not count"
