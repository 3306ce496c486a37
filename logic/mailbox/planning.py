"""Reads what a plan needs to know of groups, and makes it."""

from collections.abc import Sequence

from sqlalchemy import Connection

from backends.database import diffusing
from backends.database.diffusing import Cursor, Stored
from logic.mailbox.plan import Plan, make_plan
from logic.mailbox.recipients import Group
from proto.conversations import ConversationKind, kind_of
from proto.im_frames import MessageKind


def read_plan(
    connection: Connection, cursors: dict[str, Cursor], new: Sequence[Stored], most_rows: int
) -> Plan:
    """Return the plan for `new` of the conversations that stand at `cursors`."""
    members = diffusing.read_members(connection, _by_members(cursors, new))
    groups = {conv: Group(its_members) for conv, its_members in members.items()}
    return make_plan(cursors, new, groups, most_rows)


def _by_members(cursors: dict[str, Cursor], new: Sequence[Stored]) -> list[str]:
    """Return the groups whose messages go to mailboxes, now or after a fence."""
    cooling = {each.conv for each in new if each.kind == MessageKind.COOL}
    groups = {each.conv for each in new if kind_of(each.conv) is ConversationKind.GROUP}
    return sorted(conv for conv in groups if not cursors[conv].hot or conv in cooling)
