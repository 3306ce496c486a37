"""Which new messages one transaction diffuses, to whom, and which way. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from backends.database.diffusing import Cursor, Stored
from logic.mailbox import recipients
from logic.mailbox.recipients import Group
from proto.im_frames import MessageKind


class Post(NamedTuple):
    """A message that goes to the mailboxes of `uids`."""

    message: Stored
    uids: Sequence[str]


@dataclass
class Plan:
    """What is done with each message, in the order of each conversation.

    `posts` go to mailboxes, `streamed` on the hot stream of their group, `fences` are the messages
    at which a group changes from the one to the other.
    """

    cursors: dict[str, Cursor]
    posts: list[Post] = field(default_factory=list)
    streamed: list[Stored] = field(default_factory=list)
    fences: list[Stored] = field(default_factory=list)
    moved: dict[str, Cursor] = field(default_factory=dict)
    rows: int = 0

    def take(self, message: Stored, uids: Sequence[str]) -> None:
        """Let `message`, the next one of its conversation, go the way that is due."""
        hot = self.cursor(message.conv).hot
        if hot:
            self.streamed.append(message)
        else:
            self.posts.append(Post(message, uids))
        self.rows += 1 if hot else len(uids)
        fence = message.kind == (MessageKind.COOL if hot else MessageKind.HOT)
        if fence:
            self.fences.append(message)
        self.moved[message.conv] = Cursor(message.seq, hot != fence)

    def cursor(self, conv: str) -> Cursor:
        """Return where `conv` stands with what is taken so far."""
        return self.moved.get(conv) or self.cursors[conv]


def make_plan(
    cursors: dict[str, Cursor],
    new: Iterable[Stored],
    groups: Mapping[str, Group],
    most_rows: int,
) -> Plan:
    """Return the plan for `new`, in order, as far as it takes at most `most_rows` rows; one message
    goes in any case."""
    plan = Plan(cursors)
    for message in new:
        hot = plan.cursor(message.conv).hot
        uids = [] if hot else _recipients(message, groups)
        if plan.rows and plan.rows + len(uids) > most_rows:
            break
        plan.take(message, uids)
    return plan


def _recipients(message: Stored, groups: Mapping[str, Group]) -> Sequence[str]:
    group = groups.get(message.conv)
    return recipients.named(message.conv) if group is None else group.at(message.seq)
