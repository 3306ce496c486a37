"""What one transaction does for the conversations that have something new.

The row lock on `diffusions` is the lease, its number the fence: who holds the row has read the
number that is to be moved, and nobody else moves it meanwhile. What was done before is behind the
number and is not done again, so that it does not matter how often, or in what order, it is asked.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection

from backends.database import diffusing, hot_groups
from backends.database.diffusing import Mailbox, Stored, Touch
from backends.database.epoch import read_epoch
from logic.mailbox import notices
from logic.mailbox.frames import frame_of
from logic.mailbox.notices import Notices
from logic.mailbox.plan import Plan, make_plan
from logic.mailbox.recipients import Group
from proto.conversations import ConversationKind, kind_of
from proto.im_frames import MessageKind


class Bounds(NamedTuple):
    """How much one transaction takes: messages of each conversation and in all, and rows."""

    each: int
    messages: int
    rows: int


class Posted(NamedTuple):
    """A message with its number in each recipient's mailbox, and its finished frame."""

    message: Stored
    numbers: dict[str, int]
    frame: bytes


class Streamed(NamedTuple):
    """A message of a hot group, and its finished frame."""

    message: Stored
    frame: bytes


@dataclass
class Diffused:
    """What was done: it is told to the access nodes after the commit.

    `reached` is how far each conversation is now; in `unfinished` ones there is more to do.
    """

    posted: list[Posted] = field(default_factory=list)
    streamed: list[Streamed] = field(default_factory=list)
    reached: dict[str, int] = field(default_factory=dict)
    unfinished: set[str] = field(default_factory=set)
    mailboxes: dict[str, Mailbox] = field(default_factory=dict)
    epoch: str = ""
    rows: int = 0
    switches: int = 0


def diffuse(connection: Connection, convs: Sequence[str], bounds: Bounds, due_ms: int) -> Diffused:
    """Diffuse what is new in `convs`, as much as `bounds` allow; notifications are due at
    `due_ms`. Raises `ValueError` for what can't be diffused."""
    cursors = diffusing.lock(connection, convs)
    new = diffusing.read_new(connection, list(cursors), bounds.each, bounds.messages)
    groups = _groups(connection, cursors, new)
    plan = make_plan(cursors, new, groups, bounds.rows)
    done = Diffused(rows=plan.rows, switches=len(plan.fences))
    _post(connection, plan, done, due_ms)
    _switch(connection, plan)
    diffusing.move(connection, plan.moved)
    diffusing.forget_left(connection, [conv for conv in plan.moved if _is_group(conv)])
    done.reached = {conv: plan.cursor(conv).seq if conv in cursors else 0 for conv in convs}
    done.unfinished = _unfinished(plan, new, bounds)
    return done


def _groups(
    connection: Connection, cursors: dict[str, diffusing.Cursor], new: Sequence[Stored]
) -> dict[str, Group]:
    """Read the members of the groups that go to mailboxes, now or after a fence."""
    needed = {
        each.conv
        for each in new
        if _is_group(each.conv) and (not cursors[each.conv].hot or each.kind == MessageKind.COOL)
    }
    found = diffusing.read_members(connection, sorted(needed))
    return {conv: Group(members) for conv, members in found.items()}


def _post(connection: Connection, plan: Plan, done: Diffused, due_ms: int) -> None:
    counts: Counter[str] = Counter()
    for post in plan.posts:
        counts.update(post.uids)
    done.mailboxes = diffusing.raise_heads(connection, counts)
    last = {uid: done.mailboxes[uid].head - count for uid, count in counts.items()}
    rows: list[tuple[str, int, str, int]] = []
    touched: dict[tuple[str, str], Touch] = {}
    wanted: Notices = {}
    for message, uids in plan.posts:
        conv, seq = message.conv, message.seq
        numbers = {uid: last[uid] + 1 for uid in uids}
        last |= numbers
        rows += [(uid, n, conv, seq) for uid, n in numbers.items()]
        done.posted.append(Posted(message, numbers, frame_of(message)))
        if kind_of(conv) is not ConversationKind.SYSTEM:
            total, ts_ms = message.total, message.ts_ms
            touched |= {(uid, conv): Touch(uid, conv, seq, total, ts_ms) for uid in uids}
        if notices.is_worth(message):
            notices.of_post(wanted, message, numbers)
    _stream(connection, plan, done, wanted)
    # By user, as the tables are: pages that lie together are written together.
    diffusing.put(connection, sorted(rows))
    diffusing.touch_sessions(connection, touched.values())
    diffusing.notify(connection, wanted.values(), due_ms)


def _stream(connection: Connection, plan: Plan, done: Diffused, wanted: Notices) -> None:
    if not plan.streamed:
        return
    done.epoch = read_epoch(connection)
    for message in plan.streamed:
        done.streamed.append(Streamed(message, frame_of(message)))
        if notices.is_worth(message):
            notices.of_streamed(wanted, message)


def _switch(connection: Connection, plan: Plan) -> None:
    for fence in plan.fences:
        if fence.kind == MessageKind.HOT:
            hot_groups.begin_span(connection, fence.conv, fence.seq + 1)
        else:
            hot_groups.end_span(connection, fence.conv, fence.seq, fence.total, fence.ts_ms)


def _unfinished(plan: Plan, new: Sequence[Stored], bounds: Bounds) -> set[str]:
    """Return the conversations that may have more: those that were read to a bound, or not
    planned to the end."""
    read = Counter(each.conv for each in new)
    last = {each.conv: each.seq for each in new}
    left = {conv for conv, seq in last.items() if plan.cursor(conv).seq < seq}
    left |= {conv for conv, count in read.items() if count == bounds.each}
    if len(new) == bounds.messages:
        # The statement reads by conversation: those after the last one may not have had a turn.
        left |= {conv for conv in plan.cursors if conv not in last} | {new[-1].conv}
    return left


def _is_group(conv: str) -> bool:
    return kind_of(conv) is ConversationKind.GROUP
