"""The ids of conversations and streams (docs/protocol.md, «Instant messages»)."""

MAILBOX = "mailbox"
"""The stream of everything that is for one user, hot groups aside."""

_HOT = "hot:"
_GROUP = "g:"


def direct(uid: str, other: str) -> str:
    """Return the id of the chat of two users, whichever is named first."""
    first, second = sorted((uid, other))
    return f"d:{first}|{second}"


def system(uid: str) -> str:
    """Return the id of what the cluster tells `uid`."""
    return f"s:{uid}"


def is_group(conv: str) -> bool:
    """Say whether `conv` is a group."""
    return conv.startswith(_GROUP)


def hot_stream(conv: str) -> str:
    """Return the stream of the hot group `conv`."""
    return _HOT + conv


def hot_group(stream: str) -> str | None:
    """Return the group whose hot stream `stream` is, or `None` for the mailbox."""
    return stream.removeprefix(_HOT) if stream.startswith(_HOT + _GROUP) else None
