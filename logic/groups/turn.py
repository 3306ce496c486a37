"""One request on one group: who asks, what it finds, and what it tells the group.

A turn holds the group until its transaction ends, so that what it has found stays true.
"""

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection

from backends.database.appending import Appended, NewMessage, append
from backends.database.groups import Group, lock_group
from backends.database.members import Member, read_members
from logic.groups.rules import OWNER
from logic.im.service import Asker
from proto.conversations import system
from proto.errors import ErrorCode, RequestError
from proto.server_frames import encode_json


class Act(NamedTuple):
    """Who asks, when (Unix milliseconds), and the `mid` of the messages that come of it."""

    asker: Asker
    now_ms: int
    mid: str

    def message(self, conv: str, kind: str, body: dict[str, Any]) -> NewMessage:
        """Return a message that tells what has happened; it makes nobody's session unread."""
        asker, encoded = self.asker, encode_json(body)
        return NewMessage(conv, asker.uid, asker.name, kind, self.mid, encoded, counted=False)

    def append(self, connection: Connection, messages: list[NewMessage]) -> list[Appended]:
        """Append messages and return where they stand."""
        return append(connection, messages, self.now_ms)


class GroupOk(msgspec.Struct, frozen=True, omit_defaults=True):
    """The `ok` of a change: `seq` is the message that tells the group, 0 where nothing was to be
    done; `uids` those who came in or went out."""

    conv: str
    seq: int
    uids: list[str] | None = None


class Done(NamedTuple):
    """What a turn answers, and the messages that it has appended."""

    ok: GroupOk
    appended: list[Appended]


class Turn(NamedTuple):
    """A request of a present member, or of a back end, on a group that is held; `members` are the
    asker and those of the users named who are in the group, or have just left it."""

    connection: Connection
    act: Act
    group: Group
    members: dict[str, Member]

    @property
    def me(self) -> Member:
        """The asker."""
        return self.members[self.act.asker.uid]

    @property
    def next_seq(self) -> int:
        """The number that the group's next message gets."""
        return self.group.last_seq + 1

    def is_present(self, uid: str) -> bool:
        """Say whether `uid`, one of those named, is in the group."""
        return is_present(self.members.get(uid))

    def present(self, uid: str) -> Member:
        """Return the member `uid`; raises `RequestError` where it is none."""
        member = self.members.get(uid)
        if member is None or member.left_seq:
            raise RequestError(ErrorCode.NOT_MEMBER, f"uid: {uid} is not in the group", field="uid")
        return member

    def tell(self, kind: str, body: dict[str, Any]) -> Appended:
        """Append a message to the group."""
        message = self.act.message(self.group.conv, kind, body)
        return self.act.append(self.connection, [message])[0]

    def tell_each(self, uids: Iterable[str], kind: str, body: dict[str, Any]) -> list[Appended]:
        """Append a message to the system conversation of each of `uids`."""
        messages = [self.act.message(system(uid), kind, body) for uid in uids]
        return self.act.append(self.connection, messages)

    def nothing(self, uids: list[str] | None = None) -> Done:
        """Return what is answered where nothing was to be done."""
        return Done(GroupOk(self.group.conv, 0, uids), [])

    def done(self, kind: str, body: dict[str, Any]) -> Done:
        """Tell the group, and return what is answered."""
        told = self.tell(kind, body)
        return Done(GroupOk(told.conv, told.seq), [told])


def begin(connection: Connection, act: Act, conv: str, named: Collection[str]) -> Turn:
    """Hold the group and find the asker and those `named` in it.

    Raises `RequestError` `not_member` for a stranger, whether or not there is such a group, and
    `not_found` for a back end. One that is no member acts as the owner may.
    """
    asker, group = act.asker, lock_group(connection, conv)
    if group is None or group.dissolved:
        raise no_group(asker)
    members = read_members(connection, conv, {asker.uid, *named})
    if not is_present(members.get(asker.uid)):
        if not asker.is_back_end:
            raise not_member()
        members |= {asker.uid: Member(asker.uid, OWNER, 0, 0, 0)}
    return Turn(connection, act, group, members)


def is_present(member: Member | None) -> bool:
    """Say whether this is a member that has not left."""
    return member is not None and member.left_seq == 0


def no_group(asker: Asker) -> RequestError:
    """Return the error for a group that is not there, or no more: only a back end is told so."""
    if asker.is_back_end:
        return RequestError(ErrorCode.NOT_FOUND, "conv: there is no such group", field="conv")
    return not_member()


def not_member() -> RequestError:
    """Return the error for who is not in the group, and for a group that is no more."""
    return RequestError(ErrorCode.NOT_MEMBER, field="conv")
