"""How users stand to conversations: friends in a chat, members of a group."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, false, select, tuple_

from backends.database.schema import contacts, groups, members
from proto.conversations import ConversationKind, kind_of, pair

UserIn = tuple[str, str]
"""A conversation and a user."""


_c, _m, _g = contacts.c, members.c, groups.c
_FRIENDS = select(_c.uid, _c.other).where(
    tuple_(_c.uid, _c.other).in_(bindparam("both", expanding=True)),
    _c.state == "friend",
    _c.blocked == false(),
)
_MEMBERS = (
    select(
        _m.conv,
        _m.uid,
        _m.role,
        _m.joined_seq,
        _m.left_seq,
        _m.muted_until,
        _g.muted_until,
        _g.dissolved,
        _g.member_count,
    )
    .join(groups, _g.conv == _m.conv)
    .where(tuple_(_m.conv, _m.uid).in_(bindparam("asked", expanding=True)))
)
_MEMBERS_OF = select(_m.conv, _m.uid).where(
    _m.conv.in_(bindparam("convs", expanding=True)), _m.left_seq == 0
)


class Membership(NamedTuple):
    """A row of `members` with what counts of its group; times are Unix milliseconds."""

    role: str
    joined_seq: int
    left_seq: int
    muted_until: int
    all_muted_until: int
    dissolved: bool
    member_count: int

    @property
    def present(self) -> bool:
        """Whether the user is in the group now, and the group is there."""
        return self.left_seq == 0 and not self.dissolved

    @property
    def leads(self) -> bool:
        """Whether the member is the owner or an admin."""
        return self.role != "member"


class Standings(NamedTuple):
    """`friends`: the chats whose users are friends, and neither has blocked the other."""

    friends: frozenset[str]
    members: dict[UserIn, Membership]


def read_standings(connection: Connection, asked: Iterable[UserIn]) -> Standings:
    """Return how each user stands to its conversation."""
    chats, in_groups = set(), set()
    for conv, uid in asked:
        kind = kind_of(conv)
        if kind is ConversationKind.DIRECT:
            chats.add(conv)
        elif kind is ConversationKind.GROUP:
            in_groups.add((conv, uid))
    return Standings(_friends(connection, chats), _members(connection, in_groups))


def members_of(connection: Connection, convs: Collection[str]) -> dict[str, list[str]]:
    """Return the present members of each group; for small groups."""
    found: dict[str, list[str]] = {conv: [] for conv in convs}
    if not convs:
        return found
    for conv, uid in connection.execute(_MEMBERS_OF, {"convs": sorted(convs)}):
        found[conv].append(uid)
    return found


def _friends(connection: Connection, chats: Collection[str]) -> frozenset[str]:
    if not chats:
        return frozenset()
    both = [each for first, second in map(pair, chats) for each in _ways(first, second)]
    found = {(uid, other) for uid, other in connection.execute(_FRIENDS, {"both": both})}
    return frozenset(conv for conv in chats if found.issuperset(_ways(*pair(conv))))


def _ways(first: str, second: str) -> tuple[UserIn, UserIn]:
    return (first, second), (second, first)


def _members(connection: Connection, asked: Collection[UserIn]) -> dict[UserIn, Membership]:
    if not asked:
        return {}
    rows = connection.execute(_MEMBERS, {"asked": sorted(asked)})
    return {(conv, uid): Membership(*rest) for conv, uid, *rest in rows}
