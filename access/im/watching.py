"""Tells connections of the presence of the users that they watch."""

from collections.abc import Callable, Iterable

import msgspec
import structlog
import trio

from access.edge.interface import Connection
from access.im.counters import ImCounters
from access.im.smoothing import Smoothing
from access.session import Session
from mesh.interface import Mesh
from proto import server_frames
from proto.errors import ErrorCode, RequestError
from proto.im_frames import presence_push
from proto.im_services import PresenceBody, UserPresence, decode_presence_answer
from proto.priorities import Priority
from proto.services import Method, encode

log = structlog.get_logger()

MAX_ASKED = 500
"""Users in one question."""
MAX_WATCHED_HERE = 100_000
"""Users watched by all connections of the node."""


class _Watched:
    """One user, and who watches it."""

    def __init__(self, offline_s: float) -> None:
        self.smoothing = Smoothing(offline_s)
        self.watchers: dict[int, Connection] = {}


class Watching:
    """Asks for the presence of all users that are watched, each once for all that watch it."""

    def __init__(
        self,
        mesh: Mesh,
        counters: ImCounters,
        new_trace: Callable[[], str],
        *,
        offline_s: float,
    ) -> None:
        self._mesh = mesh
        self._counters = counters
        self._new_trace = new_trace
        self._offline_s = offline_s
        self._watched: dict[str, _Watched] = {}

    def __len__(self) -> int:
        """How many users are watched."""
        return len(self._watched)

    def watch(self, session: Session, wanted: frozenset[str]) -> None:
        """Have the session's connection told of exactly these users from now on; what is known is
        told at once. Raises `overloaded`."""
        if len(self._watched.keys() | wanted) > MAX_WATCHED_HERE:
            raise RequestError(
                ErrorCode.OVERLOADED, "too many users are watched here", retry_after_ms=5000
            )
        state = session.instant_messages()
        self._unwatch(session.connection, state.watched - wanted)
        for uid in wanted - state.watched:
            self._add(uid, session.connection)
        state.watched = wanted

    def end(self, session: Session, uids: frozenset[str]) -> None:
        """Tell the session's connection of these no longer, and that of them no more is known."""
        state = session.instant_messages()
        self._unwatch(session.connection, uids)
        state.watched -= uids
        for uid in uids:
            _push(session.connection, UserPresence(uid, "unknown", []))

    def close(self, session: Session) -> None:
        """Let a session that is gone watch nobody."""
        if session.im is not None:
            self._unwatch(session.connection, session.im.watched)
            session.im.watched = frozenset()

    async def run(self, every_s: float) -> None:
        """Ask every `every_s` seconds, for ever."""
        while True:
            await trio.sleep(every_s)
            await self.ask()

    async def ask(self) -> None:
        """Ask for all now, and tell what has changed."""
        uids = list(self._watched)
        for start in range(0, len(uids), MAX_ASKED):
            await self._ask(uids[start : start + MAX_ASKED])

    async def _ask(self, uids: list[str]) -> None:
        self._counters.presence_asks += 1
        try:
            answer = await self._mesh.request(
                Method.PRESENCE,
                Priority.NORMAL,
                encode(PresenceBody(uids)),
                trace=self._new_trace(),
                repeatable=True,
            )
            found = decode_presence_answer(answer).users
        except (RequestError, msgspec.MsgspecError) as error:
            self._counters.presence_errors += 1
            log.info("presence_failed", users=len(uids), error=str(error))
            return
        self._tell(found)

    def _tell(self, found: Iterable[UserPresence]) -> None:
        now = trio.current_time()
        for presence in found:
            watched = self._watched.get(presence.uid)
            if watched is not None and watched.smoothing.take(presence, now):
                self._counters.presence_changes += 1
                for connection in watched.watchers.values():
                    _push(connection, presence)

    def _add(self, uid: str, connection: Connection) -> None:
        watched = self._watched.get(uid)
        if watched is None:
            watched = self._watched[uid] = _Watched(self._offline_s)
        watched.watchers[connection.id] = connection
        if watched.smoothing.told is not None:
            _push(connection, watched.smoothing.told)

    def _unwatch(self, connection: Connection, uids: Iterable[str]) -> None:
        for uid in uids:
            watched = self._watched.get(uid)
            if watched is not None:
                watched.watchers.pop(connection.id, None)
                if not watched.watchers:
                    del self._watched[uid]


def _push(connection: Connection, presence: UserPresence) -> None:
    connection.send(server_frames.message([presence_push(presence)]), Priority.NORMAL)
