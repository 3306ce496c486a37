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
from logic.mailbox import joining, notices
from logic.mailbox.bounds import Bounds, affordable, unfinished
from logic.mailbox.frames import carried_frame
from logic.mailbox.notices import Notices
from logic.mailbox.plan import Plan
from logic.mailbox.planning import read_plan
from proto.conversations import ConversationKind, kind_of
from proto.im_frames import MessageKind


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
    switches: int = 0


def diffuse(connection: Connection, convs: Sequence[str], bounds: Bounds, due_ms: int) -> Diffused:
    """Diffuse what is new in `convs`, as much as `bounds` allow; notifications are due at
    `due_ms`. Raises `ValueError` for what can't be diffused."""
    sizes = diffusing.read_sizes(connection, [conv for conv in convs if _is_group(conv)])
    cursors = diffusing.lock(connection, some := affordable(convs, sizes, bounds.rows))
    new = diffusing.read_new(connection, list(cursors), bounds.each, bounds.messages)
    plan = read_plan(connection, cursors, new, bounds.rows)
    done = Diffused(
        switches=len(plan.fences),
        reached={conv: plan.cursor(conv).seq if conv in cursors else 0 for conv in convs},
        unfinished=unfinished(plan, new, bounds).union(convs[len(some) :]),
    )
    _post(connection, plan, done)
    _stream(connection, plan, done)
    _switch(connection, plan)
    _touch(connection, done.posted)
    _notify(connection, done, due_ms)
    joining.start_cursors(connection, [message for message, _, _ in done.posted])
    diffusing.move(connection, plan.moved)
    diffusing.forget_left(connection, [conv for conv in plan.moved if _is_group(conv)])
    return done


def _post(connection: Connection, plan: Plan, done: Diffused) -> None:
    """Number the messages in each mailbox, in the order of the plan, and put them there."""
    counts: Counter[str] = Counter()
    for post in plan.posts:
        counts.update(post.uids)
    done.mailboxes = diffusing.raise_heads(connection, counts)
    last = {uid: done.mailboxes[uid].head - count for uid, count in counts.items()}
    rows: list[tuple[str, int, str, int]] = []
    for message, uids in plan.posts:
        numbers = {uid: last[uid] + 1 for uid in uids}
        last |= numbers
        rows += [(uid, n, message.conv, message.seq) for uid, n in numbers.items()]
        done.posted.append(Posted(message, numbers, carried_frame(message)))
    # By user, as the table is: pages that lie together are written together.
    diffusing.put(connection, sorted(rows))


def _touch(connection: Connection, posted: Sequence[Posted]) -> None:
    touched: dict[tuple[str, str], Touch] = {}
    for message, numbers, _ in posted:
        conv = message.conv
        if kind_of(conv) is not ConversationKind.SYSTEM:
            stand = message.seq, message.total, message.ts_ms
            touched |= {(uid, conv): Touch(uid, conv, *stand) for uid in numbers}
    diffusing.touch_sessions(connection, touched.values())


def _stream(connection: Connection, plan: Plan, done: Diffused) -> None:
    if plan.streamed:
        done.epoch = read_epoch(connection)
    done.streamed = [Streamed(message, carried_frame(message)) for message in plan.streamed]


def _notify(connection: Connection, done: Diffused, due_ms: int) -> None:
    named = {
        uid
        for message, _ in done.streamed
        if notices.is_worth(message)
        for uid in notices.mentions_of(message).mentions
    }
    worth = any(notices.is_worth(message) for message, _, _ in done.posted)
    asked = sorted(named.union(done.mailboxes if worth else ()))
    reachable = diffusing.read_reachable(connection, asked)
    wanted: Notices = {}
    for message, numbers, _ in done.posted if reachable else ():
        notices.of_post(wanted, message, numbers, reachable)
    for message, _ in done.streamed:
        notices.of_streamed(wanted, message, reachable)
    diffusing.notify(connection, wanted.values(), due_ms)


def _switch(connection: Connection, plan: Plan) -> None:
    for fence in plan.fences:
        if fence.kind == MessageKind.HOT:
            hot_groups.begin_span(connection, fence.conv, fence.seq + 1)
        else:
            hot_groups.end_span(connection, fence.conv, fence.seq, fence.total, fence.ts_ms)


def _is_group(conv: str) -> bool:
    return kind_of(conv) is ConversationKind.GROUP
