"""Who gets a message. Pure."""

from bisect import bisect_right
from collections.abc import Sequence

from backends.database.diffusing import Member
from proto.conversations import ConversationKind, kind_of, owner, pair


class Group:
    """The members of a group, and who of them gets which message."""

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = members
        begins = {member.joined_seq for member in members}
        ends = {member.left_seq + 1 for member in members if member.left_seq}
        self._changes = sorted(begins | ends)
        self._between: dict[int, list[str]] = {}

    def at(self, seq: int) -> list[str]:
        """Return who gets message `seq`; the same list for all messages between two changes."""
        index = bisect_right(self._changes, seq)
        if index not in self._between:
            self._between[index] = [each.uid for each in self._members if _gets(each, seq)]
        return self._between[index]


def _gets(member: Member, seq: int) -> bool:
    return member.joined_seq <= seq and (not member.left_seq or seq <= member.left_seq)


def named(conv: str) -> list[str]:
    """Return who gets the messages of `conv` by its id alone: a chat, or a system conversation.

    Raises `ValueError` for what is neither.
    """
    if kind_of(conv) is ConversationKind.DIRECT:
        return list(pair(conv))
    if kind_of(conv) is ConversationKind.SYSTEM:
        return [owner(conv)]
    raise ValueError(f"{conv[:40]!r} does not name who is in it")
