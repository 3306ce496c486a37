"""Serves `Method.PRESENCE`: who is online, and the last time each device was heard."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, select

from backends.database.database import Database
from backends.database.schema import devices
from logic.presence.presence import Online, Presence
from proto.errors import ErrorCode, RequestError
from proto.headers import RequestHeader
from proto.ids import is_uid
from proto.im_services import DevicePresence, PresenceAnswer, UserPresence, decode_presence
from proto.services import encode

MAX_UIDS = 10_000
"""Users of one question: those that all clients of an access node watch come in several."""
UIDS_PER_QUERY = 500
Seen = Mapping[str, Mapping[str, int]]
"""uid -> device -> when it was last heard, in Unix milliseconds."""


class PresenceHandler:
    """Serves `Method.PRESENCE`: one read of the routes and one of the devices for all users."""

    def __init__(self, presence: Presence, database: Database) -> None:
        self._presence = presence
        self._database = database

    async def handle(self, _header: RequestHeader, body: bytes) -> bytes:
        """Return a `PresenceAnswer`; raises `RequestError`, or `StoreUnavailableError` for a
        database that is away. With the store away the answer is `unknown`."""
        uids = decode_presence(body).uids
        _check(uids)
        seen = await self._database.read(lambda connection: last_seen(connection, uids))
        online = await self._presence.of(uids)
        return encode(PresenceAnswer(list(map(_user, uids, online, (seen[uid] for uid in uids)))))


def last_seen(connection: Connection, uids: Sequence[str]) -> Seen:
    """Return when the devices of `uids` were last heard."""
    d = devices.c
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for start in range(0, len(uids), UIDS_PER_QUERY):
        some = uids[start : start + UIDS_PER_QUERY]
        query = select(d.uid, d.device, d.seen).where(d.uid.in_(some))
        for uid, device, seen in connection.execute(query):
            found[uid][device] = seen
    return found


def _check(uids: Sequence[str]) -> None:
    if len(uids) > MAX_UIDS or not all(map(is_uid, uids)):
        raise RequestError(ErrorCode.BAD_FRAME, f"uids: at most {MAX_UIDS} user ids", field="uids")


def _user(uid: str, online: Online, seen: Mapping[str, int]) -> UserPresence:
    names = sorted(seen.keys() | online.devices)
    told = [DevicePresence(name, name in online.devices, seen.get(name, 0)) for name in names]
    return UserPresence(uid, online.state.value, told)
