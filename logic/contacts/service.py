"""Serves the requests about contacts: each change is one transaction, with what tells of it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import msgspec
from sqlalchemy import Connection

from backends.database.appending import Appended, append
from backends.database.contacts import (
    Contact,
    ContactRow,
    Pair,
    count_by_state,
    lock_pair,
    page_of_contacts,
    put_pair,
)
from backends.database.database import Database
from logic.contacts import friendship
from logic.contacts.settings import ContactSettings
from logic.contacts.told import Deed, messages_of
from logic.im.paging import cursor_after, uid_before
from logic.im.service import Asker, Handle
from proto.errors import ErrorCode, RequestError
from proto.ids import RandomBits, new_id
from proto.requests.contacts import (
    Block,
    Contacts,
    FriendAccept,
    FriendDecline,
    FriendRemove,
    FriendRequest,
    Unblock,
)
from proto.server_frames import encode_json

Change: TypeAlias = Callable[[Pair], Pair]
OneContact: TypeAlias = (
    FriendRequest | FriendAccept | FriendDecline | FriendRemove | Block | Unblock
)

CHANGES: dict[type[OneContact], Change] = {
    FriendRequest: friendship.request,
    FriendAccept: friendship.accept,
    FriendDecline: friendship.decline,
    FriendRemove: friendship.remove,
    Block: friendship.block,
    Unblock: friendship.unblock,
}
"""What each request makes of how two users stand to each other."""


class ContactOk(msgspec.Struct, frozen=True):
    """The `ok` of a change: how the asker stands to `uid` now."""

    uid: str
    state: str
    blocked: bool


class ContactsOk(msgspec.Struct, frozen=True):
    """The `ok` of `contacts`; an empty `cursor` ends the list."""

    contacts: list[ContactRow]
    cursor: str


class _Done(NamedTuple):
    mine: Contact
    appended: list[Appended]


class ContactsService:
    """Answers the requests about contacts. `committed` is given each committed message that tells
    of a change, and the trace."""

    def __init__(
        self,
        database: Database,
        committed: Callable[[Sequence[Appended], str], None],
        settings: ContactSettings,
        *,
        now_ms: Callable[[], int],
        random_bits: RandomBits,
    ) -> None:
        self._database = database
        self._committed = committed
        self.settings = settings
        self._now_ms = now_ms
        self._random_bits = random_bits

    def handlers(self) -> dict[type, Handle]:
        """Return what answers each request about contacts."""
        changes: dict[type, Handle] = dict.fromkeys(CHANGES, self._change)
        return changes | {Contacts: self._page}

    async def _change(self, asker: Asker, request: OneContact) -> bytes:
        if request.uid == asker.uid:
            raise RequestError(
                ErrorCode.BAD_FRAME, "uid: must be somebody else's, not your own", field="uid"
            )
        text = request.text if isinstance(request, FriendRequest) else ""
        deed = Deed(asker, request.uid, text, new_id(self._random_bits))
        change, most, now_ms = CHANGES[type(request)], self.settings.max_friends, self._now_ms()
        done = await self._database.write(lambda c: _do(c, deed, change, most, now_ms))
        if done.appended:
            self._committed(done.appended, asker.trace)
        return encode_json(ContactOk(request.uid, done.mine.state, done.mine.blocked))

    async def _page(self, asker: Asker, request: Contacts) -> bytes:
        after, limit = uid_before(request.cursor), request.limit
        rows = await self._database.read(lambda c: page_of_contacts(c, asker.uid, after, limit))
        return encode_json(ContactsOk(rows, cursor_after([row.uid for row in rows], limit)))


def _do(connection: Connection, deed: Deed, change: Change, most: int, now_ms: int) -> _Done:
    uid, other = deed.asker.uid, deed.other
    before = lock_pair(connection, uid, other)
    after = change(before)
    if after != before:
        counted = count_by_state(connection, uid, other)
        friendship.check_room((uid, other), before, after, counted, most)
    put_pair(connection, uid, other, before, after, now_ms)
    told = messages_of(deed, before, after)
    return _Done(after.mine, append(connection, told, now_ms) if told else [])
