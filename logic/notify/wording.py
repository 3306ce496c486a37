"""What a notification says. Pure.

The words here are few and English; an app that wants its own builds them from `kind` and `conv`.
"""

from typing import NamedTuple

import msgspec

from proto.im_frames import MessageKind

MAX_TITLE, MAX_BODY = 100, 240
"""Characters; more is not shown on a phone, and both together stay far below FCM's 4096 bytes."""


class Words(NamedTuple):
    """What is shown."""

    title: str
    body: str


class _Attachment(msgspec.Struct):
    name: str = ""


class _Body(msgspec.Struct):
    text: str = ""
    attachments: list[_Attachment] = []


def words(kind: str, sender: str, group: str, body: bytes) -> Words | None:
    """Return what is shown of a message of `sender` (a name), in the group named `group` or in
    none (""); `None` for a kind of which nothing is shown."""
    said = _said(kind, _read(body))
    if said is None:
        return None
    if group:
        return Words(_cut(group, MAX_TITLE), _cut(f"{sender}: {said}", MAX_BODY))
    return Words(_cut(sender, MAX_TITLE), _cut(said, MAX_BODY))


def _said(kind: str, body: _Body) -> str | None:
    if kind == MessageKind.MESSAGE:
        return body.text or _attached(body) or "New message"
    if kind == MessageKind.FRIEND_REQUEST:
        return body.text or "wants to be your friend"
    if kind == MessageKind.FRIEND_ACCEPTED:
        return "is now your friend"
    if kind == MessageKind.GROUP_JOINED:
        return "You are in a new group"
    return None


def _attached(body: _Body) -> str:
    names = [each.name or "file" for each in body.attachments]
    return f"[{names[0]}]" if names else ""


def _read(body: bytes) -> _Body:
    try:
        return msgspec.json.decode(body, type=_Body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Body()


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
