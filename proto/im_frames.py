"""The frames of instant messaging: messages, and what is told and not kept.

A message is encoded once. What differs by receiver, its number in a stream, is put in front
(`in_stream`), and the rest of the bytes stays as it is.
"""

from typing import Literal

import msgspec

from proto.conversations import message_id
from proto.im_services import UserPresence
from proto.server_frames import encode_json


class MessageKind:
    """The `kind` of a message. `MESSAGE` is what people say; the others tell what has happened."""

    MESSAGE = "message"
    RECALL = "recall"
    """`body.target`: the number of the message that was taken back."""
    HOT = "hot"
    """What follows in this group comes on its hot stream."""
    COOL = "cool"
    """What follows in this group comes by the mailbox again."""
    GROUP_CREATED = "group_created"
    GROUP_UPDATED = "group_updated"
    GROUP_JOINED = "group_joined"
    """In the group `body.uids` came in; in a system conversation the user itself, to `body.conv`,
    which it hears from number `body.joined` on, `body.hot` says by which way."""
    GROUP_LEFT = "group_left"
    """In the group `body.uids` left or (`body.by`) were sent out; in a system conversation the user
    itself, from `body.conv`."""
    GROUP_ROLE = "group_role"
    GROUP_MUTED = "group_muted"
    GROUP_TRANSFERRED = "group_transferred"
    GROUP_DISSOLVED = "group_dissolved"
    FRIEND_REQUEST = "friend_request"
    FRIEND_ACCEPTED = "friend_accepted"
    FRIEND_REMOVED = "friend_removed"


class _Message(msgspec.Struct, frozen=True, omit_defaults=True):
    push: Literal["message"]
    conv: str
    seq: int
    id: str
    kind: str
    uid: str
    ts: int
    mid: str
    name: str = ""
    recalled: bool = False
    body: msgspec.Raw = msgspec.Raw(b"{}")


def message(
    conv: str,
    seq: int,
    *,
    kind: str,
    uid: str,
    name: str,
    ts_ms: int,
    mid: str,
    body: bytes,
    recalled: bool = False,
) -> bytes:
    """Return the frame of message `seq` of `conv`; `body` is a JSON object, kept to the byte."""
    number = message_id(conv, seq)
    raw = msgspec.Raw(body)
    return encode_json(
        _Message("message", conv, seq, number, kind, uid, ts_ms, mid, name, recalled, raw)
    )


def in_stream(stream: str, n: int, frame: bytes) -> bytes:
    """Return `frame` as number `n` of `stream`."""
    return b'{"stream":"%b","n":%d,%b' % (stream.encode(), n, frame[1:])


def typing_push(conv: str, uid: str, on: bool) -> bytes:
    """Return the push that says that `uid` types in `conv`, or has stopped."""
    return encode_json({"push": "typing", "conv": conv, "uid": uid, "on": on})


def receipt_push(conv: str, uid: str, seq: int, ts_ms: int) -> bytes:
    """Return the push that says that `uid` has read `conv` up to `seq`; also told to the other
    devices of `uid` itself."""
    return encode_json({"push": "receipt", "conv": conv, "uid": uid, "seq": seq, "ts": ts_ms})


def presence_push(presence: UserPresence) -> bytes:
    """Return the push that says who is online, and by which devices."""
    devices = [
        {"device": each.device, "online": each.online, "seen_ms": each.seen_ms}
        for each in presence.devices
    ]
    fields = {"uid": presence.uid, "state": presence.state, "devices": devices}
    return encode_json({"push": "presence", **fields})
