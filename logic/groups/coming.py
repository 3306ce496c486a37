"""How users come into a group: with its making, by an invitation of a friend, or by a back end."""

import msgspec
from sqlalchemy import Connection

from backends.database.answers import first_answer, remember
from backends.database.appending import Appended
from backends.database.contacts import friends_among
from backends.database.groups import Group, add_group, change_group, diffused_seq
from backends.database.members import add_members
from logic.groups import rules
from logic.groups.turn import Act, Done, GroupOk, Turn
from proto.conversations import system
from proto.errors import ErrorCode, RequestError
from proto.im_frames import MessageKind
from proto.requests.groups import GroupCreate, GroupInvite
from proto.server_frames import encode_json

SHOWN_UIDS = 5
RETRY_AFTER_MS = 500
"""What a message needs into the mailboxes, with time to spare."""


class Created(msgspec.Struct, frozen=True):
    """What `group_create` comes to: the answer's bytes, and the messages appended (none where it is
    a first answer given again)."""

    ok: bytes
    appended: list[Appended]


def create(connection: Connection, act: Act, request: GroupCreate, most: int) -> Created:
    """Make a group; the same `mid` again returns the first answer."""
    asker = act.asker.uid
    first = first_answer(connection, asker, request.mid)
    if first is not None:
        return Created(first, [])
    uids = sorted({*request.members} - {asker})
    conv = f"g:{act.mid}"
    group = Group(conv, request.name, asker, 1 + len(uids), 0, False, False, act.now_ms, 0, False)
    if not act.asker.is_back_end:
        _check_friends(connection, asker, uids, "members")
    rules.check_room(group._replace(member_count=0), group.member_count, most)
    ok = encode_json(GroupOk(conv, 1, uids))
    if not remember(connection, asker, request.mid, ok, act.now_ms):
        return Created(first_answer(connection, asker, request.mid) or ok, [])
    return Created(ok, _created(connection, act, group, uids))


def invite(turn: Turn, request: GroupInvite, most: int) -> Done:
    """Bring friends in; who is in stays so, also where it is no friend."""
    uids = sorted(uid for uid in {*request.uids} if not turn.is_present(uid))
    if not uids:
        return turn.nothing([])
    if not turn.act.asker.is_back_end:
        _check_friends(turn.connection, turn.act.asker.uid, uids, "uids")
    rules.check_room(turn.group, len(uids), most)
    _check_gone(turn, uids)
    told = turn.tell(MessageKind.GROUP_JOINED, {"uids": uids})
    roles = dict.fromkeys(uids, rules.MEMBER)
    add_members(turn.connection, told, roles, hot=turn.group.hot)
    count = turn.group.member_count + len(uids)
    change_group(turn.connection, told.conv, member_count=count)
    joined = _joined(told.conv, told.seq, hot=turn.group.hot)
    each = turn.tell_each(uids, MessageKind.GROUP_JOINED, joined)
    return Done(GroupOk(told.conv, told.seq, uids), [told, *each])


def _created(connection: Connection, act: Act, group: Group, uids: list[str]) -> list[Appended]:
    add_group(connection, group)
    body = {"name": group.name, "uids": [group.owner, *uids]}
    roles = {group.owner: rules.OWNER} | dict.fromkeys(uids, rules.MEMBER)
    joined = _joined(group.conv, 1, hot=False)
    messages = [act.message(group.conv, MessageKind.GROUP_CREATED, body)]
    messages += [act.message(system(uid), MessageKind.GROUP_JOINED, joined) for uid in roles]
    appended = act.append(connection, messages)
    add_members(connection, appended[0], roles, hot=False)
    return appended


def _joined(conv: str, seq: int, *, hot: bool) -> dict[str, object]:
    return {"conv": conv, "joined": seq, "hot": hot}


def _check_friends(connection: Connection, asker: str, uids: list[str], field: str) -> None:
    friends = friends_among(connection, asker, uids)
    strangers = [uid for uid in uids if uid not in friends]
    if strangers:
        raise RequestError(
            ErrorCode.NOT_FRIENDS, f"{field}: not your friends: {_some(strangers)}", field=field
        )


def _check_gone(turn: Turn, uids: list[str]) -> None:
    """Refuse for a moment who has left and is still owed messages from before: its row says up to
    where, and coming in again would write over that."""
    left = [uid for uid in uids if uid in turn.members]
    if not left:
        return
    diffused = diffused_seq(turn.connection, turn.group.conv)
    owed = [uid for uid in left if turn.members[uid].left_seq > diffused]
    if owed:
        raise RequestError(
            ErrorCode.OVERLOADED,
            f"uids: left a moment ago, and still get messages of before: {_some(owed)}",
            field="uids",
            retry_after_ms=RETRY_AFTER_MS,
        )


def _some(uids: list[str]) -> str:
    shown = ", ".join(uids[:SHOWN_UIDS])
    return shown if len(uids) <= SHOWN_UIDS else f"{shown} and {len(uids) - SHOWN_UIDS} more"
