"""The fields of the pushes that logic makes, in the order of docs/protocol.md."""

from typing import TypeAlias

import msgspec

from backends.room_log.interface import Appended
from proto.client_requests import Gift, Publish
from proto.headers import RequestHeader
from proto.server_frames import encode_json


class SaidFields(msgspec.Struct):
    """Of `chat` and `speech`."""

    uid: str
    name: str
    role: str
    text: str
    mid: str
    ts: int
    trace: str


class GiftFields(msgspec.Struct):
    """Of `gift`."""

    uid: str
    name: str
    role: str
    gift: str
    value: int
    count: int
    text: str
    mid: str
    ts: int
    trace: str


class NoticeFields(msgspec.Struct):
    """Of `notice`; `data` is the back end's JSON, kept to the byte."""

    data: msgspec.Raw
    mid: str
    ts: int
    trace: str


class LikesFields(msgspec.Struct):
    """Of `likes`."""

    total: int
    ts: int


class OnlineFields(msgspec.Struct):
    """Of `online`."""

    online: int
    entered_count: int
    entered: tuple[str, ...]
    ts: int


class PublishOk(msgspec.Struct):
    """The `ok` of what was published to a room."""

    room: str
    priority: str
    epoch: str
    seq: int
    ts: int
    mid: str


Fields: TypeAlias = SaidFields | GiftFields | NoticeFields | LikesFields | OnlineFields


def published_fields(message: Publish, sender: RequestHeader, mid: str, ts_ms: int) -> bytes:
    """Return the fields of a client's message; uid, name and role are the token's."""
    uid, name, role = sender.uid, sender.name, sender.role
    text, trace = message.text, sender.trace
    fields: Fields
    if isinstance(message, Gift):
        gift, value, count = message.gift, message.value, message.count
        fields = GiftFields(uid, name, role, gift, value, count, text, mid, ts_ms, trace)
    else:
        fields = SaidFields(uid, name, role, text, mid, ts_ms, trace)
    return encode_json(fields)


def publish_ok(room: str, mid: str, stands: Appended) -> bytes:
    """Return the answer to a publisher."""
    label = stands.priority.label
    return encode_json(PublishOk(room, label, stands.epoch, stands.seq, stands.ts_ms, mid))
