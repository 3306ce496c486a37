"""Groups: members, roles, and what the owner and the admins may do. A back end (role `server`) that
is no member may do what the owner may, and needs no friends."""

from typing import Annotated, Literal

from msgspec import Meta

from proto.requests.fields import Frame, Group, MessageId, PageCursor, Uid

MAX_UIDS_PER_REQUEST = 200
"""As many as fit into a client's message of 16 KiB."""
MAX_MEMBERS_PAGE = 500
MAX_MUTE_S = 366 * 86_400

GroupName = Annotated[str, Meta(min_length=1, max_length=100)]
Uids = Annotated[list[Uid], Meta(min_length=1, max_length=MAX_UIDS_PER_REQUEST)]


class GroupCreate(Frame, frozen=True, tag_field="op", tag="group_create"):
    """Make a group of oneself, its owner, and `members`, who must be friends."""

    mid: MessageId
    name: GroupName
    members: Annotated[list[Uid], Meta(max_length=MAX_UIDS_PER_REQUEST)] = []


class GroupUpdate(Frame, frozen=True, tag_field="op", tag="group_update"):
    """Give a group another name."""

    conv: Group
    name: GroupName


class GroupInvite(Frame, frozen=True, tag_field="op", tag="group_invite"):
    """Bring friends into a group; who is a member already stays one."""

    conv: Group
    uids: Uids


class GroupLeave(Frame, frozen=True, tag_field="op", tag="group_leave"):
    """Leave a group; its owner transfers it first, or dissolves it."""

    conv: Group


class GroupKick(Frame, frozen=True, tag_field="op", tag="group_kick"):
    """Send members out of a group: the owner anybody, an admin plain members."""

    conv: Group
    uids: Uids


class GroupRole(Frame, frozen=True, tag_field="op", tag="group_role"):
    """Make a member an admin, or a plain member again; only the owner may."""

    conv: Group
    uid: Uid
    role: Literal["admin", "member"]


class GroupMute(Frame, frozen=True, tag_field="op", tag="group_mute"):
    """Silence a member, or (without `uid`) all plain members, for `for_s` seconds; 0 ends it."""

    conv: Group
    for_s: Annotated[int, Meta(ge=0, le=MAX_MUTE_S)]
    uid: Uid | None = None


class GroupTransfer(Frame, frozen=True, tag_field="op", tag="group_transfer"):
    """Make a member the owner; the owner so far becomes an admin."""

    conv: Group
    uid: Uid


class GroupDissolve(Frame, frozen=True, tag_field="op", tag="group_dissolve"):
    """End a group for all its members; only the owner may."""

    conv: Group


class GroupInfo(Frame, frozen=True, tag_field="op", tag="group_info"):
    """Ask what a group is; only members may."""

    conv: Group


class GroupMembers(Frame, frozen=True, tag_field="op", tag="group_members"):
    """Ask for a page of a group's members, by uid; only members may."""

    conv: Group
    limit: Annotated[int, Meta(ge=1, le=MAX_MEMBERS_PAGE)] = 100
    cursor: PageCursor = ""


class GroupTag(Frame, frozen=True, tag_field="op", tag="group_tag"):
    """Keep a group hot whatever its size and rate, or no longer; only role `server` may."""

    conv: Group
    hot: bool


GroupRequest = (
    GroupCreate
    | GroupUpdate
    | GroupInvite
    | GroupLeave
    | GroupKick
    | GroupRole
    | GroupMute
    | GroupTransfer
    | GroupDissolve
    | GroupInfo
    | GroupMembers
    | GroupTag
)
