"""What back ends send about groups and instant messages; checked field by field."""

from typing import Annotated

import msgspec

from proto.requests.fields import PageCursor
from proto.requests.groups import MAX_MEMBERS_PAGE, MAX_UIDS_PER_REQUEST, GroupName
from proto.requests.messages import MAX_HISTORY_PAGE, MAX_MESSAGE_CHARACTERS
from router.gateway.bodies import MAX_SEQ, Mid, Uid

Uids = Annotated[list[Uid], msgspec.Meta(min_length=1, max_length=MAX_UIDS_PER_REQUEST)]


class NewGroup(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A group of `owner` and `members`, who need be no friends."""

    owner: Uid
    name: GroupName
    members: Annotated[list[Uid], msgspec.Meta(max_length=MAX_UIDS_PER_REQUEST)] = []
    mid: Mid | None = None


class GroupUsers(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Users who come into a group, or go out of it."""

    uids: Uids


class MembersPage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Part of a group's members, by uid; an empty `cursor` begins."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_MEMBERS_PAGE)] = 100
    cursor: PageCursor = ""


class GroupHistoryPage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Part of what was said in a group: the newest, those before a number, or those after one."""

    before: Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ)] = 0
    after: Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_HISTORY_PAGE)] = 50


class SystemMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An instant message: a `text`, or `data`, which is a JSON object. `name` is shown as the
    sender's."""

    text: Annotated[str, msgspec.Meta(max_length=MAX_MESSAGE_CHARACTERS)] = ""
    data: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)
    name: Annotated[str, msgspec.Meta(max_length=40)] = ""
    mid: Mid | None = None
