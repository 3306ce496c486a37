"""Serves the requests about groups: each change is one transaction, with what tells of it."""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, TypeAlias

from sqlalchemy import Connection

from backends.database.appending import Appended
from backends.database.database import Database
from logic.groups import changing, coming, going, looking, rules, tagging
from logic.groups.again import was_done
from logic.groups.settings import GroupSettings
from logic.groups.turn import Act, Done, GroupOk, Turn, begin
from logic.im.service import Asker, Handle
from proto.errors import ErrorCode, RequestError
from proto.ids import RandomBits, new_id
from proto.requests.groups import (
    GroupCreate,
    GroupDissolve,
    GroupInfo,
    GroupInvite,
    GroupKick,
    GroupLeave,
    GroupMembers,
    GroupMute,
    GroupRole,
    GroupTag,
    GroupTransfer,
    GroupUpdate,
)
from proto.server_frames import encode_json

Change: TypeAlias = Callable[[Turn, Any], Done]
Look: TypeAlias = Callable[[Connection, Asker, Any], Any]

ID_BITS = 96
"""Of a group's id: nobody guesses one, and no two are the same."""


class GroupsService:
    """Answers the requests about groups. `committed` is given each committed message that tells of
    a change, and the trace."""

    def __init__(
        self,
        database: Database,
        committed: Callable[[Sequence[Appended], str], None],
        settings: GroupSettings,
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
        """Return what answers each request about groups."""
        changes: dict[type, Change] = {
            GroupUpdate: changing.update,
            GroupInvite: self._invite,
            GroupKick: going.kick,
            GroupLeave: going.leave,
            GroupRole: changing.set_role,
            GroupMute: changing.mute,
            GroupTransfer: changing.transfer,
            GroupDissolve: going.dissolve,
        }
        handlers: dict[type, Handle] = {
            request: partial(self._change, change) for request, change in changes.items()
        }
        return handlers | {
            GroupCreate: self._create,
            GroupTag: self._tag,
            GroupInfo: partial(self._look, looking.info),
            GroupMembers: partial(self._look, looking.page),
        }

    async def _create(self, asker: Asker, request: GroupCreate) -> bytes:
        changing.check_name(request.name)
        act = self._act(asker)
        created = await self._database.write(
            lambda connection: coming.create(connection, act, request, self.settings.max_members)
        )
        self._tell(created.appended, asker)
        return created.ok

    def _invite(self, turn: Turn, request: GroupInvite) -> Done:
        return coming.invite(turn, request, self.settings.max_members)

    async def _tag(self, asker: Asker, request: GroupTag) -> bytes:
        if asker.role != "server":
            raise RequestError(
                ErrorCode.FORBIDDEN, "role: only a back end (role `server`) tags groups"
            )
        act = self._act(asker)
        return await self._done(asker, lambda connection: tagging.tag(connection, act, request))

    async def _change(self, change: Change, asker: Asker, request: Any) -> bytes:
        act = self._act(asker)
        return await self._done(asker, lambda connection: _turn(connection, act, change, request))

    async def _look(self, look: Look, asker: Asker, request: Any) -> bytes:
        return encode_json(await self._database.read(lambda c: look(c, asker, request)))

    async def _done(self, asker: Asker, work: Callable[[Connection], Done]) -> bytes:
        done = await self._database.write(work)
        self._tell(done.appended, asker)
        return encode_json(done.ok)

    def _act(self, asker: Asker) -> Act:
        return Act(asker, self._now_ms(), new_id(self._random_bits, ID_BITS))

    def _tell(self, appended: Sequence[Appended], asker: Asker) -> None:
        if appended:
            self._committed(appended, asker.trace)


def _turn(connection: Connection, act: Act, change: Change, request: Any) -> Done:
    if was_done(connection, act.asker.uid, request):
        return Done(GroupOk(request.conv, 0), [])
    turn = begin(connection, act, request.conv, _named(request))
    rules.check_role(request, turn.me.role)
    return change(turn, request)


def _named(request: Any) -> Collection[str]:
    """Return the users whom a request names."""
    uid = getattr(request, "uid", None)
    return [uid] if uid else getattr(request, "uids", ())
