"""Messages after which a user's messages take another way, recognised by their bytes.

A frame is not decoded on its way to a client; these few are, and only to see where they point.
"""

from typing import NamedTuple

import msgspec

from proto.im_frames import MessageKind

_HEAD_BYTES = 512
"""`kind` stands within them: before it are the stream's name, the conversation and numbers."""
_USUAL = b'"kind":"message"'
_KINDS = {
    f'"kind":"{kind}"'.encode(): kind
    for kind in (
        MessageKind.HOT,
        MessageKind.COOL,
        MessageKind.GROUP_JOINED,
        MessageKind.GROUP_LEFT,
    )
}
_CONV = b'"conv":"'
_SEQ = b'"seq":'


class Hot(NamedTuple):
    """What follows `seq` in `conv` comes on its hot stream."""

    conv: str
    seq: int


class Cool(NamedTuple):
    """`seq` is the last message on the hot stream of `conv`."""

    conv: str
    seq: int


class Joined(NamedTuple):
    """The user is in the hot group `conv` and hears it from `seq` on."""

    conv: str
    seq: int


class Left(NamedTuple):
    """The user is no longer in `conv`: `seq` is the last that it gets."""

    conv: str
    seq: int


Turn = Hot | Cool | Joined | Left


class _Body(msgspec.Struct):
    conv: str = ""
    joined: int = 0
    left: int = 0
    hot: bool = False
    uids: frozenset[str] = frozenset()


class _Outline(msgspec.Struct):
    conv: str
    seq: int
    kind: str
    body: msgspec.Raw = msgspec.Raw(b"{}")


_decode = msgspec.json.Decoder(_Outline).decode
_decode_body = msgspec.json.Decoder(_Body).decode


def turn_in(frame: bytes, uid: str) -> Turn | None:
    """Return what `frame` turns for user `uid`, or `None`: nearly always."""
    if frame.find(_USUAL, 0, _HEAD_BYTES) >= 0:
        return None
    if not any(frame.find(mark, 0, _HEAD_BYTES) >= 0 for mark in _KINDS):
        return None
    try:
        return _turn(_decode(frame), uid)
    except (msgspec.MsgspecError, RecursionError):
        return None


def place_of(frame: bytes) -> tuple[str, int]:
    """Return the conversation and the number in it of the message in `frame`; ("", 0): unreadable.

    Only for frames of `proto.im_frames.message`, whose first fields are known.
    """
    start = frame.find(_CONV, 0, _HEAD_BYTES) + len(_CONV)
    end = frame.find(b'"', start)
    seq = end + 2 + len(_SEQ)
    try:
        return frame[start:end].decode(), int(frame[seq : frame.index(b",", seq)])
    except ValueError:
        return "", 0


def _turn(outline: _Outline, uid: str) -> Turn | None:
    if outline.kind == MessageKind.HOT:
        return Hot(outline.conv, outline.seq)
    if outline.kind == MessageKind.COOL:
        return Cool(outline.conv, outline.seq)
    if not outline.conv.startswith("s:"):
        return _left_group(outline, uid)
    body = _decode_body(outline.body)
    if outline.kind == MessageKind.GROUP_LEFT:
        return Left(body.conv, body.left)
    if outline.kind == MessageKind.GROUP_JOINED and body.hot:
        return Joined(body.conv, body.joined)
    return None


def _left_group(outline: _Outline, uid: str) -> Left | None:
    """In the group itself they are about somebody. Whoever takes its hot stream goes there and
    then: what the mailbox says of it may come later than the group's next messages."""
    gone = outline.kind == MessageKind.GROUP_LEFT and uid in _decode_body(outline.body).uids
    return Left(outline.conv, outline.seq) if gone else None
