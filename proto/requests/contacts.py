"""Contacts: who is whose friend, and who is blocked."""

from typing import Annotated

from msgspec import Meta

from proto.requests.fields import Frame, PageCursor, Uid

MAX_CONTACTS_PAGE = 200


class FriendRequest(Frame, frozen=True, tag_field="op", tag="friend_request"):
    """Ask `uid` to become a friend; where `uid` has asked already, both are friends at once."""

    uid: Uid
    text: Annotated[str, Meta(max_length=200)] = ""


class FriendAccept(Frame, frozen=True, tag_field="op", tag="friend_accept"):
    """Become the friend of `uid`, who has asked."""

    uid: Uid


class FriendDecline(Frame, frozen=True, tag_field="op", tag="friend_decline"):
    """Let the request of `uid` go; `uid` is not told."""

    uid: Uid


class FriendRemove(Frame, frozen=True, tag_field="op", tag="friend_remove"):
    """End the friendship with `uid`, or take a request back."""

    uid: Uid


class Block(Frame, frozen=True, tag_field="op", tag="block"):
    """Hear nothing of `uid` any more: no message, no request. `uid` is not told."""

    uid: Uid


class Unblock(Frame, frozen=True, tag_field="op", tag="unblock"):
    """Take a block back."""

    uid: Uid


class Contacts(Frame, frozen=True, tag_field="op", tag="contacts"):
    """Ask for a page of one's contacts, by uid."""

    limit: Annotated[int, Meta(ge=1, le=MAX_CONTACTS_PAGE)] = 100
    cursor: PageCursor = ""


ContactRequest = (
    FriendRequest | FriendAccept | FriendDecline | FriendRemove | Block | Unblock | Contacts
)
