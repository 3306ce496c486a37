"""Which messages are worth a notification, and for whom. Pure."""

from collections.abc import Collection, Mapping

import msgspec

from backends.database.diffusing import Notice, Stored
from proto.conversations import ConversationKind, kind_of
from proto.im_frames import MessageKind

NOTIFIED = frozenset((MessageKind.MESSAGE, MessageKind.FRIEND_REQUEST, MessageKind.FRIEND_ACCEPTED))
"""Kinds that are worth a person's attention, whichever conversation they are in."""
NOTIFIED_BY_SYSTEM = frozenset((MessageKind.GROUP_JOINED,))
"""Kinds that are so where the cluster tells them to the one user whom they are about."""


class Mentions(msgspec.Struct):
    """The part of a body that says whom it is meant for."""

    mentions: list[str] = []
    mention_all: bool = False


_decode = msgspec.json.Decoder(Mentions).decode
_NOBODY = Mentions()

Notices = dict[tuple[str, str], Notice]
"""The newest notice of each user and conversation."""


def is_worth(message: Stored) -> bool:
    """Say whether `message` is worth a notification at all."""
    if message.recalled:
        return False
    if kind_of(message.conv) is ConversationKind.SYSTEM and message.kind in NOTIFIED_BY_SYSTEM:
        return True
    return message.kind in NOTIFIED


def of_post(
    notices: Notices, message: Stored, numbers: Mapping[str, int], reachable: Collection[str]
) -> None:
    """Add the notices of a message that goes to mailboxes, where it has these `numbers`."""
    if not is_worth(message):
        return
    named = mentions_of(message)
    for uid in reachable:
        if uid in numbers and uid != message.sender:
            mentioned = named.mention_all or uid in named.mentions
            _add(notices, Notice(uid, message.conv, message.seq, numbers[uid], mentioned))


def of_streamed(notices: Notices, message: Stored, reachable: Collection[str]) -> None:
    """Add the notices of a message of a hot group: for those whom it names. Naming all of them
    does not count there: it would be as many rows as the hot stream saves."""
    if not is_worth(message):
        return
    for uid in mentions_of(message).mentions:
        if uid in reachable and uid != message.sender:
            _add(notices, Notice(uid, message.conv, message.seq, 0, True))


def _add(notices: Notices, notice: Notice) -> None:
    before = notices.get((notice.uid, notice.conv))
    if before is not None and before.mentioned:
        notice = notice._replace(mentioned=True)
    notices[notice.uid, notice.conv] = notice


def mentions_of(message: Stored) -> Mentions:
    """Return whom a message names."""
    if b'"mention' not in message.body:
        return _NOBODY
    try:
        return _decode(message.body)
    except (msgspec.MsgspecError, RecursionError):
        # A body that is not ours: it mentions nobody as we do.
        return _NOBODY
