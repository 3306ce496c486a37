"""RocketMQ's own protocol, as far as the client library leaves gaps: topics and offsets.

A frame is its length, the header's length (both 4 bytes, big-endian), a JSON header and a body.
The calls block: call them in worker threads.
"""

import itertools
import re
import socket
import struct
from typing import Any

import msgspec

GET_MAX_OFFSET = 30
QUERY_CONSUMER_OFFSET = 14
UPDATE_CONSUMER_OFFSET = 15
UPDATE_AND_CREATE_TOPIC = 17
GET_ROUTE = 105
GET_CLUSTER = 106
UPDATE_AND_CREATE_GROUP = 200
SUCCESS = 0
TOPIC_NOT_EXIST = 17
QUERY_NOT_FOUND = 22

TIMEOUT_S = 3.0
MOST_FRAME_BYTES = 16 * 1024 * 1024
PROTOCOL_VERSION = 453

_opaque = itertools.count(1)


class RemotingError(Exception):
    """The server answered with an error, or with something that is no answer."""


class Answer(msgspec.Struct):
    """A response header and its body."""

    code: int
    remark: str | None = None
    extFields: dict[str, str] | None = None  # noqa: N815 - the protocol's name
    body: bytes = b""

    def expect(self, *codes: int) -> "Answer":
        """Return this answer if its code is one of `codes`; raises `RemotingError`."""
        if self.code not in codes:
            raise RemotingError(f"code {self.code}: {self.remark}")
        return self

    def json(self) -> Any:
        """Return the body; some servers write numeric keys without quotes."""
        quoted = re.sub(rb"([{,])(\d+):", rb'\1"\2":', self.body)
        return msgspec.json.decode(quoted)


def encode(code: int, fields: dict[str, object], body: bytes = b"") -> bytes:
    """Return the frame of a request."""
    header = msgspec.json.encode(
        {
            "code": code,
            "language": "PYTHON",
            "version": PROTOCOL_VERSION,
            "opaque": next(_opaque),
            "flag": 0,
            "extFields": {name: str(value) for name, value in fields.items()},
        }
    )
    return struct.pack(">II", 4 + len(header) + len(body), len(header)) + header + body


def decode(frame: bytes) -> Answer:
    """Return the answer in a frame (without its leading length); raises `RemotingError`."""
    try:
        (header_length,) = struct.unpack_from(">I", frame)
        end = 4 + (header_length & 0xFFFFFF)
        answer = msgspec.json.decode(frame[4:end], type=Answer)
    except (struct.error, msgspec.DecodeError) as error:
        raise RemotingError(f"unreadable answer: {error}") from error
    answer.body = frame[end:]
    return answer


def call(address: str, code: int, *, body: bytes = b"", **fields: object) -> Answer:
    """Ask the server at `address` (HOST:PORT); raises `OSError` or `RemotingError`."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=TIMEOUT_S) as connection:
        connection.sendall(encode(code, fields, body))
        with connection.makefile("rb") as stream:
            (length,) = struct.unpack(">I", _read(stream, 4))
            if length > MOST_FRAME_BYTES:
                raise RemotingError(f"an answer of {length} bytes")
            return decode(_read(stream, length))


def _read(stream: Any, count: int) -> bytes:
    data: bytes = stream.read(count)
    if len(data) < count:
        raise ConnectionError("the server closed the connection")
    return data
