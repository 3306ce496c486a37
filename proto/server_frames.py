"""What a server sends: a message is a JSON array of frames, each a reply or a push.

Frames are encoded once and then handled as bytes: `message` joins the frames of a tick.
"""

from collections.abc import Iterable

import msgspec

from proto.errors import ErrorBody
from proto.priorities import Priority

encode_json = msgspec.json.Encoder().encode
"""Return the JSON of any value of plain or msgspec types."""


def message(frames: Iterable[bytes]) -> bytes:
    """Return the WebSocket payload that carries `frames`."""
    return b"[%b]" % b",".join(frames)


def reply_ok(request_id: int, ok: bytes = b"{}") -> bytes:
    """Return the frame that answers `request_id` with the JSON object `ok`."""
    return b'{"reply":%d,"ok":%b}' % (request_id, ok)


def reply_error(request_id: int | None, error: ErrorBody) -> bytes:
    """Return the frame that refuses a request; `reply` is null where its id could not be read."""
    number = b"null" if request_id is None else b"%d" % request_id
    return b'{"reply":%b,"error":%b}' % (number, encode_json(error))


def room_push(kind: str, room: str, priority: Priority, fields: bytes) -> bytes:
    """Return the part of a room push that is known before its number is: see `numbered`.

    `fields` is a JSON object with the fields of the kind; it is kept to the byte.
    """
    inside = fields[1:-1]
    comma = b"," if inside else b""
    return b'"push":"%b","room":"%b","priority":"%b"%b%b}' % (
        kind.encode(),
        room.encode(),
        priority.label.encode(),
        comma,
        inside,
    )


def numbered(push: bytes, epoch: str, seq: int) -> bytes:
    """Return the finished frame of `push` (from `room_push`) as number `seq` of its stream."""
    return b'{"epoch":"%b","seq":%d,%b' % (epoch.encode(), seq, push)


def skipped(room: str, priority: Priority, epoch: str, first_seq: int, last_seq: int) -> bytes:
    """Return the push that tells of messages thinned on purpose; `fetch` may still have them."""
    return b'{"push":"skipped","room":"%b","priority":"%b","epoch":"%b","from":%d,"to":%d}' % (
        room.encode(),
        priority.label.encode(),
        epoch.encode(),
        first_seq,
        last_seq,
    )


def reset(room: str, priority: Priority, epoch: str, seq: int) -> bytes:
    """Return the push that tells that what came before is gone: the stream goes on after `seq`."""
    return b'{"push":"reset","room":"%b","priority":"%b","epoch":"%b","seq":%d}' % (
        room.encode(),
        priority.label.encode(),
        epoch.encode(),
        seq,
    )


class Removed(msgspec.Struct, frozen=True, tag_field="push", tag="removed"):
    """The client is in `room` no more: `reason` is `kicked` or `banned` (until `until_ms`, Unix
    milliseconds, 0 for good), `message` what the moderator has said about it."""

    room: str
    reason: str
    until_ms: int
    message: str


def removed(room: str, reason: str, until_ms: int, message: str) -> bytes:
    """Return the push that tells a client that it was sent out of a room."""
    return encode_json(Removed(room, reason, until_ms, message))


class Destination(msgspec.Struct, frozen=True):
    """Where a client is told to move; `node` is one of those that may be reached there."""

    url: str
    node: str


class Move(msgspec.Struct, frozen=True, tag_field="push", tag="move", omit_defaults=True):
    """Reconnect to one of `endpoints`, the first that answers, after `delay_ms`, and say `resume`
    there; who is still here after `deadline_ms` is closed with 4010. `room` is the hot room that
    is the reason; without one the node drains."""

    endpoints: list[Destination]
    resume: str
    delay_ms: int
    deadline_ms: int
    room: str = ""


def move(command: Move) -> bytes:
    """Return the push that tells a client to move."""
    return encode_json(command)


def expiring(expires_ms: int) -> bytes:
    """Return the push that tells a client when its token ends, in Unix milliseconds."""
    return b'{"push":"expiring","expires_ms":%d}' % expires_ms


def direct_push(message_id: str, ts_ms: int, trace: str, data: bytes) -> bytes:
    """Return a back end's push to users, outside any room; `data` is JSON, kept to the byte."""
    return b'{"push":"direct","mid":"%b","ts":%d,"trace":"%b","data":%b}' % (
        message_id.encode(),
        ts_ms,
        trace.encode(),
        data,
    )
