"""Who is told of a change between two users: messages in their system conversations. Pure.

In each of them `uid` is who did it and `body.uid` the other one, on both sides alike.
"""

from typing import NamedTuple

from backends.database.appending import NewMessage
from backends.database.contacts import Pair
from logic.contacts.friendship import State
from logic.im.service import Asker
from proto.conversations import system
from proto.im_frames import MessageKind
from proto.server_frames import encode_json


class Deed(NamedTuple):
    """Who does something to whom; `mid` names the messages that tell of it."""

    asker: Asker
    other: str
    text: str
    mid: str


def messages_of(deed: Deed, before: Pair, after: Pair) -> list[NewMessage]:
    """Return what tells of a change, to both as a rule: each has several devices."""
    if after.mine.state == before.mine.state:
        return []
    kind, body = _kind(after), _body(deed, after)
    return [_message(deed, uid, kind, body) for uid in _told(deed, before, after)]


def _kind(after: Pair) -> str:
    kinds = {
        State.ASKED: MessageKind.FRIEND_REQUEST,
        State.FRIEND: MessageKind.FRIEND_ACCEPTED,
        State.NONE: MessageKind.FRIEND_REMOVED,
    }
    return kinds[after.mine.state]


def _body(deed: Deed, after: Pair) -> bytes:
    said = {"text": deed.text} if deed.text and after.mine.state == State.ASKED else {}
    return encode_json({"uid": deed.other} | said)


def _told(deed: Deed, before: Pair, after: Pair) -> list[str]:
    # Who has blocked hears nothing; who is declined is not told, and stands as it stood.
    is_told = not after.theirs.blocked and after.theirs.state != before.theirs.state
    return [deed.asker.uid, deed.other] if is_told else [deed.asker.uid]


def _message(deed: Deed, uid: str, kind: str, body: bytes) -> NewMessage:
    asker = deed.asker
    return NewMessage(system(uid), asker.uid, asker.name, kind, deed.mid, body)
