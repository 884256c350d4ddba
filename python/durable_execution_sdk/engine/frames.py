"""What an engine and the child process of an invocation say to each other: frames of a length and that many bytes."""

from __future__ import annotations

import socket
import struct
from typing import Final

CHECKPOINT: Final = b"c"
STATE: Final = b"s"
OUTCOME: Final = b"o"
ANSWER: Final = b"a"
FAULT: Final = b"f"

_LENGTH: Final = struct.Struct("!Q")


def send(connection: socket.socket, frame: bytes) -> None:
    """Write one frame."""
    connection.sendall(_LENGTH.pack(len(frame)))
    connection.sendall(frame)


def receive(connection: socket.socket) -> bytes | None:
    """Read one frame; None at the end."""
    head = _exactly(connection, _LENGTH.size)
    return None if head is None else _exactly(connection, _LENGTH.unpack(head)[0])


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    parts: list[bytes] = []
    while size:
        part = connection.recv(min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
