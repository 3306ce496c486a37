r"""Conversations: what their ids look like, and who is in those whose id says so.

| id | what |
|---|---|
| `d:ANN\\|BOB` | the chat of two users, whose uids stand in byte order |
| `g:GROUP` | a group; the server makes the id |
| `s:UID` | what the cluster tells one user: friend requests, groups joined and left |

`|` is in no uid, so an id can be read in one way alone, and it is the same for everybody.
"""

import re
from enum import StrEnum
from hashlib import blake2b

from proto.ids import UID_PATTERN

_UID = UID_PATTERN.removeprefix("^").removesuffix(r"\Z")
_GROUP = r"[A-Za-z0-9_\-]{1,64}"

CONVERSATION_PATTERN = rf"^(d:{_UID}\|{_UID}|g:{_GROUP}|s:{_UID})\Z"
"""Any conversation."""

GROUP_PATTERN = rf"^g:{_GROUP}\Z"
"""A group."""

MAILBOX = "mailbox"
"""The stream of everything that is for one user, hot groups aside."""

STREAM_PATTERN = rf"^(mailbox|hot:g:{_GROUP})\Z"
"""A stream with a delivery window: the mailbox, or a hot group's."""

_HOT = "hot:"
_IS_CONVERSATION = re.compile(CONVERSATION_PATTERN)
_IS_STREAM = re.compile(STREAM_PATTERN)


class ConversationKind(StrEnum):
    """What a conversation is; its value begins the id."""

    DIRECT = "d"
    GROUP = "g"
    SYSTEM = "s"


def direct(uid: str, other: str) -> str:
    """Return the id of the chat of two users, whichever is named first."""
    first, second = sorted((uid, other))
    return f"d:{first}|{second}"


def system(uid: str) -> str:
    """Return the id of what the cluster tells `uid`."""
    return f"s:{uid}"


def kind_of(conv: str) -> ConversationKind:
    """Return what `conv`, a well-formed id, is."""
    return ConversationKind(conv[0])


def is_conversation(conv: str) -> bool:
    """Say whether `conv` is a well-formed id: of a chat, with its uids in order."""
    if not _IS_CONVERSATION.match(conv):
        return False
    if kind_of(conv) is not ConversationKind.DIRECT:
        return True
    first, second = pair(conv)
    return first < second


def pair(conv: str) -> tuple[str, str]:
    """Return the two users of the chat `conv`."""
    first, _, second = conv[2:].partition("|")
    return first, second


def peer(conv: str, uid: str) -> str:
    """Return the other user of the chat `conv`; raises `ValueError` if `uid` is none of the two."""
    first, second = pair(conv)
    if uid == first:
        return second
    if uid == second:
        return first
    raise ValueError(f"{uid} is not in {conv}")


def owner(conv: str) -> str:
    """Return whom the system conversation `conv` belongs to."""
    return conv[2:]


def may_hold(conv: str, uid: str) -> bool:
    """Say whether `uid` can be in `conv` as far as the id tells: anybody may be in a group."""
    kind = kind_of(conv)
    if kind is ConversationKind.DIRECT:
        return uid in pair(conv)
    return kind is ConversationKind.GROUP or uid == owner(conv)


def hot_stream(conv: str) -> str:
    """Return the stream of the hot group `conv`."""
    return _HOT + conv


def hot_group(stream: str) -> str | None:
    """Return the group whose hot stream `stream` is, or `None` for the mailbox."""
    return stream.removeprefix(_HOT) if stream.startswith(_HOT) else None


def is_hot_stream(stream: str) -> bool:
    """Say whether `stream` is a well-formed hot stream."""
    return stream.startswith(_HOT) and _IS_STREAM.match(stream) is not None


def message_id(conv: str, seq: int) -> str:
    """Return the id of a message: 20 hex digits that follow from where it stands, so that every
    instance names it alike, after any crash (BLAKE2b, RFC 7693, 80 bits)."""
    return blake2b(b"%b %d" % (conv.encode(), seq), digest_size=10).hexdigest()
