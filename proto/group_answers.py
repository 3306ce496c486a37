"""What is answered about a group: to its members over their connections, to back ends over HTTP."""

import msgspec


class GroupState(msgspec.Struct, frozen=True):
    """A group. Times are Unix milliseconds, 0 for never; `role`, `joined` and `own_muted_until` are
    the asker's, where it is a member."""

    conv: str
    name: str
    owner: str
    member_count: int
    muted_until: int
    hot: bool
    created: int
    role: str
    joined: int
    own_muted_until: int


class GroupMember(msgspec.Struct, frozen=True):
    """A member; `muted_until` is in Unix milliseconds."""

    uid: str
    role: str
    muted_until: int


class GroupMemberPage(msgspec.Struct, frozen=True):
    """A page of members; an empty `cursor` ends the list."""

    conv: str
    members: list[GroupMember]
    cursor: str
