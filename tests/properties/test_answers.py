"""Reading an HTTP answer: what `http.client` makes of it, however its bytes arrive."""

from __future__ import annotations

import http.client
import io
from itertools import pairwise
from typing import Any

from hypothesis import event, example, given
from hypothesis import strategies as st

from durable_execution_sdk._edges.kept_http import read_answer


class Peer:
    """A socket whose other side sends these pieces, one at a time, and closes."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = [piece for piece in pieces if piece]

    def recv(self, most: int) -> bytes:
        if not self._pieces:
            return b""
        piece = self._pieces.pop(0)
        if piece[most:]:
            self._pieces.insert(0, piece[most:])
        return piece[:most]

    def recv_into(self, into: Any) -> int:
        piece = self.recv(len(into))
        into[: len(piece)] = piece
        return len(piece)


class Whole(io.BytesIO):
    """A socket, and its stream, that has everything at once."""

    def makefile(self, _: str) -> Whole:
        return self

    def close(self) -> None:
        """What was not read can still be looked at."""


def ours(pieces: list[bytes]) -> Any:
    peer: Any = Peer(pieces)
    try:
        answer, is_last = read_answer(peer)
    except http.client.HTTPException as error:
        return type(error)
    return answer.status_code, answer.headers.items(), answer.content, is_last


def theirs(text: bytes) -> tuple[Any, bytes]:
    """What the standard library makes of it, and what it leaves unread."""
    whole: Any = Whole(text)
    response = http.client.HTTPResponse(whole)
    try:
        response.begin()
        seen = response.status, response.headers.items(), response.read(), response.will_close
    except http.client.HTTPException as error:
        return type(error), b""
    return seen, whole.read()


def in_pieces(text: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    return [text[start:end] for start, end in pairwise(places)]


ENDS = st.sampled_from([b"\r\n"] * 12 + [b"\n", b"\r", b"\r\r\n"])
NAMES = st.sampled_from(
    [b"Content-Length", b"content-length", b"Transfer-Encoding", b"Connection", b"Date", b"x-amzn-RequestId", b"X", b""]
)
LENGTHS = [
    b"2",
    b" 2",
    b"02",
    b" 2 ",
    b"\t2\t",
    b"+2",
    b"0",
    b"5",
    b"2, 2",
    b"-1",
    b"1_0",
    b"",
    b"a\x0bContent-Length: 1",
]
VALUES = st.sampled_from([*LENGTHS, b"chunked", b"identity", b"close", b"keep-alive", b"text/plain", b"a: b", b"\xe9"])
FIELDS = st.one_of(
    st.tuples(NAMES, st.sampled_from([b":", b": "]), VALUES).map(b"".join),
    st.sampled_from([b"no colon", b" folded", b"\tfolded", b"Two Words: 1", b"From here", b"Content-Length : 2"]),
)
GOOD = [b"HTTP/1.1 200 OK", b"HTTP/1.1 200 ", b"HTTP/1.1 200"]
ODD = [b"http/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 2000 OK", b"HTTP/2 200 OK", b"nonsense", b""]
OTHER = [b"HTTP/1.1 %d Reason" % status for status in (100, 204, 304, 404, 500)]
STATUS = st.sampled_from(GOOD * 3 + ODD + OTHER)
CHUNKED = b"2\r\n{}\r\n0\r\n\r\n"
BODIES = st.sampled_from([b"", b"{}", b"{}more", b"{", CHUNKED, CHUNKED + b"HTTP/1.1 200 OK\r\n", b"z\r\n", b"\r\n"])


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """Heads as they should be, and with one thing or another out of order."""
    text = b"HTTP/1.1 100 Continue\r\n\r\n" * draw(st.sampled_from([0, 0, 0, 1, 2]))
    lines = [draw(STATUS), *draw(st.lists(FIELDS, max_size=4))]
    if draw(st.booleans()):
        lines.insert(draw(st.integers(1, len(lines))), b"Content-Length: 2")
    return text + b"".join(line + draw(ENDS) for line in lines) + draw(ENDS) + draw(BODIES)


PLAIN = b"HTTP/1.1 200 OK\r\nDate: today\r\nContent-Length: 2\r\nServer: x\r\n\r\n{}"


@given(messages(), st.lists(st.integers(0, 120), max_size=4))
@example(PLAIN, [])
@example(PLAIN, [70])
@example(PLAIN[:-1], [])
@example(PLAIN + b"HTTP/1.1 200", [])
@example(PLAIN.replace(b"Server: x", b"Connection: close"), [])
@example(PLAIN.replace(b"Server: x", b"Content-Length: 1"), [])
@example(PLAIN.replace(b"Date: today", b"Content-Length: 1"), [])
@example(PLAIN.replace(b"Server: x", b"Transfer-Encoding: chunked"), [])
@example(PLAIN.replace(b"Date: today", b"Date: today\r\n Content-Length: 1"), [])
@example(PLAIN.replace(b"Date: today", b"Date: today\nContent-Length: 1"), [])
@example(PLAIN.replace(b"Date: today", b"Two Words: today"), [])
@example(PLAIN.replace(b"Date: today\r\n", b"X: 1\r\n" * 101), [])
@example(PLAIN.replace(b"1.1", b"1.0"), [])
@example(PLAIN.replace(b"Server: x", b"connection: Keep-Alive"), [])
@example(PLAIN.replace(b"Server: x", b"Connection: keep-alive, close"), [])
@example(PLAIN.replace(b": 2", b": 1_0"), [])
def test_an_answer_is_what_the_standard_library_reads(text: bytes, cuts: list[int]) -> None:
    expected, unread = theirs(text)
    event("an error" if isinstance(expected, type) else f"status {expected[0]}")
    got = ours(in_pieces(text, cuts))
    if got != expected:  # a connection may also be given up because more has come than belongs to the answer
        assert unread
        assert got == (*expected[:3], True)


@given(st.binary(max_size=300_000), st.lists(st.integers(0, 300_000), max_size=6))
def test_bodies_arrive_whole_in_any_pieces(body: bytes, cuts: list[int]) -> None:
    text = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    status, headers, content, is_last = ours(in_pieces(text, cuts))
    assert (status, content, is_last) == (200, body, False)
    assert headers == [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]


HEAD = PLAIN.index(b"{}")


@given(st.integers(HEAD, len(PLAIN) - 1) | st.just(0))
def test_a_connection_on_which_too_much_came_is_given_up(cut: int) -> None:
    *_, content, is_last = ours([PLAIN[:cut], PLAIN[cut:] + b"H"])
    assert (content, is_last) == (b"{}", True)
